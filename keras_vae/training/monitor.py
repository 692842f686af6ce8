"""Monitor: what the latents carry in each epoch, with a warning when the posterior collapses."""

import math
import os
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_vae.inference import Inference
from keras_vae.latent.activity import active
from keras_vae.latent.codes import encoded, for_rows
from keras_vae.objectives.base import kl_of_groups
from keras_vae.plots import kl as kl_plot
from keras_vae.plots import to_array
from keras_vae.trainer.input_checks import guarded_pair
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.arrays import as_array

_ROWS = 1024
# For the KL of groups of latents that have no closed form.
_SAMPLES = 10


class Monitor(keras.callbacks.Callback):
    """Measure after each epoch what the latents carry, on held-out examples, and warn if they carry nothing.

    - active units: under the prior N(0, I), latents whose posterior mean varies over x, Var_x(E_q[z]) > 0.01 (Burda,
      Grosse & Salakhutdinov 2016, section 5.2). A variance is relative to the prior's scale, so under any other prior
      latents are active if they carry more than 0.01 nats; where posterior or prior does not factorize, if x accounts
      for more than 1 % of their variance.
    - rate: KL(q(z|x) ‖ p(z)), and distortion: −E_q[log p(x|z)], means over x in nats (Alemi et al. 2018, "Fixing a
      broken ELBO", section 2.2); their sum is −ELBO.
    - the KL of each latent, mean over x in nats, where posterior and prior factorize.

    With several groups of latents, KL, active units and rate are measured for each group as well, its rate from samples
    where it has no closed form, and its means given the means of the groups before it. The warning names the group.

    `active_units` is added to the logs of the epoch, for the history and all later callbacks: put this callback before
    `HistoryFile` and `TensorBoard`. `PosteriorCollapseWarning` is issued once, from epoch 2 on, if no latent is active
    or the rate is below 0.1 nats; if fewer than a tenth are active, a `UserWarning` is issued.

    Args:
        x: Examples that are not used for training, `[n, *event]`; a few hundred are enough.
        log_dir: Directory for TensorBoard; by default nothing is written.
        condition: Condition of x, one label or vector for all or one per example; for a conditional model.
        every: Number of epochs between measurements; other epochs have no `active_units`.

    Attributes:
        history: One dict per measurement: `epoch`, counted from 1; `active_units`; `rate` and `distortion`, NaN if the
            objective reports none; and `kl`, `[*latent]`. `kl` is None if the KL is not a sum over latents, and so is
            then `active_units` of bounded and discrete latents. With several groups, `kl` has one entry for each, and
            there are also `active_units/<group>` and `rate/<group>`, the latter negative at times where the group's
            prior depends on groups that the posterior draws later.

    Raises:
        ValueError: If there are fewer than two examples, or `every` is not a positive integer; when training starts, if
            x or the condition does not fit the model.

    Example:
        >>> import keras_vae as kv
        >>> x = (np.random.default_rng(0).random([64, 8]) < 0.5).astype("float32")
        >>> vae = kv.models.vae((8,), latent_size=2, hidden=[16])
        >>> vae.compile(optimizer="adam")
        >>> monitor = Monitor(x[:32])
        >>> sorted(vae.fit(x[32:], epochs=1, verbose=0, callbacks=[monitor]).history)
        ['active_units', 'bound', 'kl', 'loss', 'reconstruction']
        >>> monitor.history[0]["kl"].shape
        (2,)
    """

    def __init__(
        self, x: Any, log_dir: str | os.PathLike[str] | None = None, *, condition: Any = None, every: int = 1
    ) -> None:
        super().__init__()
        self.x = np.asarray(as_array(x, "Monitor: x"))
        if self.x.ndim < 2 or len(self.x) < 2:
            raise ValueError(
                f"Monitor: x has the wrong shape: expected two or more examples, [n, *event], received {self.x.shape}"
            )
        self.condition = condition
        self.every = positive_integer(every, "Monitor: every")
        self.writer = None if log_dir is None else tf.summary.create_file_writer(str(log_dir))
        self.history: list[dict[str, Any]] = []
        self._watches: dict[str, CollapseWatch] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check that the examples and the condition fit the model, before the first epoch."""
        self.condition = for_rows(self.model, self.condition, len(self.x), "Monitor")
        guarded_pair(self.x, self.condition, self.model.observed_family, self.model.condition)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, log and warn."""
        if (epoch + 1) % self.every:
            return
        groups = self.model.latents
        kl, rates, closed = self._carried()
        actives = self._active(kl)
        counts = {name: None if units is None else int(units.sum()) for name, units in actives.items()}
        known = [count for count in counts.values() if count is not None]
        terms = self.model.evaluate(self.x, self.condition, verbose=0, return_dict=True)
        found = {
            "epoch": epoch + 1,
            "active_units": sum(known) if len(known) == len(counts) else None,
            "rate": terms.get("kl", sum(rates.values())),
            "distortion": -terms.get("reconstruction", math.nan),
            "kl": groups.pack(kl),
        }
        if groups.several:
            rates = {name: terms.get(f"kl/{name}", rate) for name, rate in rates.items()}
            found |= {f"active_units/{name}": count for name, count in counts.items()}
            found |= {f"rate/{name}": rate for name, rate in rates.items()}
        self.history.append(found)
        if logs is not None:
            logs |= {key: found[key] for key in found if key.startswith("active_units") and found[key] is not None}
        if self.writer is not None:
            self._write(self.writer, found)
        for name, units in actives.items():
            self._watches.setdefault(name, CollapseWatch(name if groups.several else None)).see(
                epoch=epoch + 1,
                active=counts[name],
                latents=0 if units is None else units.size,
                # A rate that is no KL, because later groups decide about it, can be small or negative without a fault.
                rate=(rates[name] if name in closed else math.nan) if groups.several else found["rate"],
            )

    def _active(self, kl: dict[str, np.ndarray | None]) -> dict[str, np.ndarray | None]:
        """Return which latents are active, `[*latents]`, by group, where it is known."""
        families, groups, prior = self.model.encoder.families, self.model.latents, self.model.prior
        found = encoded(self.model, self.x, self.condition, "Monitor")
        means, scales = (
            {name: np.asarray(value) for name, value in groups.unpack(part).items()}
            for part in (found["mean"], found["scale"])
        )
        return {
            name: active(
                standard_normal=name in prior.standard_normal,
                support=families[name].support,
                nats=kl[name],
                means=means[name],
                scales=scales[name],
            )
            for name in groups.names
        }

    def _carried(self) -> "_Carried":
        """Return what each group carries, means over x."""
        parts = []
        for start in range(0, len(self.x), _ROWS):
            part = slice(start, start + _ROWS)
            inference = self.model.infer(
                self.x[part], condition=None if self.condition is None else self.condition[part]
            )
            parts.append(_carried(inference, streams.derive(self.model.seed, "Monitor", start)))
        means = {}
        for name in parts[0].kl:
            each = [kl for part in parts if (kl := part.kl[name]) is not None]
            means[name] = np.sum(each, axis=0) / len(self.x) if each else None
        rates = {name: sum(part.rates[name] for part in parts) / len(self.x) for name in parts[0].rates}
        return _Carried(means, rates, parts[0].closed)

    def _write(self, writer: Any, found: dict[str, Any]) -> None:
        with writer.as_default(step=found["epoch"]):
            for name, value in found.items():
                if name not in ("epoch", "kl") and value is not None and not math.isnan(value):
                    tf.summary.scalar(f"latent/{name}", value)
            by_group = found["kl"] if self.model.latents.several else {"": found["kl"]}
            for group, kl in by_group.items():
                if kl is not None:
                    of_group = f"/{group}" if group else ""
                    tf.summary.histogram(f"latent/kl{of_group}", kl)
                    tf.summary.image(f"latent/kl_by_latent{of_group}", to_array(kl_plot(kl))[None])
        writer.flush()


class _Carried(NamedTuple):
    """What each group of latents carries, summed or averaged over x, in nats.

    Attributes:
        kl: The KL of each latent, `[*latents]`, by group; None where the KL is not a sum over latents.
        rates: The rate by group; NaN for one group without `kl`.
        closed: The groups whose KL has a closed form.
    """

    kl: dict[str, np.ndarray | None]
    rates: dict[str, float]
    closed: list[str]


def _carried(inference: Inference, seed: tf.Tensor) -> _Carried:
    """Return sums over a batch."""
    several = inference.groups.several
    densities = inference.densities(inference.draw(_SAMPLES if several else 1, seed))
    closed = {name: kl for name, kl in densities.kl.items() if kl is not None}
    nats = {name: None if kl is None else _sum(kl, closed[name]) for name, kl in densities.kl_per_latent.items()}
    if several:
        rates = {name: float(tf.reduce_sum(rate)) for name, rate in kl_of_groups(densities, closed).items()}
    else:  # samples would cost time, and objectives report the rate
        rates = {name: math.nan if kl is None else float(kl.sum()) for name, kl in nats.items()}
    return _Carried(nats, rates, list(closed))


def _sum(nats: tf.Tensor, kl: tf.Tensor) -> np.ndarray:
    """Return sums over examples, and means over samples where the KL depends on earlier groups."""
    return np.asarray(nats if kl.shape.rank == 1 else tf.reduce_mean(nats, axis=0), np.float64).sum(axis=0)


# Nats, of all latents together: less than a seventh of a bit about x.
_LITTLE = 0.1
_FEW = 0.1
# Earlier, a model has hardly started to use its latents.
_FIRST_EPOCH = 2

_ADVICE = (
    "Warm up the weight of the KL with keras_vae.objectives.ELBO(beta=keras_vae.schedules.Linear(0.0, 1.0, "
    "steps=10_000)), on the command line --model kl-annealing; use free bits, ELBO(free_bits=0.1) or --model free-bits"
    ", if posterior and prior factorize; or use a smaller decoder, which depends more on the latents"
)


class PosteriorCollapseWarning(UserWarning):
    """Warns that q(z|x) has become the prior, so z carries no information about x (Bowman et al. 2016, section 3.1)."""


class CollapseWatch:
    """Warns once about a collapsed posterior, and once about few active latents.

    Args:
        group: The group of latents, if there are several.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     CollapseWatch().see(epoch=3, active=0, latents=20, rate=0.01)
        >>> [warning.category.__name__ for warning in caught]
        ['PosteriorCollapseWarning']
    """

    def __init__(self, group: str | None = None) -> None:
        self._of_group = "" if group is None else f" of the group {group!r}"
        self._said: set[str] = set()

    def see(self, *, epoch: int, active: int | None, latents: int, rate: float) -> None:
        """Check an epoch.

        Args:
            epoch: Its number, counted from 1.
            active: Number of active latents; None if unknown: then only the rate is checked.
            latents: Number of latents.
            rate: KL(q(z|x) ‖ p(z)), mean over x, nats; NaN if unknown.
        """
        if epoch < _FIRST_EPOCH:
            return
        if active == 0 or rate < _LITTLE:
            facts = [] if active is None else [f"{active} of {latents} latents are active"]
            facts += [] if math.isnan(rate) else [f"the rate is {rate:.3g} nats"]
            self._say(
                "collapse",
                f"The posterior{self._of_group} has collapsed: after epoch {epoch} {' and '.join(facts)}, so z "
                f"carries almost no information about x. {_ADVICE}",
                PosteriorCollapseWarning,
            )
        elif active is not None and active < _FEW * latents:
            self._say(
                "few",
                f"Only {active} of {latents} latents{self._of_group} are active after epoch {epoch}. The others do no "
                f"harm; if reconstructions lack detail: {_ADVICE[0].lower()}{_ADVICE[1:]}",
                UserWarning,
            )

    def _say(self, what: str, message: str, category: type[Warning]) -> None:
        if not self._said & {what, "collapse"}:
            self._said.add(what)
            warnings.warn(message, category, stacklevel=2)
