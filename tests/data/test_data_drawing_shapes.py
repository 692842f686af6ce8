"""Drawn shapes: their areas, places, directions and symmetries."""

import numpy as np
import pytest
from scipy import optimize

from keras_vae.data.shapes import SHAPES, draw


def one(shape, radius=7.0, angle=0.0, x=0.0, y=0.0, side=32):
    values = (np.array([float(value)]) for value in (radius, angle, x, y))
    return draw(shape, *values, side=side)[0, :, :, 0]


def mass(image):
    """Return area, column and row of the center, in pixels from the image's center."""
    share = image / 255
    places = np.arange(len(image)) + 0.5 - len(image) / 2
    area = share.sum()
    return area, (share.sum(axis=0) @ places) / area, (share.sum(axis=1) @ places) / area


def heart_rim(angle):
    """Return how far (u² + v² − 1)³ = u² v³ is from the origin in a direction."""
    return optimize.brentq(
        lambda r: (r * r - 1) ** 3 - (r * np.cos(angle)) ** 2 * (r * np.sin(angle)) ** 3, 0.4, 2.0, xtol=1e-6
    )


def heart_area():
    """Return the area of a heart whose farthest points are 1 from the origin, summed in sectors."""
    rim = np.array([heart_rim(angle) for angle in np.linspace(0, 2 * np.pi, 1440, endpoint=False)])
    return np.pi * np.mean(rim**2) / rim.max() ** 2


def test_areas():
    # 16 × 16 points in each pixel: along a straight side of 10 pixels the error is at most 10/32 of a pixel, so 1.3 for
    # the four sides of a square.
    for shape, area in (("square", 2 * 49), ("ellipse", np.pi * 0.6 * 49), ("heart", heart_area() * 49)):
        for angle in (0.0, 0.3, 0.7):
            assert mass(one(shape, angle=angle, x=0.3, y=-0.2))[0] == pytest.approx(area, abs=1.3), shape


@pytest.mark.parametrize("shape", ["square", "ellipse"])
def test_places(shape):
    for x, y in ((0, 0), (3.3, -5.1), (-8.25, 8.25)):
        _, column, row = mass(one(shape, angle=0.4, x=x, y=y))
        assert (column, row) == (pytest.approx(x, abs=0.05), pytest.approx(y, abs=0.05))


def test_no_point_is_farther_than_the_radius_and_one_is_as_far():
    for shape in SHAPES:
        image = one(shape, radius=60, angle=0.2, side=128)
        rows, columns = np.nonzero(image)
        distance = np.hypot(rows + 0.5 - 64, columns + 0.5 - 64).max()
        assert 58.5 < distance < 61, shape


def test_angles_turn_counterclockwise_and_the_heart_stands_upright():
    for shape in SHAPES:
        np.testing.assert_array_equal(one(shape, angle=np.pi / 2), np.rot90(one(shape)))
    heart = one("heart") / 255
    # Of the curve, 1.236 high above its origin and 1 below: 6.1 pixels up and 4.9 down.
    assert np.flatnonzero(heart.sum(axis=1)).tolist() == list(range(9, 21))
    assert np.flatnonzero(heart[20]).tolist() == [15, 16]  # its tip
    ellipse = one("ellipse")
    assert np.count_nonzero(ellipse.any(axis=0)) > np.count_nonzero(ellipse.any(axis=1))  # it lies


def test_many_at_once_are_those_drawn_singly():
    rng = np.random.default_rng(0)
    values = rng.uniform([4, 0, -8, -8], [8, 3, 8, 8], [300, 4])
    images = draw("heart", *values.T)
    for i in (0, 255, 256, 299):
        np.testing.assert_array_equal(images[i, :, :, 0], one("heart", *values[i]))
