"""Simulation-based calibration: whether the posterior is right for simulated data, whose latents are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.stats
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm import tqdm

from keras_vae.evaluation.batches import rows_at_once
from keras_vae.evaluation.checks.rank_statistics import ecdf_band, normal_fit, uniformity_p_value
from keras_vae.evaluation.latents.codes import latent_names
from keras_vae.evaluation.likelihood.importance_weights import effective_samples
from keras_vae.evaluation.result import Result, Row
from keras_vae.inference import Densities
from keras_vae.inference.densities import total
from keras_vae.plots.drawing import Plot, number
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE

# The quantity that is not a latent.
JOINT = "log p(x, z)"
# An exact posterior fails the test in one of a hundred runs.
_LEVEL = 0.01
# Standard errors above which an offset or a spread is named.
_CLEAR = 3.0
_OTHER = "of another shape"
_FEW_SIMULATIONS = 100
# Effective samples per draw; with fewer, repeated draws distort the ranks.
_AMPLE = 10
_HISTOGRAMS, _NAMED = 8, 6


@dataclass(frozen=True, eq=False)
class SimulationCalibration(Result):
    """Ranks of the truth among draws from the posterior.

    Attributes:
        names: Names of the quantities: the latents, `latent 0` and so on, or of several groups `z1[0]` and so on; then
            log p(x, z).
        counts: Frequency of the ranks 0 … L, `[quantities, L + 1]`.
        p_values: p-values of the chi-square test of uniform ranks, times the number of tests, `[quantities]`.
        offsets: Mean distance of the truth from the posterior median, in its standard deviations, `[quantities]`.
        offset_errors: Standard errors of the offsets.
        spreads: Standard deviation of the truth around that, in standard deviations of the posterior, `[quantities]`.
        log_spread_errors: Standard errors of the logarithms of the spreads.
        importance_samples: Number of samples that the draws are resampled from; None for plain draws from q(z|x).
        effective_samples: Effective number of these samples, `[simulations]`; None for plain draws.
    """

    title: ClassVar[str] = "Simulation-based calibration"

    names: tuple[str, ...]
    counts: np.ndarray
    p_values: np.ndarray
    offsets: np.ndarray
    offset_errors: np.ndarray
    spreads: np.ndarray
    log_spread_errors: np.ndarray
    importance_samples: int | None
    effective_samples: np.ndarray | None = None

    @classmethod
    def of_ranks(
        cls,
        ranks: np.ndarray,
        names: Sequence[str],
        *,
        num_draws: int,
        importance_samples: int | None = None,
        effective_samples: np.ndarray | None = None,
    ) -> "SimulationCalibration":
        """Test and describe ranks `[simulations, quantities]`, integers from 0 to `num_draws`.

        Example:
            >>> ranks = np.arange(1000)[:, None] % 10
            >>> SimulationCalibration.of_ranks(ranks, ["z"], num_draws=9).verdicts
            ('no fault found',)
        """
        counts = np.stack([np.bincount(column, minlength=num_draws + 1) for column in ranks.T])
        fits = [normal_fit(row) for row in counts]
        return cls(
            names=tuple(names),
            counts=counts,
            p_values=np.array([min(1.0, len(counts) * uniformity_p_value(row)) for row in counts]),
            offsets=np.array([fit.offset for fit in fits]),
            offset_errors=np.array([fit.offset_error for fit in fits]),
            spreads=np.array([fit.spread for fit in fits]),
            log_spread_errors=np.array([fit.log_spread_error for fit in fits]),
            importance_samples=importance_samples,
            effective_samples=effective_samples,
        )

    @property
    def num_simulations(self) -> int:
        """Number of simulated pairs (x, z)."""
        return int(self.counts[0].sum())

    @property
    def calibrated(self) -> bool:
        """Whether no quantity fails the test, at the level 0.01 for all of them together."""
        return bool(np.all(self.p_values >= _LEVEL))

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The fault of each quantity, in a word or two."""
        return tuple(self._verdict(i) for i in range(len(self.names)))

    def _verdict(self, i: int) -> str:
        if self.p_values[i] >= _LEVEL:
            return "no fault found"
        found = []
        shifted = abs(self.offsets[i]) > _CLEAR * self.offset_errors[i]
        if self.names[i] == JOINT:  # its bias and width say little about the latents
            return "draws too " + ("improbable" if self.offsets[i] > 0 else "probable") if shifted else _OTHER
        if shifted:
            found.append("biased " + ("low" if self.offsets[i] > 0 else "high"))
        log_spread = np.log(self.spreads[i])
        if abs(log_spread) > _CLEAR * self.log_spread_errors[i]:
            found.append("overconfident" if log_spread > 0 else "underconfident")
        return ", ".join(found) or _OTHER

    def table(self) -> Sequence[Row]:
        """Return one line per quantity, worst first."""
        rows = [
            (
                self.names[i],
                f"{self.p_values[i]:.2g}",
                f"{number(self.offsets[i], '.2f')} ± {self.offset_errors[i]:.2f}",
                f"{self.spreads[i]:.2f} ± {self.spreads[i] * self.log_spread_errors[i]:.2f}",
                self._verdict(i),
            )
            for i in self._order
        ]
        return [("", "p", "offset, sd", "spread, sd", "verdict"), *rows]

    def warnings(self) -> Sequence[str]:
        """Warn about too few simulations, or too few effective samples."""
        found = []
        if self.num_simulations < _FEW_SIMULATIONS:
            found.append(f"{self.num_simulations} simulations only find gross faults; use several hundred")
        draws = self.counts.shape[1] - 1
        if self.effective_samples is not None and np.median(self.effective_samples) < _AMPLE * draws:
            found.append(
                f"{draws} draws are resampled from {self.importance_samples} samples with a median effective number of "
                f"{np.median(self.effective_samples):.0f}, so draws repeat, which alone moves ranks to both ends: use "
                f"fewer draws or more samples, until the effective number is {_AMPLE * draws}"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results, with the verdicts."""
        return {**super().to_dict(), "verdicts": list(self.verdicts), "calibrated": self.calibrated}

    @property
    def _order(self) -> np.ndarray:
        distance = np.abs(self.offsets) + np.abs(np.log(self.spreads))
        return np.lexsort([-distance, self.p_values])

    def figure(self) -> Figure:
        """Draw the ranks' distribution functions minus the uniform one, and histograms of the worst quantities."""
        shown = self._order[:_HISTOGRAMS]
        columns = min(4, len(shown))
        rows = -(-len(shown) // columns)
        figure = Plot(figsize=(max(6.0, 2.1 * columns), 3.0 + 1.6 * rows), layout="constrained")
        halves: Any = figure.subfigures(2, 1, height_ratios=[3.0, 1.6 * rows])
        above, below = halves
        self._draw_differences(above.subplots())
        axes = np.ravel(below.subplots(rows, columns, sharey=True, squeeze=False))
        for axis, i in zip(axes, shown, strict=False):
            self._draw_histogram(axis, i)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        return figure

    def _draw_differences(self, axis: Any) -> None:
        ranks = self.counts.shape[1]
        uniform = np.arange(1, ranks) / ranks
        low, high = ecdf_band(simulations=self.num_simulations, ranks=ranks)
        axis.fill_between(uniform, low - uniform, high - uniform, color="0.85", linewidth=0, label="uniform, 95 %")
        for place, i in enumerate(self._order):
            difference = np.cumsum(self.counts[i])[:-1] / self.num_simulations - uniform
            worst = {"label": self.names[i], "zorder": 3}
            axis.plot(uniform, difference, **(worst if place < _NAMED else {"color": "0.55", "linewidth": 0.8}))
        axis.axhline(0, color="0.3", linewidth=0.6)
        axis.set_xlabel("rank of the truth among the draws, as a fraction")
        axis.set_ylabel("share below − uniform")
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)

    def _draw_histogram(self, axis: Any, i: int) -> None:
        ranks = self.counts.shape[1]
        bins = min(20, ranks)
        place = np.arange(ranks) * bins // ranks
        heights, widths = np.bincount(place, weights=self.counts[i]), np.bincount(place)
        low, high = scipy.stats.binom.interval(0.95, self.num_simulations, widths / ranks)
        edges = np.arange(bins + 1) - 0.5
        axis.bar(range(bins), heights, 1.0, color="C3" if self.p_values[i] < _LEVEL else "C0")
        limits = (np.append(limit, limit[-1]) for limit in (low, high))
        axis.fill_between(edges, *limits, color="0.4", alpha=0.35, step="post", linewidth=0)
        axis.set_title(f"{self.names[i]}: {self._verdict(i)}", fontsize=7)
        axis.set_xticks([])


def simulation_calibration(
    model: VAE,
    *,
    num_simulations: int = 1000,
    num_draws: int = 99,
    importance_samples: int | None = None,
    condition: Any = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> SimulationCalibration:
    """Test the posterior on data from the model itself, whose latents are known.

    z ~ p(z), x ~ p(x|z), then L draws from q(z|x): if q is the exact posterior, the rank of each latent of z among its
    draws is uniform on 0 … L (Talts, Betancourt, Simpson, Vehtari & Gelman 2018, theorem 1). Each latent gets a
    chi-square test, and so does log p(x, z), without which a q(z|x) that ignores x and equals the prior would pass
    (Modrák et al. 2023). The p-values are multiplied by the number of tests (Bonferroni).

    This needs no data, and does not measure the fit of the model, only the inference *under* the model. No encoder is
    exact, and with enough simulations any encoder fails; offset and spread show the size of the fault. On average the
    truth lies `offset` posterior standard deviations above the posterior median (below 0: the posterior is biased
    high), and varies around that `spread` times as widely as the posterior (above 1: it is overconfident; an error of
    the mean that differs from x to x widens the ranks as well).

    Args:
        model: A VAE with continuous latents.
        num_simulations: Number of pairs (x, z) to simulate.
        num_draws: L, the number of draws from each posterior.
        importance_samples: If given, the L draws are resampled from this many, with weights p(x, z)/q(z|x) (Rubin
            1988): the posterior that `log_likelihood` effectively uses, closer to the exact one the more there are. If
            few samples carry the weight, draws repeat, and ranks move to both ends as with an overconfident posterior:
            the result warns if the effective samples are fewer than ten times the draws.
        condition: One y for all simulations, or one per simulation, `[num_simulations, ...]`; for a conditional model.
        batch_size: Largest number of simulations in a batch; smaller if their draws would take much memory.
        seed: Seed of all noise.
        verbose: Whether to show a progress bar.

    Returns:
        Counts of ranks, p-values, offsets and spreads.

    Raises:
        ValueError: If the latents are discrete, a number is not a positive integer, there are fewer importance samples
            than draws, or the condition does not fit the model.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> found = simulation_calibration(vae, num_simulations=200, num_draws=19, verbose=False)
        >>> found.names, found.counts.shape
        (('latent 0', 'latent 1', 'log p(x, z)'), (3, 20))
    """
    owner = "simulation_calibration"
    seed = seed_number(seed, owner)
    for family in model.encoder.families.values():
        if family.support.discrete:
            raise ValueError(
                f"{owner}: the latents cannot be ranked: expected continuous latents, received the "
                f"{family.support.name} ones of {type(family).__name__}. Use a model with continuous latents, such as "
                "keras_vae.families.Normal"
            )
    num_simulations = positive_integer(num_simulations, f"{owner}: num_simulations")
    num_draws = positive_integer(num_draws, f"{owner}: num_draws")
    proposals = num_draws
    if importance_samples is not None:
        proposals = positive_integer(importance_samples, f"{owner}: importance_samples")
        if proposals < num_draws:
            raise ValueError(
                f"{owner}: importance_samples is too small: expected {num_draws} or more, as num_draws, received "
                f"{proposals}"
            )
    if model.condition is not None:
        condition = model.condition.rows(condition, num_simulations)
    elif condition is not None:
        raise ValueError(f"{owner}: the model has no condition: expected condition=None, received one")

    @compiled
    def simulate(count: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _ranks(model, count, y, noise, num_draws, importance_samples)

    at_once = min(positive_integer(batch_size, f"{owner}: batch_size"), max(1, rows_at_once(model) // proposals))
    starts = range(0, num_simulations, at_once)
    found = []
    for chunk, start in enumerate(tqdm(starts, desc="calibration", unit="batch", disable=not verbose)):
        count = min(at_once, num_simulations - start)
        y = None if condition is None else tf.constant(condition[start : start + count])
        of_batch = simulate(tf.constant(count), y, streams.derive(seed, owner, chunk))
        found.append([part.numpy() for part in of_batch])
    ranks, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if model.latents.several:
        names = latent_names(model.latents)
    else:
        names = [f"latent {', '.join(map(str, index))}" for index in np.ndindex(*model.latent_shape)]
    weighed = None if importance_samples is None else effective
    return SimulationCalibration.of_ranks(
        ranks,
        [*names, JOINT],
        num_draws=num_draws,
        importance_samples=importance_samples,
        effective_samples=weighed,
    )


def _ranks(
    model: VAE,
    count: tf.Tensor,
    y: tf.Tensor | None,
    seed: tf.Tensor,
    num_draws: int,
    importance_samples: int | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the ranks of each latent and of log p(x, z), `[count, latents + 1]`, and effective samples, `[count]`."""
    of_z, of_x, of_draws, of_picks, of_ties = tf.unstack(tf.random.experimental.stateless_split(seed, 5))
    truth = model.sample_prior(count, seed=of_z, condition=y)
    x = model.likelihood(truth, condition=y).sample(seed=of_x)
    inference = model.infer(x, condition=y)

    def quantities(z: Any, densities: Densities) -> tf.Tensor:
        latents = inference.groups.flatten(z)
        return tf.transpose(tf.concat([latents, densities.log_joint[..., None]], -1), [1, 0, 2])

    draws = inference.sample(importance_samples or num_draws, of_draws)
    densities = inference.densities(draws)
    values = quantities(draws, densities)  # [count, draws, latents + 1]
    effective = tf.fill([count], tf.constant(num_draws, values.dtype))
    if importance_samples is not None:
        log_weights = values[..., -1] - tf.transpose(total(densities.log_posterior.values()))
        picked = tf.random.stateless_categorical(log_weights, num_draws, of_picks)
        values = tf.gather(values, picked, batch_dims=1)
        log_sums = [tf.reduce_logsumexp(power * log_weights, axis=1) for power in (1.0, 2.0)]
        effective = effective_samples(*log_sums)
    truth = tf.nest.map_structure(lambda value: value[None], truth)
    true_values = quantities(truth, inference.densities(truth))
    below = tf.reduce_sum(tf.cast(values < true_values, tf.int32), axis=1)
    ties = tf.reduce_sum(tf.cast(tf.equal(values, true_values), tf.int32), axis=1)
    # Equal values, such as log p(x, z) of a decoder that ignores z, are ordered randomly.
    lots = tf.random.stateless_uniform(tf.shape(ties), of_ties)
    return below + tf.cast(tf.floor(lots * tf.cast(ties + 1, lots.dtype)), tf.int32), effective
