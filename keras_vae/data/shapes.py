"""`shapes`: a synthetic TFDS set of shapes with known factors of variation, and the code that draws it."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from keras_vae.data.prepare_once import prepare_once

# Returns which points (u, v), v upward, lie inside a shape whose farthest points are at distance 1 from the origin.
_Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]
_ELLIPSE_WIDTH = 0.6
# The farthest points of (u² + v² − 1)³ = u² v³ are 1.425 from the origin.
_HEART = 1.425
# Sample points along each side of a pixel.
_FINE = 16


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) <= np.sqrt(0.5)


def _ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u**2 + (v / _ELLIPSE_WIDTH) ** 2 <= 1


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    u, v = _HEART * u, _HEART * v
    u2, v2 = u * u, v * v
    ring = u2 + v2 - 1
    return ring * ring * ring <= u2 * v2 * v


SHAPES: dict[str, _Inside] = {"square": _square, "ellipse": _ellipse, "heart": _heart}


def draw(shape: str, radius: np.ndarray, angle: np.ndarray, x: np.ndarray, y: np.ndarray, side: int = 32) -> np.ndarray:
    """Draw one shape at many positions.

    Args:
        shape: "square", "ellipse" (0.6 times as wide as long, lying) or "heart" (upright).
        radius: From the center to the farthest point, in pixels, `[n]`.
        angle: Counterclockwise, in radians, `[n]`.
        x: Of the center, in pixels to the right of the image's center, `[n]`, within the image.
        y: Of the center, in pixels below the image's center, `[n]`, within the image.
        side: Of the image, in pixels.

    Returns:
        `[n, side, side, 1]` uint8: the part of each pixel that the shape covers, from 16 × 16 points, times 255.

    Example:
        >>> image = draw("square", np.array([2**0.5]), np.zeros(1), np.zeros(1), np.zeros(1), side=4)
        >>> image[0, :, :, 0]
        array([[  0,   0,   0,   0],
               [  0, 255, 255,   0],
               [  0, 255, 255,   0],
               [  0,   0,   0,   0]], dtype=uint8)
    """
    column, row = (np.floor(place + side / 2).astype(np.int64) for place in (x, y))
    within = np.stack([radius, angle, x + side / 2 - column, y + side / 2 - row], axis=1)
    # Many images show the same picture shifted by whole pixels.
    different, which = np.unique(within, axis=0, return_inverse=True)
    reach = int(np.ceil(radius.max())) + 1
    pictures = np.stack([_picture(SHAPES[shape], reach, *one) for one in different])
    images = np.zeros([len(x), side + 2 * reach, side + 2 * reach], np.uint8)
    span = np.arange(2 * reach)
    rows, columns = (place[:, None] + span for place in (row, column))
    images[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]] = pictures[which.reshape(-1)]
    return images[:, reach:-reach, reach:-reach, None]


def _picture(inside: _Inside, reach: int, radius: float, angle: float, x: float, y: float) -> np.ndarray:
    """Draw a shape with its center x to the right of and y below the center of `[2 reach, 2 reach]` pixels."""
    points = (np.arange(2 * reach * _FINE) + 0.5) / _FINE - reach
    right, up = (points - x)[None, :] / radius, (y - points)[:, None] / radius
    cos, sin = np.cos(angle), np.sin(angle)
    found = inside(right * cos + up * sin, up * cos - right * sin)
    share = found.reshape(2 * reach, _FINE, 2 * reach, _FINE).mean(axis=(1, 3))
    return np.rint(255 * share).astype(np.uint8)


SIDE = 32
RADII = (4.5, 5.5, 6.5, 7.5)  # pixels
ROTATIONS = 6
POSITIONS = 12
STEP = 1.5  # pixels

_TEST_SHARE = 0.1
_SIZES = (len(SHAPES), len(RADII), ROTATIONS, POSITIONS, POSITIONS)

_DESCRIPTION = """\
All 10,368 images that five factors make: shape (square, ellipse, heart), scale (4: the farthest point of the shape lies
4.5, 5.5, 6.5 or 7.5 pixels from its center), rotation (6: 0 to 75 degrees counterclockwise, in steps of 15), x and y
(12 each, in steps of 1.5 pixels to the right and down). White on black, 32 x 32, 8 bits, edges smoothed. After 90
degrees a square looks as before, so rotation ends short of that for all shapes and no two images are equal; the square
at 75 degrees is a step away from the square at 0. A tenth of the images, drawn by a seeded generator, is the split
"test" (1,037 images) and the rest "train" (9,331); "all" is the whole grid, on which the factors are independent.
Binarized at random, the smooth edges carry 15.9 nats of noise an image, which no model can reconstruct."""

_CITATION = """\
@misc{dsprites17,
  author={Loic Matthey and Irina Higgins and Demis Hassabis and Alexander Lerchner},
  title={dSprites: Disentanglement testing Sprites dataset},
  howpublished={https://github.com/deepmind/dsprites-dataset/},
  year={2017},
  note={the larger set after which this one is modeled; its images are not used}
}"""


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Builds `shapes`: image `[32, 32, 1]` uint8, and the labels label_shape, _scale, _rotation, _x and _y."""

    name = "shapes"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Three shapes, four scales, six rotations, 12 x 12 places."}  # noqa: RUF012

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Prepare the set once, across processes."""
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
