import numpy as np
import pytest

from keras_vae.evaluation.missing.hidden_pixels import masks

IMAGE = (4, 6, 3)


@pytest.mark.parametrize(
    ("side", "share", "rows", "columns"),
    [
        ("top", 0.5, [0, 1], range(6)),
        ("bottom", 0.25, [3], range(6)),
        ("left", 0.5, range(4), [0, 1, 2]),
        ("right", 0.3, range(4), [4, 5]),
        ("left", 0.01, range(4), [0]),
    ],
)
def test_sides(side, share, rows, columns):
    found = masks(side, share=share, event_shape=IMAGE, joint=0, seed=0)(0, 0, 2)
    wanted = np.zeros([2, *IMAGE], bool)
    wanted[:, np.array(rows)[:, None], np.array(columns)] = True
    np.testing.assert_array_equal(found, wanted)


def test_random_pixels_hide_all_channels_and_are_repeatable():
    rule = masks("pixels", share=0.3, event_shape=IMAGE, joint=0, seed=7)
    found = rule(2, 200, 500)
    assert found.shape == (500, *IMAGE)
    np.testing.assert_array_equal(found.any(axis=-1), found.all(axis=-1))
    assert found.mean() == pytest.approx(0.3, abs=0.02)  # 12,000 pixels: standard error 0.004
    assert len(np.unique(found.reshape(500, -1), axis=0)) > 490
    np.testing.assert_array_equal(found, masks("pixels", share=0.3, event_shape=IMAGE, joint=0, seed=7)(2, 200, 500))
    assert not np.array_equal(found, rule(3, 200, 500))
    assert not np.array_equal(found, masks("pixels", share=0.3, event_shape=IMAGE, joint=0, seed=8)(2, 200, 500))


def test_values_of_a_vector_are_hidden_one_by_one():
    found = masks("pixels", share=0.5, event_shape=(5,), joint=0, seed=0)(0, 0, 100)
    assert found.any(axis=1).mean() > 0.5 > found.all(axis=1).mean()


def test_given_masks_follow_the_examples():
    given = np.random.default_rng(0).random([5, 3]) < 0.5
    rule = masks(given, share=0.5, event_shape=(3,), joint=0, seed=0)
    np.testing.assert_array_equal(rule(1, 2, 3), given[2:5])
    np.testing.assert_array_equal(
        masks(given[0], share=0.5, event_shape=(3,), joint=0, seed=0)(1, 2, 3), given[[0, 0, 0]]
    )
    with pytest.raises(ValueError, match="received 5 masks"):
        rule(1, 3, 3)


@pytest.mark.parametrize(
    ("hidden", "share", "shape", "joint", "match"),
    [
        ("middle", 0.5, IMAGE, 0, "expected.*received 'middle'"),
        ("top", 0.5, (5,), 0, r"for images.*\(5,\)"),
        ("pixels", 1.0, IMAGE, 0, "share.*1.0"),
        (np.ones(IMAGE), 0.5, IMAGE, 0, "float64"),
        (np.ones([2, 3], bool), 0.5, IMAGE, 0, r"wrong shape: .*received \(2, 3\)"),
        (np.zeros(IMAGE, bool), 0.5, IMAGE, 0, "False everywhere"),
        (np.arange(72).reshape(IMAGE) == 0, 0.5, IMAGE, 1, "whole pixels"),
    ],
)
def test_bad_masks_are_refused(hidden, share, shape, joint, match):
    with pytest.raises(ValueError, match=match):
        masks(hidden, share=share, event_shape=shape, joint=joint, seed=0)
