"""Bidirectional Monte Carlo: bounds on log p(x) from both sides, for data simulated from the model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm import tqdm

from keras_vae.evaluation.likelihood import annealing
from keras_vae.evaluation.likelihood.annealed_importance_sampling import log_mean_and_effective, prepare, read_settings
from keras_vae.evaluation.result import Result, Row, plain
from keras_vae.plots.drawing import Plot, number
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE

# Nats; published models often differ by less.
_WIDE = 0.5


@dataclass(frozen=True, eq=False)
class Bidirectional(Result):
    """Bounds on log p(x) from below and above, for x simulated from the model, in nats.

    Attributes:
        lower: Lower bounds, by annealing from prior to posterior, `[examples]`.
        upper: Upper bounds, by annealing from an exact posterior sample to the prior, `[examples]`.
        x: The simulated data, `[examples, *event]`; not in `to_dict`.
        num_chains: Chains per example and direction.
        num_steps: T, the number of temperatures.
        acceptance_rates: Share of accepted transitions in both directions, `[examples]`.
        effective_chains: Effective number of chains, the fewer of both directions, `[examples]`.
    """

    title: ClassVar[str] = "Bidirectional check of annealed importance sampling, on simulated data"

    lower: np.ndarray
    upper: np.ndarray
    x: np.ndarray
    num_chains: int
    num_steps: int
    acceptance_rates: np.ndarray
    effective_chains: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """Upper minus lower bound, `[examples]`."""
        return self.upper - self.lower

    @property
    def gap(self) -> float:
        """Mean gap: on average at least the error of the lower bound."""
        return float(np.mean(self.gaps, dtype=np.float64))

    @property
    def gap_error(self) -> float:
        """Standard error of the mean gap, over examples."""
        return _error(self.gaps)

    def table(self) -> Sequence[Row]:
        """Return both bounds and the gap between them."""
        return [
            ("", "nats", "± s.e."),
            ("log p(x), lower bound", number(np.mean(self.lower), ".2f"), f"{_error(self.lower):.2f}"),
            ("log p(x), upper bound", number(np.mean(self.upper), ".2f"), f"{_error(self.upper):.2f}"),
            ("gap", number(self.gap, ".3f"), f"{self.gap_error:.3f}"),
            ("largest gap", number(np.max(self.gaps), ".3f")),
            ("examples", str(len(self.lower))),
            ("chains", str(self.num_chains)),
            ("effective chains, fewest", f"{np.min(self.effective_chains):.1f}"),
            ("temperatures", str(self.num_steps)),
            ("accepted transitions", f"{100 * np.mean(self.acceptance_rates):.0f} %"),
        ]

    def figure(self) -> Figure:
        """Draw the bounds of each example, and a histogram of the gaps."""
        figure = Plot(figsize=(8, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        order = np.argsort(self.lower)
        places = np.arange(len(order))
        left.vlines(places, self.lower[order], self.upper[order], color="gray", linewidth=1)
        left.plot(places, self.upper[order], ".", markersize=3, label="upper bound")
        left.plot(places, self.lower[order], ".", markersize=3, label="lower bound")
        left.set_xlabel("examples, sorted by lower bound")
        left.set_ylabel("log p(x), nats")
        left.legend(fontsize=8)
        right.hist(self.gaps[np.isfinite(self.gaps)], bins=30)
        right.axvline(self.gap, color="black", linewidth=1, label=f"mean {number(self.gap, '.3f')}")
        right.set_xlabel("upper minus lower bound, nats")
        right.set_ylabel("examples")
        right.margins(y=0.25)  # room for the legend
        right.legend(fontsize=8)
        return figure

    def warnings(self) -> Sequence[str]:
        """Warn if the bounds are far apart, or in the wrong order."""
        found = []
        if not self.gap <= _WIDE:
            found.append(
                f"the bounds are {self.gap:.2f} nats apart, so an estimate with these settings is a lower bound only, "
                f"which can be off by as much (fewest effective chains: {np.min(self.effective_chains):.1f}): use more "
                "temperatures"
            )
        if self.gap < -3.0 * self.gap_error:
            found.append(
                "the upper bound is below the lower bound by more than their noise: use more chains and temperatures"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results, the mean gap first."""
        found = {"measure": type(self).__name__, "gap": self.gap, "gap_error": self.gap_error, **super().to_dict()}
        del found["x"]
        return plain(found)


def bidirectional(
    model: VAE,
    *,
    num_examples: int = 100,
    num_steps: int = 1000,
    num_chains: int = 16,
    leapfrog_steps: int = 10,
    start: str = "prior",
    condition: Any = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> Bidirectional:
    """Check annealed importance sampling between a lower and an upper bound, on data simulated from the model.

    Bidirectional Monte Carlo (Grosse, Ghahramani & Adams 2015). For z ~ p(z) and x ~ p(x|z), z is an exact sample of
    p(z|x). Chains that start there and anneal backward give an unbiased estimate of 1/p(x), and so an upper bound on
    log p(x); chains that anneal forward give a lower bound. On average the gap is at least the error of either. The
    result holds for real data as far as simulated data resemble them.

    Args:
        model: A trained VAE with real latents.
        num_examples: Number of x to simulate.
        num_steps: As in `annealed_importance_sampling`.
        num_chains: As there, per direction.
        leapfrog_steps: As there.
        start: As there; where backward chains end.
        condition: y of a conditional model, one for all x or one per x.
        batch_size: Number of examples in a batch.
        seed: Seed of the data and of all noise.
        verbose: Whether to show a progress bar.

    Returns:
        Both bounds for each example.

    Raises:
        ValueError: If an argument is invalid, or the latents are not real.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> found = bidirectional(vae, num_examples=3, num_steps=5, num_chains=2, verbose=False)
        >>> found.lower.shape, found.upper.shape
        ((3,), (3,))
    """
    name = "bidirectional"
    seed = seed_number(seed, name)
    num_examples = positive_integer(num_examples, f"{name}: num_examples")
    batch_size = positive_integer(batch_size, f"{name}: batch_size")
    settings = read_settings(
        name, model, num_steps=num_steps, num_chains=num_chains, leapfrog_steps=leapfrog_steps, start=start
    )
    y = None if model.condition is None else model.condition.rows(condition, num_examples)
    if y is None and condition is not None:
        raise ValueError(f"{name}: the model has no condition: expected condition=None, received one")

    @compiled
    def bounds(z: Any, y: tf.Tensor | None, seed: tf.Tensor, num_steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        drawn, prepared, backward = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        x = model.likelihood(z, condition=y).sample(seed=drawn)
        path, first, step_sizes, noise = prepare(model, x, y, prepared, num_steps, settings)
        forward, accepted = annealing.anneal(path, first, step_sizes, num_steps, noise)
        exact = tf.repeat(model.latents.flatten(z)[None], settings.chains, axis=0)
        reverse, accepted_back = annealing.anneal(path, exact, step_sizes, num_steps, backward, reverse=True)
        (lower, ahead), (upper, back) = log_mean_and_effective(forward), log_mean_and_effective(reverse)
        return lower, -upper, x, 0.5 * (accepted + accepted_back), tf.minimum(ahead, back)

    found = []
    starts = range(0, num_examples, batch_size)
    for first in tqdm(starts, desc="bidirectional check", unit="batch", disable=not verbose):
        places = np.arange(first, min(first + batch_size, num_examples))
        # Drawn from the seed, so that no two seeds share an x.
        seeds = streams.generator(seed, name, first).integers(2**62, size=len(places))
        batch_y = None if y is None else tf.constant(y[places])
        z = model.generate(seeds, condition=batch_y)["z"]
        noise = streams.derive(seed, name, first)
        found.append([part.numpy() for part in bounds(z, batch_y, noise, tf.constant(settings.steps))])
    lower, upper, x, accepted, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Bidirectional(lower, upper, x, settings.chains, settings.steps, accepted, effective)


def _error(values: np.ndarray) -> float:
    if len(values) < 2:
        return math.nan
    return float(np.std(values, ddof=1, dtype=np.float64) / math.sqrt(len(values)))
