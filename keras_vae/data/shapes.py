"""`shapes`: drawn images of which all factors of variation are known, as a TFDS set that needs no network.

Importing this module makes `tfds.load("shapes")` work.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_vae.data.drawing_shapes import SHAPES, draw
from keras_vae.data.prepare_once import prepare_once

SIDE = 32
RADII = (4.5, 5.5, 6.5, 7.5)  # pixels
ROTATIONS = 6
POSITIONS = 12
STEP = 1.5  # pixels

_TEST_SHARE = 0.1
_SIZES = (len(SHAPES), len(RADII), ROTATIONS, POSITIONS, POSITIONS)

_DESCRIPTION = """\
All 10,368 images that five factors make: shape (square, ellipse, heart), scale (4: the farthest point of the shape lies
4.5, 5.5, 6.5 or 7.5 pixels from its centre), rotation (6: 0 to 75 degrees anticlockwise, in steps of 15), x and y (12
each, in steps of 1.5 pixels to the right and downwards). White on black, 32 x 32, 8 bits, edges smoothed. After 90
degrees a square looks as before, so rotation ends short of that for all shapes and no two images are equal; the square
at 75 degrees is a step away from the square at 0. A tenth of the images, drawn by a seeded generator, is the split
"test" (1,037 images) and the rest "train" (9,331); "all" is the whole grid, on which the factors are independent.
Binarised at random, the smooth edges carry 15.9 nats of noise an image, which no model can reconstruct."""

_CITATION = """\
@misc{dsprites17,
  author={Loic Matthey and Irina Higgins and Demis Hassabis and Alexander Lerchner},
  title={dSprites: Disentanglement testing Sprites dataset},
  howpublished={https://github.com/deepmind/dsprites-dataset/},
  year={2017},
  note={the larger set after which this one is modelled; its images are not used}
}"""


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Builds `shapes`: image `[32, 32, 1]` uint8, and the labels label_shape, _scale, _rotation, _x and _y."""

    name = "shapes"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Three shapes, four scales, six rotations, 12 x 12 places."}  # noqa: RUF012

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Prepare the set once, whoever asks."""
        prepare_once(self, super().download_and_prepare, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIDE, SIDE, 1)),
                    "label_shape": label(names=list(SHAPES)),
                    "label_scale": label(num_classes=len(RADII)),
                    "label_rotation": label(num_classes=ROTATIONS),
                    "label_x": label(num_classes=POSITIONS),
                    "label_y": label(num_classes=POSITIONS),
                }
            ),
            supervised_keys=("image", "label_shape"),
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[Any]]:
        factors, images = grid()
        order = np.random.default_rng(0).permutation(len(factors))
        tests = round(_TEST_SHARE * len(order))
        return {
            "train": self._generate_examples(images, factors, order[tests:]),
            "test": self._generate_examples(images, factors, order[:tests]),
        }

    def _generate_examples(
        self, images: np.ndarray, factors: np.ndarray, rows: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for row in rows:
            shape, scale, rotation, x, y = factors[row].tolist()
            yield (
                int(row),
                {
                    "image": images[row],
                    "label_shape": shape,
                    "label_scale": scale,
                    "label_rotation": rotation,
                    "label_x": x,
                    "label_y": y,
                },
            )


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return all combinations of the factors, `[n, 5]`, the last changing fastest, and their images, `[n, 32, 32, 1]`.

    Example:
        >>> factors, images = grid()
        >>> factors.shape, images.shape
        ((10368, 5), (10368, 32, 32, 1))
    """
    factors = np.indices(_SIZES).reshape(len(_SIZES), -1).T
    images = []
    for number, shape in enumerate(SHAPES):
        _, scale, rotation, x, y = factors[factors[:, 0] == number].T
        middle = (POSITIONS - 1) / 2
        radius = np.asarray(RADII)[scale]
        angle = rotation * (np.pi / 2 / ROTATIONS)
        images.append(draw(shape, radius, angle, STEP * (x - middle), STEP * (y - middle), SIDE))
    return factors, np.concatenate(images)
