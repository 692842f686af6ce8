"""Folders of image files."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from keras_vae import data

RNG = np.random.default_rng(0)


def draw(path, size=(6, 8), color=False, mode=None, **kwargs):
    pixels = RNG.integers(0, 256, (*size, 3) if color else size, dtype=np.uint8)
    image = Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.convert(mode) if mode else image).save(path, **kwargs)
    return pixels


def test_files_are_read_in_order_of_their_paths(tmp_path):
    expected = {name: draw(tmp_path / name) for name in ["b.png", "a/z.bmp", "c/d/e.PNG", "a.gif"]}
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._b.png").write_bytes(b"left by a Mac")
    read = data.read(tmp_path, "all")
    paths = sorted(tmp_path / name for name in expected)
    assert read.image_shape == (6, 8, 1)
    assert read.labels is None
    for image, path in zip(read.images, paths, strict=True):
        np.testing.assert_array_equal(image[..., 0], expected[path.relative_to(tmp_path).as_posix()])


def test_one_color_image_makes_all_rgb(tmp_path):
    gray = draw(tmp_path / "a.png")
    color = draw(tmp_path / "b.png", color=True)
    read = data.read(tmp_path, "all")
    np.testing.assert_array_equal(read.images[0], np.repeat(gray[..., None], 3, axis=-1))
    np.testing.assert_array_equal(read.images[1], color)


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGBA", 3), ("RGB", 3)])
def test_modes(tmp_path, mode, channels):
    draw(tmp_path / "a.png", color=channels == 3, mode=mode)
    assert data.read(tmp_path, "all").image_shape == (6, 8, channels)


def test_gray_palette_is_gray(tmp_path):
    pixels = RNG.integers(0, 4, (6, 8), dtype=np.uint8)
    image = Image.fromarray(pixels, mode=None).convert("P")
    image.putpalette([200, 200, 200, 10, 10, 10, 90, 90, 90, 0, 0, 0])
    image.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as saved:
        assert saved.mode == "P"
    read = data.read(tmp_path, "all")
    np.testing.assert_array_equal(read.images[0, ..., 0], np.array([200, 10, 90, 0])[pixels])


def test_jpeg(tmp_path):
    draw(tmp_path / "a.jpg", color=True)
    draw(tmp_path / "b.jpeg", color=True, mode="CMYK")
    assert data.read(tmp_path, "all").images.shape == (2, 6, 8, 3)


def test_split_folders_and_classes(tmp_path):
    for name in ["train/cat/1.png", "train/dog/2.png", "test/bird/3.png", "test/dog/4.png"]:
        draw(tmp_path / name)
    assert data.read(tmp_path, "train").labels.tolist() == [1, 2]
    assert data.read(str(tmp_path), "test").labels.tolist() == [0, 2]
    assert len(data.read(tmp_path, "all")) == 4
    batch = next(iter(data.load(tmp_path, "test", with_labels=True)))
    assert batch[1].numpy().tolist() == [0, 2]
    with pytest.raises(
        ValueError, match="expected a split with images, 'test', 'train' or 'all', received 'validation'"
    ):
        data.read(tmp_path, "validation")


def test_split_by_name(tmp_path):
    names = [f"{i}.png" for i in range(40)]
    for name in names:
        draw(tmp_path / name)
    in_test = [int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 == 0 for name in names]
    assert 1 <= sum(in_test) <= 10
    train, test = data.read(tmp_path, "train"), data.read(tmp_path, "test")
    assert (len(train), len(test)) == (40 - sum(in_test), sum(in_test))
    everything = {image.tobytes() for image in data.read(tmp_path, "all").images}
    assert {i.tobytes() for i in train.images} | {i.tobytes() for i in test.images} == everything
    kept = names[in_test.index(True)]
    for name in names:
        if name != kept:
            (tmp_path / name).unlink()
    assert len(data.read(tmp_path, "test")) == 1  # the others' absence moves no file
    with pytest.raises(ValueError, match="expected a split with images, 'test' or 'all', received 'train'"):
        data.read(tmp_path, "train")


def test_labels_need_sub_folders(tmp_path):
    draw(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"without them.*subfolder for each class"):
        data.load(tmp_path, "all", with_labels=True)


def test_sizes(tmp_path):
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png", size=(5, 8))
    with pytest.raises(ValueError, match=r"a\.png of 6x8 .*b\.png of 5x8.*image_size"):
        data.read(tmp_path, "all")
    assert data.read(tmp_path, "all", image_size=(3, 4)).image_shape == (3, 4, 1)


def test_resizing_keeps_flat_gray(tmp_path):
    Image.new("L", (8, 6), 77).save(tmp_path / "a.png")
    assert np.unique(data.read(tmp_path, "all", image_size=(12, 5)).images).tolist() == [77]


@pytest.mark.parametrize("image_size", [(0, 4), (4,), 4, (4.0, 4)])
def test_bad_image_size(tmp_path, image_size):
    draw(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"image_size: expected two positive integers"):
        data.read(tmp_path, "all", image_size=image_size)


def test_files_that_cannot_be_read(tmp_path):
    draw(tmp_path / "a.png")
    whole = tmp_path / "b.png"
    draw(whole, size=(60, 80))
    content = whole.read_bytes()
    for damaged in (content[: len(content) // 2], b"not an image", b""):
        whole.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"b\.png: expected an image"):
            data.read(tmp_path, "all")


def test_16_bit_images_are_refused(tmp_path):
    Image.fromarray(np.full((6, 8), 40000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png.*more than 8 bits"):
        data.read(tmp_path, "all")


def test_no_images(tmp_path):
    with pytest.raises(ValueError, match=r"expected files named .*\.png"):
        data.read(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.read(tmp_path / "nowhere")
    (tmp_path / "file.dat").write_text("")
    with pytest.raises(ValueError, match=r"received .*file\.dat', another kind"):
        data.read(tmp_path / "file.dat")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path, orientation):
    """The corners of an image, written for each of EXIF's orientations (Exif 2.32, section 4.6.4 A)."""
    upright = np.kron(np.array([[0, 80, 160], [240, 120, 40]], np.uint8), np.ones([8, 8], np.uint8))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),  # the camera was turned: row 0 is on the right
        7: np.rot90(upright.T, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(data.read(tmp_path, "all").images[0, ..., 0], upright)


def test_webp_in_gray_and_in_color(tmp_path):
    gray = draw(tmp_path / "a.webp", lossless=True)
    np.testing.assert_array_equal(data.read(tmp_path, "all").images[0, ..., 0], gray)
    color = draw(tmp_path / "b.WEBP", color=True, lossless=True, format="WEBP")
    found = data.read(tmp_path, "all")  # by path: "a.webp", then "b.WEBP"
    np.testing.assert_array_equal(found.images[1], color)
    np.testing.assert_array_equal(found.images[0], np.repeat(gray[..., None], 3, axis=-1))


def test_what_is_skipped_is_said(tmp_path):
    for name in ("train/cat/1.png", "test/cat/2.png", "loose.png"):
        draw(tmp_path / name)
    for name in ("notes.txt", "train/cat/raw.tiff", "train/more.pdf", ".hidden"):
        (tmp_path / name).write_text("no image")
    with pytest.warns(UserWarning, match="skipped") as caught:
        assert len(data.read(tmp_path, "all")) == 2
    assert [str(w.message) for w in caught] == [
        f"folder '{tmp_path}': expected files named .bmp, .gif, .jpeg, .jpg, .png, .webp, received 4 other files, "
        "skipped: loose.png, notes.txt, train/cat/raw.tiff, .... Convert or remove them."
    ]
