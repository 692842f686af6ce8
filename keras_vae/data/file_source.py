"""Images in files: a folder of them, or one NumPy `.npz` file."""

import hashlib
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from keras_vae.data.array_source import from_array
from keras_vae.data.examples import Examples, UnknownSplitError, check_memory
from keras_vae.utils.arguments import counted, one_line

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_NAMED = 3
_SPLITS = ("train", "test")
_SHOW_PROGRESS_ABOVE = 1000


def from_folder(folder: Path, split: str, image_size: tuple[int, int] | None = None) -> Examples:
    """Read the png, jpg, jpeg, webp, bmp and gif files of a folder and its subfolders, sorted by path.

    Splits: if there is a subfolder `train` or `test`, each split is the subfolder with its name. Otherwise a file
    belongs to "test" if the SHA-256 of its path within the folder, read as a number, is a multiple of 10, and to
    "train" if not: about one file in ten, independent of the other files. "all" is every file.

    Labels: if all files of the split are in subfolders, the label is the position of the subfolder's name among the
    sorted names of all subfolders, in both splits.

    Pixels: gray stays gray; if any image has colors, all become RGB. Transparency is dropped. A photograph is turned as
    its EXIF orientation says. Only the first frame of an animation is read.

    Other files are skipped with a warning, but for hidden ones, whose names begin with a dot. So are images next to the
    folders `train` and `test`.

    Args:
        folder: The folder.
        split: "train", "test" or "all", or the name of a subfolder next to `train` or `test`.
        image_size: `(height, width)` to resize to; None if all images already have one size.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no images for the split, a file cannot be read, or the sizes differ.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected a folder of images, received {str(folder)!r}, which does not exist. Check the path."
        )
    if image_size is not None and not _is_size(image_size):
        raise ValueError(
            f"image_size: expected two positive integers, (height, width), received {one_line(image_size)}. "
            "Use (64, 64)."
        )
    files, labels = _choose(folder, split)
    name = f"folder {str(folder)!r}, split {split!r}"
    pixels: list[np.ndarray] = []
    for file in tqdm(files, desc=folder.name, unit="image", disable=len(files) <= _SHOW_PROGRESS_ABOVE):
        pixels.append(_read(file, image_size))
        size, first = pixels[-1].shape[:2], pixels[0].shape[:2]
        if size != first:
            raise ValueError(
                f"{name}: expected images of one size, received {files[0]} of {first[0]}x{first[1]} (height x width) "
                f"and {file} of {size[0]}x{size[1]}. Pass image_size=(height, width) to resize them all."
            )
        if len(pixels) == 1:
            check_memory(pixels[0].nbytes * len(files), name)
    color = any(p.ndim == 3 for p in pixels)
    images = np.stack([np.repeat(p[..., None], 3, axis=-1) if color and p.ndim == 2 else p for p in pixels])
    return from_array(images, labels, name)


def _is_size(size: object) -> bool:
    return isinstance(size, Sequence) and len(size) == 2 and all(isinstance(s, int) and s > 0 for s in size)


def _choose(folder: Path, split: str) -> tuple[list[Path], np.ndarray | None]:
    """Return the split's files, sorted, and their labels."""
    visible = sorted(f for f in folder.rglob("*") if _visible(f, folder))
    files = [f for f in visible if f.suffix.lower() in _SUFFIXES]
    split_folders = any((folder / s).is_dir() for s in _SPLITS)
    if split_folders:
        files = [f for f in files if f.parent != folder]
    if not files:
        raise ValueError(
            f"folder {str(folder)!r}: expected files named {', '.join(_SUFFIXES)}, received none. Check the path."
        )
    _say_what_is_skipped(folder, [f for f in visible if f not in set(files)])
    inner = [f.relative_to(folder).parts[1 if split_folders else 0 :] for f in files]
    classes = sorted({parts[0] for parts in inner if len(parts) > 1})
    kept = [i for i, f in enumerate(files) if split == "all" or _split_of(f, folder, split_folders) == split]
    if not kept:
        present = sorted({_split_of(f, folder, split_folders) for f in files})
        raise UnknownSplitError(
            f"folder {str(folder)!r}: expected a split with images, {', '.join(map(repr, present))} or 'all', received "
            f"{split!r}. Use one of these."
        )
    labels = None
    if all(len(inner[i]) > 1 for i in kept):
        labels = np.array([classes.index(inner[i][0]) for i in kept])
    return [files[i] for i in kept], labels


def _say_what_is_skipped(folder: Path, files: list[Path]) -> None:
    if files:
        names = ", ".join(f.relative_to(folder).as_posix() for f in files[:_NAMED])
        more = ", ..." if len(files) > _NAMED else ""
        warnings.warn(
            f"folder {str(folder)!r}: expected files named {', '.join(_SUFFIXES)}, received "
            f"{counted(len(files), 'other file')}, skipped: {names}{more}. Convert or remove them.",
            stacklevel=5,
        )


def _visible(file: Path, folder: Path) -> bool:
    """Return whether no part of the path is hidden: macOS leaves `._name.png` files that are not images."""
    return file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _split_of(file: Path, folder: Path, split_folders: bool) -> str:
    path = file.relative_to(folder)
    if split_folders:
        return path.parts[0]
    digest = hashlib.sha256(path.as_posix().encode()).digest()
    return "test" if int.from_bytes(digest, "big") % 10 == 0 else "train"


def _read(file: Path, image_size: tuple[int, int] | None) -> np.ndarray:
    """Return `[height, width]` for a gray image, `[height, width, 3]` for one with colors."""
    try:
        with Image.open(file) as opened:
            if opened.mode.startswith(("I", "F")):
                raise ValueError(f"more than 8 bits per pixel, mode {opened.mode}")
            stores_gray = opened.format != "WEBP" and opened.mode not in ("P", "PA")
            upright = ImageOps.exif_transpose(opened)
            image = upright.convert("L" if upright.mode in ("1", "L", "LA") else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, struct.error) as error:
        raise ValueError(
            f"{file}: expected an image of 8 bits per pixel, received {error}. Convert or remove it."
        ) from error
    if not stores_gray and (np.asarray(image) == np.asarray(image)[..., :1]).all():
        image = image.getchannel(0)
    if image_size is not None:
        height, width = image_size
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def from_npz(path: Path, split: str) -> Examples:
    """Read images, and labels where there are any, from an `.npz` file.

    The file has either one array per split, `x_train` and `x_test` (labels `y_train` and `y_test`), like Keras's
    `mnist.npz`, or one array `x` or `images` (labels `y` or `labels`) for the splits "train" and "all".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has no images for the split, or `from_array` rejects them.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"expected an .npz file of images, received {str(path)!r}, which does not exist. Check the path."
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: expected an .npz file, received another kind of file. Write it with np.savez.")
    with np.load(path, allow_pickle=False) as arrays:
        x, y = _keys(arrays.files, split, path)
        try:
            images, labels = arrays[x], arrays[y] if y in arrays.files else None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise ValueError(
                f"{path}: expected arrays of numbers, received {error}. Write it with np.savez, without objects."
            ) from error
    return from_array(images, labels, f"{path}[{x!r}]")


def _keys(found: list[str], split: str, path: Path) -> tuple[str, str]:
    """Return the keys of the split's images and labels."""
    candidates = [(f"x_{split}", f"y_{split}")]
    if split in ("train", "all"):
        candidates += [("x", "y"), ("images", "labels")]
    for keys in candidates:
        if keys[0] in found:
            return keys
    raise UnknownSplitError(
        f"{path}: expected images for split {split!r} under the key 'x_{split}' (labels 'y_{split}'), or 'x' ('y') or "
        f"'images' ('labels') for the splits 'train' and 'all', received the keys {sorted(found)}. For a file with one "
        "array, pass split='all'."
    )
