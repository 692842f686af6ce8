"""Inference gaps: how many nats the family of the posterior costs, and how many the encoder costs."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorflow_probability import distributions as tfd

from keras_vae.evaluation.batches import rows_at_once, through
from keras_vae.evaluation.gaps.bounds import Proposal, both_bounds, importance_estimate
from keras_vae.evaluation.gaps.local_posterior import LocalOptimizer, encoder_log_weights, log_weights
from keras_vae.evaluation.likelihood.estimate import Estimate
from keras_vae.evaluation.likelihood.log_likelihood import LogLikelihood
from keras_vae.evaluation.result import Result, Row, plain
from keras_vae.families.base import Family
from keras_vae.plots.drawing import Plot, number
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import one_line, positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.utils.deprecation import renamed_attribute
from keras_vae.vae import VAE

_UNSETTLED_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class InferenceGaps(Result):
    """log p(x), the bounds of the best posterior and of the encoder, and the gaps between them, in nats.

    Attributes:
        log_likelihood: The estimate of log p(x) for each example.
        local_bounds: L[q*], `[examples]`.
        local_errors: Standard error of each local bound, over seeds.
        encoder_bounds: L[q(z|x)], `[examples]`.
        encoder_errors: Standard error of each encoder bound, over seeds.
        amortization_errors: Standard error of each amortization gap, over seeds; the bounds share their noise.
        steps: Largest number of Adam steps of a batch.
        settled: Whether the search for q* converged within max_steps, `[examples]`.
    """

    title: ClassVar[str] = "Inference gaps"

    log_likelihood: Estimate
    local_bounds: np.ndarray
    local_errors: np.ndarray
    encoder_bounds: np.ndarray
    encoder_errors: np.ndarray
    amortization_errors: np.ndarray
    steps: int
    settled: np.ndarray

    amortisation = renamed_attribute("amortisation", "amortization")
    amortisation_errors = renamed_attribute("amortisation_errors", "amortization_errors")

    @property
    def approximation(self) -> np.ndarray:
        """Gap due to the family, log p(x) − L[q*], `[examples]`."""
        return self.log_likelihood.per_example - self.local_bounds

    @property
    def approximation_errors(self) -> np.ndarray:
        """Standard error of each approximation gap, over seeds."""
        return np.hypot(self.log_likelihood.sampling_errors, self.local_errors)

    @property
    def amortization(self) -> np.ndarray:
        """Gap due to the encoder, L[q*] − L[q(z|x)], `[examples]`."""
        return self.local_bounds - self.encoder_bounds

    @property
    def total(self) -> np.ndarray:
        """Sum of both gaps, log p(x) − L[q(z|x)], `[examples]`."""
        return self.log_likelihood.per_example - self.encoder_bounds

    def table(self) -> Sequence[Row]:
        """Return means, with standard errors over examples and over seeds."""
        estimate = self.log_likelihood
        errors = np.full(len(self.local_bounds), np.nan) if estimate.lower_bound_only else estimate.sampling_errors
        return [
            ("", "nats", "± examples", "± seeds"),
            _row("log p(x)", estimate.per_example, errors),
            _row("best bound of the family, L[q*]", self.local_bounds, self.local_errors),
            _row("bound of the encoder, L[q(z|x)]", self.encoder_bounds, self.encoder_errors),
            _row("approximation gap", self.approximation, np.hypot(errors, self.local_errors)),
            _row("amortization gap", self.amortization, self.amortization_errors),
            _row("total gap", self.total, np.hypot(errors, self.encoder_errors)),
            ("examples", str(len(self.local_bounds))),
            ("q* found", f"{100 * np.mean(self.settled):.0f} %"),
            ("Adam steps, at most", str(self.steps)),
        ]

    def figure(self) -> Figure:
        """Draw the mean gaps as a stacked bar, and histograms of both."""
        figure = Plot(figsize=(8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 2.2])
        parts = {"approximation gap": self.approximation, "amortization gap": self.amortization}
        below = 0.0
        finite = np.concatenate([gaps[np.isfinite(gaps)] for gaps in parts.values()])
        bins = np.linspace(min(finite.min(initial=0.0), 0.0), max(finite.max(initial=0.0), 1e-3), 41)
        for name, gaps in parts.items():
            label = f"{name}, {number(np.mean(gaps), '.2f')}"
            left.bar([0], [np.mean(gaps)], 0.6, bottom=below)
            below += float(np.mean(gaps))
            right.hist(gaps[np.isfinite(gaps)], bins=bins, alpha=0.6, label=label)
        left.set_xlim(-0.6, 0.6)
        left.axhline(0.0, color="black", linewidth=0.8)
        left.set_xticks([0], [f"total, {number(below, '.2f')}"])
        left.set_ylabel("nats per example")
        right.axvline(0.0, color="black", linewidth=0.8)
        right.set_xlabel("gap, nats")
        right.set_ylabel("examples")
        right.legend(fontsize=8)
        return figure

    def warnings(self) -> Sequence[str]:
        """Warn about negative gaps, and about searches that did not converge."""
        found = [f"log p(x): {warning}" for warning in self.log_likelihood.warnings()]
        if self.log_likelihood.lower_bound_only:
            found.append(
                "the approximation gap and the total gap are lower bounds only, since log p(x) is: pass "
                "estimate=annealed_importance_sampling(...)"
            )
        unsettled = 1.0 - float(np.mean(self.settled))
        if unsettled > _UNSETTLED_SHARE:
            found.append(
                f"for {100 * unsettled:.0f} % of the examples the search for q* did not converge within max_steps: the "
                "amortization gap can be larger than reported, and the approximation gap smaller; increase max_steps"
            )
        if _mean(self.approximation) < -3.0 * _seed_error(self.approximation_errors):
            found.append(
                "the approximation gap is negative by more than its noise, which is impossible: the estimate of log "
                "p(x) is too low; use more samples, or pass estimate=annealed_importance_sampling(...)"
            )
        if _mean(self.amortization) < -3.0 * _seed_error(self.amortization_errors):
            found.append(
                "the amortization gap is negative by more than its noise, which is impossible: the search for q* ended "
                "below its start; use more step_samples or a smaller learning_rate"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results, the mean gaps first."""
        means = {f"{name}_gap": _mean(getattr(self, name)) for name in ("approximation", "amortization", "total")}
        found = {"measure": type(self).__name__, **means, **super().to_dict()}
        return plain({**found, "approximation": self.approximation, "amortization": self.amortization})


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64))


def _seed_error(errors: np.ndarray) -> float:
    """Return the standard error of a mean of independent figures with these errors."""
    return float(np.sqrt(np.sum(errors**2)) / len(errors))


def _row(name: str, values: np.ndarray, errors: np.ndarray) -> Row:
    over_examples = np.std(values, ddof=1, dtype=np.float64) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    over_seeds = _seed_error(errors)
    shown = f"{over_seeds:.3f}" if math.isfinite(over_seeds) else "unknown"
    return (name, number(_mean(values), ".2f"), f"{over_examples:.2f}", shown)


def inference_gaps(
    model: VAE,
    data: Any,
    *,
    num_samples: int = 5000,
    bound_samples: int = 1000,
    step_samples: int = 10,
    learning_rate: float = 1e-3,
    patience: int = 10,
    max_steps: int = 10_000,
    family: Family | None = None,
    estimate: Estimate | None = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> InferenceGaps:
    """Split log p(x) − ELBO into approximation gap and amortization gap (Cremer, Li & Duvenaud 2018, table 1).

        log p(x) − L[q(z|x)]  =  (log p(x) − L[q*])  +  (L[q*] − L[q(z|x)]),

    where q* has the highest bound L for this x within the encoder's family. The first gap is the cost of the family,
    the second the cost of one network that predicts the parameters for every x. q* is found for each example by Adam,
    starting at the encoder's posterior, until the bound has not risen for `patience` evaluations, one every 100 steps.
    Both bounds are then estimated from fresh samples, with the same noise if both are of one family.

    The values optimized are those that the encoder predicts for this x. A family with weights of its own, such as the
    networks of `InverseAutoregressiveFlow`, keeps them as trained, and the gain of other weights counts as
    approximation gap; for a `PlanarFlow` everything is optimized.

    With `family`, q* is of that family instead, for example to see how close a flow can come to the exact posteriors of
    a model trained with a normal one. The first gap is then the cost of that family, and the second the cost of the
    encoder together with the extra cost of its own family.

    log p(x) is estimated by importance sampling from q(z|x) or q*, the one with the higher estimate in a trial with a
    tenth of the samples.

    Args:
        model: A trained VAE with a posterior whose samples are differentiable.
        data: As in `log_likelihood`.
        num_samples: S, the number of importance samples for log p(x).
        bound_samples: Samples z per example, for the two bounds.
        step_samples: Samples z per example in a step of Adam.
        learning_rate: Learning rate of Adam.
        patience: Evaluations without a rise of 0.01 nats before the search ends.
        max_steps: Largest number of Adam steps.
        family: Family of q*, over the latents of the model: `Normal`, `FullNormal` or `PlanarFlow`; by default that of
            the encoder. Required for several groups of latents, and then over all latents side by side, such as
            `Normal(model.latents.size)`; the search starts at the normal with the means and scales of `encode`.
        estimate: An estimate of log p(x) on the same data in the same order, such as that of
            `annealed_importance_sampling`, to use instead of importance sampling.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of all noise.
        verbose: Whether to show a progress bar.

    Returns:
        log p(x), both bounds and both gaps per example, with their errors.

    Raises:
        TypeError: If `family` is not a `Family`, or `estimate` not an `Estimate`.
        ValueError: If an argument is invalid, the posterior is not differentiable, `family` is another one or is for
            other latents, `estimate` has another number of examples, or `VAE.fit` would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> x = np.ones([3, 4], "float32")
        >>> inference_gaps(vae, x, num_samples=100, max_steps=100, verbose=False).amortization.shape
        (3,)
    """
    name = "inference_gaps"
    samples = tf.constant(positive_integer(num_samples, f"{name}: num_samples"))
    seed = seed_number(seed, name)
    bound_samples = positive_integer(bound_samples, f"{name}: bound_samples")
    if bound_samples < 2:
        raise ValueError(f"{name}: bound_samples is too small: expected 2 or more, received {bound_samples}")
    if not learning_rate > 0:
        raise ValueError(
            f"{name}: learning_rate is out of range: expected a positive number, received {one_line(learning_rate)}"
        )
    if estimate is not None and not isinstance(estimate, Estimate):
        raise TypeError(
            f"{name}: estimate is of the wrong type: expected the result of log_likelihood or "
            f"annealed_importance_sampling, received {type(estimate).__name__}"
        )
    if family is None and model.latents.several:
        raise ValueError(
            f"{name}: the groups of latents have no family in common: expected family=, over all {model.latents.size} "
            f"latents side by side, received none. Use family=keras_vae.families.Normal({model.latents.size}), for "
            "example"
        )
    q_family = family or model.encoder.family
    optimizer = LocalOptimizer(
        model,
        q_family,
        learning_rate=learning_rate,
        step_samples=positive_integer(step_samples, f"{name}: step_samples"),
        patience=positive_integer(patience, f"{name}: patience"),
        max_steps=positive_integer(max_steps, f"{name}: max_steps"),
    )

    at_once = rows_at_once(model)

    @compiled
    def measure(
        x: tf.Tensor, y: tf.Tensor | None, encoder: tf.Tensor | None, local: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        inference = model.infer(x, condition=y)
        weigh_q = functools.partial(log_weights, inference, q_family)
        proposals = functools.partial(weigh_q, local), functools.partial(encoder_log_weights, inference)
        first, second = tf.unstack(tf.random.experimental.stateless_split(seed))
        bounds = both_bounds(proposals, local, at_once=at_once, num_samples=tf.constant(bound_samples), seed=first)
        if estimate is not None:
            return bounds, ()

        def mixed(better: tf.Tensor) -> Proposal:
            mask = tf.reshape(better, [-1] + [1] * (local.shape.rank - 1))
            return functools.partial(weigh_q, tf.where(mask, local, encoder))

        return bounds, importance_estimate(
            proposals,
            local,
            mixed=None if encoder is None else mixed,
            at_once=at_once,
            num_samples=samples,
            seed=second,
        )

    found: list[Any] = []
    estimated: list[Any] = []
    settled: list[np.ndarray] = []
    steps = seen = 0
    for batch in through(model, data, measure="inference gaps", batch_size=batch_size, verbose=verbose):
        if not found:
            _check_families(name, model, family, batch.x[:1], None if batch.condition is None else batch.condition[:1])
        seen += len(batch.x)
        _check_estimate(name, estimate, seen, more=True)
        noise = streams.derive(seed, name, batch.number)
        search, fresh = tf.unstack(tf.random.experimental.stateless_split(noise))
        q = optimizer.fit(batch.x, batch.condition, search, verbose)
        bounds, weighed = measure(batch.x, batch.condition, q.encoder, q.local, fresh)
        found.append([part.numpy() for part in bounds])
        estimated.append([part.numpy() for part in weighed])
        settled.append(q.settled)
        steps = max(steps, q.steps)
    bounds = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    if estimate is None:
        log_p, effective = (np.concatenate(parts) for parts in zip(*estimated, strict=True))
        estimate = LogLikelihood(log_p, num_samples, effective)
    _check_estimate(name, estimate, len(bounds[0]))
    local, local_errors, encoder, encoder_errors, errors = bounds
    return InferenceGaps(estimate, local, local_errors, encoder, encoder_errors, errors, steps, np.concatenate(settled))


def _check_estimate(name: str, estimate: Estimate | None, seen: int, more: bool = False) -> None:
    """Refuse an estimate for other data as soon as the counts differ; with `more`, examples may follow."""
    if estimate is None:
        return
    count = len(estimate.per_example)
    if seen > count or (seen < count and not more):
        raise ValueError(
            f"{name}: the estimate is for other data: expected {'at least ' if more else ''}{seen} examples, received "
            f"an estimate for {count}. Pass the estimate for the same data"
        )


def _check_families(name: str, model: VAE, given: Family | None, x: tf.Tensor, y: tf.Tensor | None) -> None:
    if given is not None:
        if not isinstance(given, Family):
            raise TypeError(
                f"{name}: family is of the wrong type: expected a Family, such as PlanarFlow(20), received "
                f"{one_line(given)}"
            )
        expected = (model.latents.size,) if model.latents.several else model.latent_shape
        for family in model.encoder.families.values():
            if given.event_shape != expected or not family.support.real:
                raise ValueError(
                    f"{name}: family does not fit the latents: expected {expected} latents, all real, received a "
                    f"family of shape {given.event_shape} for the {family.support.name} latents of "
                    f"{type(family).__name__}"
                )
        return
    family = model.encoder.family
    posterior = model.posterior(x, condition=y)
    if family.jumps:
        raise ValueError(
            f"{name}: the posterior density has jumps, which gradients miss: expected Normal, FullNormal, PlanarFlow "
            f"or InverseAutoregressiveFlow, received {type(family).__name__}"
        )
    if family.relaxed or posterior.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        raise ValueError(
            f"{name}: samples of the posterior are not differentiable: expected Normal, FullNormal, PlanarFlow "
            f"or InverseAutoregressiveFlow, received {type(family).__name__}"
        )
