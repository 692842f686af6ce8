"""Names of TFDS sets, and the folder that a set is found in."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_vae import data
from keras_vae.data import tfds_source


class Shapes(tfds.core.GeneratorBasedBuilder):
    """A set of two images that counts how often it is prepared, or fails to be."""

    name = "keras_vae_test_shapes"
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent
    fails = False

    def _info(self):
        features = {"image": tfds.features.Image(shape=(4, 5, 3)), "other": tfds.features.Scalar(np.int64)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        if self.fails:
            raise ConnectionError("no route to host")
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(2):
            yield i, {"image": np.full((4, 5, 3), 9 * i + 2, np.uint8), "other": i}


class Sounds(tfds.core.GeneratorBasedBuilder):
    """A set without images."""

    name = "keras_vae_test_sounds"
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict({"audio": tfds.features.Scalar(np.int64)})
        )

    def _split_generators(self, dl_manager):
        raise AssertionError("prepared a set that cannot be used")

    def _generate_examples(self):
        yield from ()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Set a default folder of TFDS that cannot be made; return the one in a home of the test's own."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "file" / "tensorflow_datasets"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "tensorflow_datasets"


def test_any_set_with_an_image(tmp_path):
    read = data.read("keras_vae_test_shapes", data_dir=tmp_path)
    assert read.images.shape == (2, 4, 5, 3)
    assert sorted(np.unique(read.images)) == [2, 11]
    assert read.labels is None
    assert "keras_vae_test_shapes/1.0.0" in read.name
    with pytest.raises(ValueError, match=r"split 'test': expected one of 'train', 'all'"):
        data.read("keras_vae_test_shapes", "test", data_dir=tmp_path)
    with pytest.raises(ValueError, match="except for folders"):
        data.read("keras_vae_test_shapes", image_size=(2, 2), data_dir=tmp_path)


def test_a_set_without_images(tmp_path):
    with pytest.raises(ValueError, match=r"expected a feature 'image'.*audio"):
        data.read("keras_vae_test_sounds", data_dir=tmp_path)


@pytest.mark.parametrize("kind", ["cannot be made", "marked read-only"])
def test_home_stands_in_for_a_folder_that_cannot_be_written(home, kind, tmp_path, monkeypatch):
    if kind == "marked read-only":  # which does not stop root
        (tmp_path / "shared").mkdir(mode=0o555)
        monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "shared"))
    assert len(data.read("keras_vae_test_shapes")) == 2
    assert (home / "keras_vae_test_shapes" / "1.0.0").is_dir()
    assert len(data.read("keras_vae_test_shapes")) == 2


def test_default_folder_comes_before_home(home, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "default"))
    data.read("keras_vae_test_shapes")
    assert (tmp_path / "default" / "keras_vae_test_shapes").is_dir()
    assert not home.exists()


def test_set_that_cannot_be_prepared(tmp_path, monkeypatch):
    monkeypatch.setattr(Shapes, "fails", True)
    with pytest.raises(FileNotFoundError) as caught:
        data.read("keras_vae_test_shapes", data_dir=tmp_path)
    for part in ("keras_vae_test_shapes", str(tmp_path), "no route to host", "data_dir", "mnist_5k"):
        assert part in str(caught.value)


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"\.npz file.*'mnist_5'.*Did you mean 'mnist_5k' or 'mnist'"):
        data.read("mnist_5")
    for name in ("huggingface:mnist", "some/folder", "", "a b"):
        with pytest.raises(ValueError, match="neither known to TFDS nor a folder"):
            data.read(name, data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"expected a version .*'mnist_5k:9\.9\.9'"):
        data.read("mnist_5k:9.9.9", data_dir=tmp_path)


def test_a_name_that_tfds_does_not_know_may_be_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_images").mkdir()
    with pytest.raises(ValueError, match="'my_images': expected files"):
        data.read("my_images")


def test_all_names_are_recognized():
    known = tfds_source.registered()
    assert {"mnist_5k", "mnist", "cifar10"} <= set(known)
    assert all(tfds_source._NAME.fullmatch(name) for name in known)
