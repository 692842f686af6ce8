"""Rank statistics: whether ranks are uniform, and in which way they are not."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats

from keras_vae.utils.arguments import seed_number
from keras_vae.utils.seeds import generator

# Bins of the uniformity test: at least ten ranks expected per bin, and no more bins than this.
_MOST_BINS = 20
_EXPECTED = 10
# Grid of normal scores for the integral; the tails go to the lowest and the highest rank.
_SCORES = np.linspace(-8.0, 8.0, 801)
_MOST_OFFSET, _MOST_LOG_SPREAD = 7.0, 3.0


class NormalFit(NamedTuple):
    """The position of the truth, in standard deviations of the posterior.

    Attributes:
        offset: Mean distance of the truth from the posterior median; below 0 if the posterior is too high.
        spread: Standard deviation of the truth; above 1 if the posterior is too narrow.
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
        counts: Frequency of each rank, `[ranks]`. Neighboring ranks share a bin; there are at most 20 bins.

    Example:
        >>> round(uniformity_p_value(np.array([40, 60])), 4)  # chi-square 4 with one degree of freedom
        0.0455
    """
    ranks, total = len(counts), counts.sum()
    bins = max(2, min(_MOST_BINS, ranks, int(total) // _EXPECTED))
    place = np.arange(ranks) * bins // ranks
    observed = np.bincount(place, weights=counts)
    # Bins can hold different numbers of ranks.
    expected = np.bincount(place) * total / ranks
    return float(scipy.stats.chisquare(observed, expected).pvalue)


def normal_fit(counts: np.ndarray) -> NormalFit:
    """Fit the offset and spread of the truth, as a normal variable in normal scores of the posterior.

    A truth at normal score w has rank binomial(L, Φ(w)) among L draws, so w ~ N(offset, spread²) gives each rank a
    probability that is one integral; the fit is by maximum likelihood. With offset 0 and spread 1 the ranks are
    uniform. If posterior and truth are normal, the fit is exact; otherwise it finds the nearest such shape.

    Args:
        counts: Frequency of the ranks 0 … L, `[L + 1]`.

    Example:
        >>> fit = normal_fit(np.full(100, 10))
        >>> round(abs(fit.offset), 2), round(fit.spread, 2)
        (0.0, 1.0)
    """
    binomial = _rank_probabilities(len(counts) - 1)
    step = _SCORES[1] - _SCORES[0]

    def probabilities(point: np.ndarray) -> np.ndarray:
        offset, spread = point[0], np.exp(point[1])
        # Mass of each cell instead of density, because the normal can be narrower than a step.
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
    """Return simultaneous limits for the distribution function of uniform ranks.

    The pointwise limits are binomial quantiles; their level is lowered until, of 2,000 sets of uniform ranks, the
    share `coverage` stays inside at all ranks (Säilynoja, Bürkner & Vehtari 2022, by simulation).

    Args:
        simulations: Number of ranks in a set.
        ranks: Number of possible ranks, L + 1.
        coverage: Share of sets that stay inside.
        seed: Seed of the sets.

    Returns:
        The lowest and the highest share of ranks at or below each rank but the last, each `[ranks − 1]`.

    Example:
        >>> low, high = ecdf_band(simulations=100, ranks=2)  # one count of a fair coin
        >>> round(float(low[0]), 2), round(float(high[0]), 2)
        (0.4, 0.6)
    """
    probability = np.arange(1, ranks) / ranks
    sets = generator(seed_number(seed, "ecdf_band"), "ecdf_band").multinomial(
        simulations, np.full(ranks, 1 / ranks), size=2000
    )
    below = np.cumsum(sets, axis=1)[:, :-1]
    binomial = scipy.stats.binom(simulations, probability)
    rarest = 2 * np.minimum(binomial.cdf(below), binomial.sf(below - 1)).min(axis=1)
    # Slightly less, because the level is the probability of a count that lies inside.
    level = (1 - 1e-9) * np.quantile(rarest, 1 - coverage, method="lower")
    return binomial.ppf(level / 2) / simulations, binomial.isf(level / 2) / simulations
