"""Groups of rows that have the value of a factor in common: interventions, made of the data there is."""

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.inputs import numbered


class Groups:
    """Draws groups of rows that have the value of one factor in common.

    The value is that of a row drawn at random, and the group's rows are drawn from all that have it, independently and
    with replacement. Over a whole grid of factors this is what a simulator gives that keeps one factor and draws the
    others; in other data the others follow their distribution given that value.

    Args:
        factors: `[n, k]` integers.
    """

    def __init__(self, factors: np.ndarray) -> None:
        self._values, sizes = numbered(factors)
        self._order = np.argsort(self._values, axis=0, kind="stable")
        self._counts = [np.bincount(column, minlength=size) for column, size in zip(self._values.T, sizes, strict=True)]

    def draw(self, column: int, groups: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows, `[groups, size]`; those of a group share the value of the factor in `column`.

        Example:
            >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
            >>> rows = Groups(factors).draw(0, groups=2, size=8, rng=np.random.default_rng(0))
            >>> rows.shape, np.ptp(factors[rows, 0], axis=1).tolist()
            ((2, 8), [0, 0])
        """
        counts = self._counts[column]
        value = self._values[rng.integers(len(self._values), size=[groups, 1]), column]
        first = np.cumsum(counts) - counts
        return self._order[first[value] + rng.integers(counts[value], size=[groups, size]), column]
