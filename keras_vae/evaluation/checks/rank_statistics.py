"""What ranks say of a posterior: whether they are uniform, and how they are not."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats

from keras_vae.utils.arguments import seed_number

# Bins of the uniformity test: as many ranks as make ten expected a bin, but no more than these.
_MOST_BINS = 20
_EXPECTED = 10
# The normal scores of a truth's place, integrated over in steps; their tails go to the lowest and the highest rank.
_SCORES = np.linspace(-8.0, 8.0, 801)
_MOST_OFFSET, _MOST_LOG_SPREAD = 7.0, 3.0


class NormalFit(NamedTuple):
    """Where the truth lies, in the posterior's own standard deviations.

    Attributes:
        offset: Its mean distance from the posterior's median; below 0 if the posterior is too high.
        spread: Its standard deviation; above 1 if the posterior is too narrow.
        offset_error: Standard error of the offset.
        log_spread_error: Standard error of log spread.
    """

    offset: float
    spread: float
    offset_error: float
    log_spread_error: float


def uniformity_p_value(counts: np.ndarray) -> float:
    """Return the p-value of Pearson's chi-square test that all ranks are equally probable.

    Args:
        counts: How often each rank came up, `[ranks]`. Neighboring ranks share a bin, at most 20 bins in all.

    Example:
        >>> round(uniformity_p_value(np.array([40, 60])), 4)  # chi-square 4 with one degree of freedom
        0.0455
    """
    ranks, total = len(counts), counts.sum()
    bins = max(2, min(_MOST_BINS, ranks, int(total) // _EXPECTED))
    place = np.arange(ranks) * bins // ranks
    observed = np.bincount(place, weights=counts)
    # The bins may hold unequally many ranks.
    expected = np.bincount(place) * total / ranks
    return float(scipy.stats.chisquare(observed, expected).pvalue)


def normal_fit(counts: np.ndarray) -> NormalFit:
    """Fit offset and spread of the truth, as a normal variable in the posterior's normal scores.

    A truth at normal score w has a rank among L draws that is binomial(L, Φ(w)), so that w ~ N(offset, spread²) makes
    ranks whose probabilities are one integral each; the fit is by maximum likelihood. With offset 0 and spread 1 the
    ranks are uniform. Where posterior and truth are normal the fit is exact; else it names the shape that is nearest.

    Args:
        counts: How often each of the ranks 0 … L came up, `[L + 1]`.

    Example:
        >>> fit = normal_fit(np.full(100, 10))
        >>> round(abs(fit.offset), 2), round(fit.spread, 2)
        (0.0, 1.0)
    """
    binomial = _rank_probabilities(len(counts) - 1)
    step = _SCORES[1] - _SCORES[0]

    def probabilities(point: np.ndarray) -> np.ndarray:
        offset, spread = point[0], np.exp(point[1])
        # Mass of each cell rather than density, as the normal may be narrower than a step.
        edges = np.concatenate([_SCORES - step / 2, _SCORES[-1:] + step / 2])
        below = scipy.stats.norm.cdf(edges, offset, spread)
        found = binomial @ np.diff(below)
        found[0] += below[0]
        found[-1] += scipy.stats.norm.sf(edges[-1], offset, spread)
        return np.maximum(found, 1e-12)

    best = scipy.optimize.minimize(
        lambda point: -np.sum(counts * np.log(probabilities(point))) / np.sum(counts),
        np.zeros(2),
        method="L-BFGS-B",
        bounds=[(-_MOST_OFFSET, _MOST_OFFSET), (-_MOST_LOG_SPREAD, _MOST_LOG_SPREAD)],
    ).x
    errors = np.sqrt(np.diag(np.linalg.pinv(counts.sum() * _information(probabilities, best))))
    return NormalFit(float(best[0]), float(np.exp(best[1])), float(errors[0]), float(errors[1]))


@functools.lru_cache(maxsize=1)
def _rank_probabilities(draws: int) -> np.ndarray:
    """Return the probability of each rank at each score, `[draws + 1, scores]`."""
    return scipy.stats.binom.pmf(np.arange(draws + 1)[:, None], draws, scipy.stats.norm.cdf(_SCORES))


def _information(probabilities: Callable[[np.ndarray], np.ndarray], point: np.ndarray) -> np.ndarray:
    """Return the Fisher information of one rank about offset and log spread, `[2, 2]`."""
    step = 1e-4
    slopes = np.stack(
        [(probabilities(point + step * axis) - probabilities(point - step * axis)) / (2 * step) for axis in np.eye(2)]
    )
    return (slopes / probabilities(point)) @ slopes.T


def ecdf_band(*, simulations: int, ranks: int, coverage: float = 0.95, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return limits that the distribution function of uniform ranks keeps everywhere at once.

    The pointwise limits are binomial quantiles; their level is lowered until, of 2,000 sets of uniform ranks, the
    share `coverage` stays inside at every rank (Säilynoja, Bürkner & Vehtari 2022, by simulation).

    Args:
        simulations: How many ranks a set has.
        ranks: How many ranks there are, L + 1.
        coverage: Share of sets that stay inside.
        seed: Of the sets.

    Returns:
        The lowest and the highest share of ranks at or below each rank but the last, each `[ranks − 1]`.

    Example:
        >>> low, high = ecdf_band(simulations=100, ranks=2)  # one count of a fair coin
        >>> round(float(low[0]), 2), round(float(high[0]), 2)
        (0.4, 0.6)
    """
    probability = np.arange(1, ranks) / ranks
    sets = np.random.default_rng(seed_number(seed, "ecdf_band")).multinomial(
        simulations, np.full(ranks, 1 / ranks), size=2000
    )
    below = np.cumsum(sets, axis=1)[:, :-1]
    binomial = scipy.stats.binom(simulations, probability)
    rarest = 2 * np.minimum(binomial.cdf(below), binomial.sf(below - 1)).min(axis=1)
    # A little less, since the level is itself the probability of a count, which lies inside.
    level = (1 - 1e-9) * np.quantile(rarest, 1 - coverage, method="lower")
    return binomial.ppf(level / 2) / simulations, binomial.isf(level / 2) / simulations
