"""Rate and distortion: what the latents cost in nats, what they leave out, and how the rate splits."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_vae.evaluation.batches import through
from keras_vae.evaluation.latents.rate_terms import exact_rates, information, terms
from keras_vae.evaluation.result import Result, Row, plain
from keras_vae.inference.densities import total
from keras_vae.latent.activity import active
from keras_vae.plots.drawing import Plot, number
from keras_vae.plots.training import bars
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE

# Nats: an estimate of the mutual information this close to its upper limit only shows the limit.
_NEAR = 0.5


@dataclass(frozen=True, eq=False)
class RateDistortion(Result):
    """Rate, distortion, and the parts of the rate, in nats.

    With several groups of latents, `nats` and `active` are dicts with an entry for each group.

    Attributes:
        rate_per_example: KL(q(z|x) ‖ p(z)), `[n]`.
        distortion_per_example: −E_q[log p(x|z)], `[n]`.
        exact_rate: Whether the rate has a closed form; otherwise it is estimated from samples.
        num_samples: Samples z per example.
        information_per_example: Estimates whose mean estimates I_q(x; z), `[n]`; None where the prior depends on a
            condition.
        num_references: M, the number of posteriors in the aggregate posterior.
        nats: KL of each latent, `[*latents]`; None where posterior or prior does not factorize, or the group's prior
            depends on groups that the posterior draws after it.
        active: Which latents are active, `[*latents]`; None for bounded and discrete latents without `nats`.
        rates_by_group: The part of the rate in each group, E_q[log q(z_g|·) − log p(z_g|·)], `[n]` each: the rate is
            their sum. None for one group.
    """

    title: ClassVar[str] = "Rate and distortion"

    rate_per_example: np.ndarray
    distortion_per_example: np.ndarray
    exact_rate: bool
    num_samples: int
    information_per_example: np.ndarray | None
    num_references: int
    nats: Any
    active: Any
    rates_by_group: Mapping[str, np.ndarray] | None = None

    @property
    def rate(self) -> float:
        """Mean rate."""
        return _mean(self.rate_per_example)

    @property
    def distortion(self) -> float:
        """Mean distortion."""
        return _mean(self.distortion_per_example)

    @property
    def elbo(self) -> float:
        """The mean ELBO, −(rate + distortion)."""
        return -(self.rate + self.distortion)

    @property
    def mutual_information(self) -> float | None:
        """I_q(x; z), at most log M."""
        return None if self.information_per_example is None else _mean(self.information_per_example)

    @property
    def aggregate_kl(self) -> float | None:
        """KL(q(z) ‖ p(z)), the rate minus the mutual information."""
        return None if self.mutual_information is None else self.rate - self.mutual_information

    @property
    def active_units(self) -> int | None:
        """Number of active latents in all groups, where it is known."""
        each = [None if found is None else int(np.sum(found)) for _, _, found in self._groups()]
        known = [count for count in each if count is not None]
        return sum(known) if len(known) == len(each) else None

    def _groups(self) -> Iterator[tuple[str, np.ndarray | None, np.ndarray | None]]:
        """Yield the name, the nats and the active latents of each group; the only group has no name."""
        if self.rates_by_group is None:
            yield "", self.nats, self.active
            return
        for name in self.rates_by_group:
            yield name, self.nats[name], self.active[name]

    def table(self) -> Sequence[Row]:
        """Return means in nats with their standard errors over examples, and active units."""
        split: list[Row] = []
        if self.information_per_example is not None:
            remainder = self.rate_per_example - self.information_per_example
            split = [
                _row("  mutual information I(x; z)", self.information_per_example),
                _row("  aggregate KL(q(z) ‖ p(z))", remainder),
            ]
        units = [(f"  of {name}" if name else "active units", _counted(found)) for name, _, found in self._groups()]
        if self.rates_by_group is not None:
            units = [("active units", "–" if self.active_units is None else str(self.active_units)), *units]
        return [
            ("", "nats", "± s.e."),
            _row("rate", self.rate_per_example),
            *(_row(f"  of {name}", rates) for name, rates in (self.rates_by_group or {}).items()),
            *split,
            _row("distortion", self.distortion_per_example),
            _row("ELBO", -(self.rate_per_example + self.distortion_per_example)),
            *units,
            *(row for name, nats, _ in self._groups() for row in _by_latent(name, nats)),
        ]

    def figure(self) -> Figure:
        """Draw the parts of the rate, and the KL of each latent."""
        shown = [(name, nats, found) for name, nats, found in self._groups() if nats is not None]
        widths = [2.6, *(max(3.5, min(9, 0.2 * nats.size + 1)) for _, nats, _ in shown)]
        figure = Plot(figsize=(sum(widths) + 0.6, 3.2), layout="constrained")
        axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
        self._draw_rate(axes[0])
        for axis, (name, nats, found) in zip(axes[1:], shown, strict=True):
            bars(axis, nats)
            axis.set_title(f"{f'{name}: ' if name else ''}{_counted(found)} latents active", fontsize=9)
        return figure

    def _draw_rate(self, axis: Any) -> None:
        parts = {"rate": self.rate}
        if self.mutual_information is not None and self.aggregate_kl is not None:
            parts = {"mutual information": self.mutual_information, "aggregate KL": self.aggregate_kl}
        below = 0.0
        for name, value in parts.items():
            axis.bar([0], [value], 0.6, bottom=below, label=f"{name}, {number(value, '.2f')}")
            below += value
        axis.set_xlim(-0.5, 0.5)
        axis.set_ylim(top=1.45 * max(self.rate, 1e-3))  # room for the legend
        axis.set_xticks([0], [f"rate, {number(self.rate, '.2f')}"])
        axis.set_ylabel("nats per example")
        axis.legend(fontsize=8, loc="upper center")
        axis.set_title(f"distortion {number(self.distortion, '.2f')} nats", fontsize=9)

    def warnings(self) -> Sequence[str]:
        """Warn about what is estimated, missing, or at its upper limit."""
        found = []
        ceiling = math.log(self.num_references)
        if not self.exact_rate:
            found.append(f"the rate has no closed form here: it is a mean over {self.num_samples} samples per example")
        if self.mutual_information is None:
            found.append("the prior depends on the condition, so one aggregate posterior cannot split the rate")
        elif self.mutual_information > ceiling - _NEAR:
            found.append(
                f"the mutual information is at its upper limit, log {self.num_references} = {ceiling:.2f} nats: under "
                "the distribution of the data it can be far larger, and the aggregate KL smaller by the same amount"
            )
        for name, nats, _ in self._groups():
            if nats is None and not name:
                found.append("the posterior or the prior does not factorize, so the KL is not a sum over latents")
            elif nats is None:
                found.append(
                    f"the KL of the group {name} is not a sum over latents: its prior depends on groups that the "
                    "posterior draws later, or one of both does not factorize"
                )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results, the means first."""
        names = ("rate", "distortion", "elbo", "mutual_information", "aggregate_kl", "active_units")
        means = plain({name: getattr(self, name) for name in names})
        found = {"measure": type(self).__name__, **means, **super().to_dict()}
        if self.rates_by_group is None:
            del found["rates_by_group"]
        return found


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64))


def _row(name: str, values: np.ndarray) -> Row:
    error = np.std(values, ddof=1, dtype=np.float64) / math.sqrt(len(values))
    return (name, number(_mean(values), ".2f"), f"{error:.2f}")


def _counted(active: np.ndarray | None) -> str:
    return "–" if active is None else f"{int(np.sum(active))} of {active.size}"


def _by_latent(group: str, nats: np.ndarray | None, most: int = 10) -> list[Row]:
    """Return the latents of a group with the largest KL."""
    if nats is None:
        return []
    order = np.argsort(nats, axis=None, kind="stable")[::-1][:most]
    names = [", ".join(map(str, np.unravel_index(i, nats.shape))) for i in order]
    names = [f"{group}[{name}]" if group else f"latent {name}" for name in names]
    return [(name, f"{nats.ravel()[i]:.2f}") for name, i in zip(names, order, strict=True)]


def rate_distortion(
    model: VAE,
    data: Any,
    *,
    num_samples: int = 10,
    num_references: int | None = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> RateDistortion:
    """Measure rate and distortion, the parts of the rate, and the KL of each latent.

    - rate: E_x KL(q(z|x) ‖ p(z)), exact where the pair has a closed form, otherwise from samples; distortion:
      −E_x E_q[log p(x|z)] (Alemi et al. 2018, section 2.2). Their sum is −ELBO.
    - rate = I_q(x; z) + KL(q(z) ‖ p(z)), mutual information and the KL of the aggregate posterior
      q(z) = 1/M Σ_m q(z|x_m) (Hoffman & Johnson 2016, "ELBO surgery").
    - the nats of each latent, where posterior and prior factorize, and which latents are active. Under the prior
      N(0, I): Var_x(E_q[z]) > 0.01 (Burda, Grosse & Salakhutdinov 2016, section 5.2). Under any other: more than 0.01
      nats; where posterior or prior does not factorize, Var_x(E_q[z]) of more than 1 % of the latent's variance, and
      unknown for bounded and discrete latents. The mean of a flow is an estimate: see `NormalFlow`.

    With several groups of latents, rate, KL and active units are also reported for each. A group's part of the rate is
    E_q[log q(z_g|x, earlier groups) − log p(z_g|groups before it in the prior)], from samples where it is not a KL
    known in closed form; where the prior draws a group after groups that the posterior draws later, as in the first
    group of a chain, the part can be negative. The mean of a group is the one given the means of earlier groups.

    With all n examples in q(z), the split is exact for the examples themselves, each with probability 1/n, up to the
    noise of one z per example. As an estimate for the distribution of the data, the mutual information never exceeds
    log M and is too low on average, and the aggregate KL is too large by the same amount. For a rate well above log M
    the split says little.

    Args:
        model: A trained VAE.
        data: Arrays `[n, *event]`, or a batched `tf.data.Dataset` of x or (x, y). For a conditional model (x, y);
            everything is then given y, and the split is for the pair (x, y). There is no split where the prior
            depends on y.
        num_samples: Samples z per example, for the distortion.
        num_references: M, the number of examples in q(z): each example itself, and others drawn once; all by default.
            The time grows with n·M: with a normal posterior of 20 latents, n = M = 10,000 takes about ten seconds on
            one core, and far longer with flows whose density at a given z is slow, such as
            `InverseAutoregressiveFlow`.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of the samples.
        verbose: Whether to show progress bars.

    Returns:
        The figures in nats, per example and per latent.

    Raises:
        ValueError: If a number is not a positive integer, there is only one example or one reference, or `VAE.fit`
            would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> x = np.eye(4, dtype="float32")
        >>> found = kv.evaluation.rate_distortion(vae, x, verbose=False)
        >>> found.rate_per_example.shape, found.nats.shape
        ((4,), (2,))
        >>> abs(found.rate - found.mutual_information - found.aggregate_kl) < 1e-6
        True
    """
    seed = seed_number(seed, "rate_distortion")
    samples = tf.constant(positive_integer(num_samples, "rate_distortion: num_samples"))
    asked = None if num_references is None else positive_integer(num_references, "rate_distortion: num_references")
    if asked == 1:
        raise ValueError("rate_distortion: num_references is too small: expected 2 or more, received 1")
    measured = compiled(lambda x, y, noise: terms(model.infer(x, condition=y), noise, samples))
    parts = []
    first = None
    for batch in through(model, data, measure="rate-distortion", batch_size=batch_size, verbose=verbose):
        noise = streams.derive(seed, "rate_distortion", batch.number)
        first = first or batch
        parts.append(tf.nest.map_structure(np.asarray, measured(batch.x, batch.condition, noise)))
    found = tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
    count = len(found["z"])
    if count < 2:
        raise ValueError(f"rate_distortion: there are too few examples: expected 2 or more, received {count}")
    rates = {name: found["rates"][name] for name in model.latents.names}
    rate = total(rates.values())
    references = count if asked is None else min(asked, count)
    nats = {
        name: found["nats"][name].mean(axis=0, dtype=np.float64) if name in found["nats"] else None for name in rates
    }
    families = model.encoder.families
    activities = {
        name: active(
            standard_normal=name in model.prior.standard_normal,
            support=families[name].support,
            nats=nats[name],
            means=found["mean"][name],
            scales=found["scale"][name],
        )
        for name in rates
    }
    prior_varies = model.condition is not None and (model.prior.conditional or model.prior.made_of_posteriors)
    assert first is not None, "there are examples"
    one = model.infer(first.x[:1], condition=None if first.condition is None else first.condition[:1])
    split = None
    if not prior_varies:
        split = information(one, found, rate, references=references, seed=seed, verbose=verbose)
    return RateDistortion(
        rate_per_example=rate,
        distortion_per_example=found["distortion"],
        exact_rate=len(exact_rates(one.densities(one.draw(1, seed)))) == len(rates),
        num_samples=int(num_samples),
        information_per_example=split,
        num_references=references,
        nats=model.latents.pack(nats),
        active=model.latents.pack(activities),
        rates_by_group=rates if model.latents.several else None,
    )
