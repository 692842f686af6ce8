"""`.npz` files."""

import numpy as np
import pytest

from keras_vae import data

IMAGES = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)


def test_keras_layout(tmp_path):
    path = tmp_path / "digits.npz"
    np.savez_compressed(path, x_train=IMAGES, y_train=[3, 1, 4], x_test=IMAGES[:2] + 1, y_test=[1, 5])
    train, test = data.read(path), data.read(str(path), "test")
    np.testing.assert_array_equal(train.images[..., 0], IMAGES)
    np.testing.assert_array_equal(test.images[..., 0], IMAGES[:2] + 1)
    assert train.labels.tolist() == [3, 1, 4]
    assert test.labels.tolist() == [1, 5]
    with pytest.raises(ValueError, match=r"split 'validation'.*\['x_test', 'x_train', 'y_test', 'y_train'\]"):
        data.read(path, "validation")


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("images", "labels")])
def test_one_array(tmp_path, x, y):
    path = tmp_path / "digits.npz"
    np.savez(path, **{x: IMAGES, y: [3, 1, 4]})
    for split in ("train", "all"):
        assert data.read(path, split).labels.tolist() == [3, 1, 4]
    with pytest.raises(ValueError, match=r"expected images for split 'test'.*pass split='all'"):
        data.read(path, "test")


def test_refused_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        data.read(str(tmp_path / "nowhere.npz"))
    path = tmp_path / "bad.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"bad\.npz: expected an .npz file"):
        data.read(path)
    np.savez(path, x=IMAGES.astype(np.int16))
    with pytest.raises(ValueError, match=r"bad\.npz\['x'\]: expected dtype .*received int16"):
        data.read(path)
    np.savez(path, pictures=IMAGES)
    with pytest.raises(ValueError, match=r"received the keys \['pictures'\]"):
        data.read(path)


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, x=np.array([IMAGES, None], dtype=object))
    with pytest.raises(ValueError, match=r"objects\.npz: expected arrays.*without objects"):
        data.read(path)


def test_damaged_file(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).integers(0, 255, (50, 8, 8), dtype=np.uint8))
    content = bytearray(path.read_bytes())
    content[400:440] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.npz: expected arrays"):
        data.read(path)
