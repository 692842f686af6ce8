import sys

import numpy as np
import pytest
import scipy.spatial.distance

from keras_vae.evaluation.samples.distances import precision_recall

# A function of the same name may hide the module.
module = sys.modules["keras_vae.evaluation.samples.distances"]

LINE = np.arange(10.0)[:, None]


@pytest.mark.parametrize(
    ("generated", "wanted"),
    [
        (LINE + 0.25, (1.0, 1.0)),
        (LINE + 100, (0.0, 0.0)),
        (np.concatenate([LINE, LINE]), (1.0, 1.0)),  # twice the data, nothing else
        # All at one end: as real as can be, and with balls of radius 0.01 that hold one real point.
        (np.array([0.0, 0.01, 0.02, 0.03])[:, None], (1.0, 0.1)),
        # Half of them far off; the other half, each a real point, cover all between them.
        (np.concatenate([LINE, 1000 + LINE]), (0.5, 1.0)),
        # Real ones are 1 apart: 0.9 beyond the end is inside the last ball, 1.1 is not.
        (np.array([9.9, 10.1])[:, None], (0.5, 0.0)),
    ],
)
def test_by_hand(generated, wanted):
    assert precision_recall(LINE, generated, neighbors=1) == wanted
    assert precision_recall(generated, LINE, neighbors=1) == wanted[::-1]


def test_more_neighbors_make_wider_balls():
    beyond = np.array([[11.5], [11.6], [50.0], [51.0]])
    assert precision_recall(LINE, beyond, neighbors=1)[0] == 0
    assert precision_recall(LINE, beyond, neighbors=3)[0] == 0.5  # the end's third neighbor is 3 away


def test_against_all_distances(monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 7)
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=[50, 5]), 0.7 + rng.normal(size=[40, 5])

    def share(manifold, points):
        radii = np.sort(scipy.spatial.distance.cdist(manifold, manifold), axis=1)[:, 3]
        return np.mean([any(np.linalg.norm(p - m) <= r for m, r in zip(manifold, radii, strict=True)) for p in points])

    found = precision_recall(real, generated)
    assert found == (share(real, generated), share(generated, real))
    assert 0 < found[0] < 1


def test_bad_sets_are_refused():
    with pytest.raises(ValueError, match=r"n above 3 for 3 neighbors; received shapes \(3, 1\) and \(10, 1\)"):
        precision_recall(LINE[:3], LINE)
    with pytest.raises(ValueError, match="wanted two sets"):
        precision_recall(LINE, np.zeros([10, 2]))
