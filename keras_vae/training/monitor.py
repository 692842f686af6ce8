"""Monitoring the latents while a model trains, and a warning when the posterior collapses."""

import math
import os
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.latent.activity import active, activity
from keras_vae.latent.codes import for_rows
from keras_vae.objectives.kl import kl_per_latent
from keras_vae.plots import kl as kl_plot
from keras_vae.plots import to_array
from keras_vae.trainer.input_checks import guarded_pair
from keras_vae.utils.arguments import positive_integer

_ROWS = 1024


class Monitor(keras.callbacks.Callback):
    """Measure after each epoch what the latents carry, on examples kept aside, and warn if they carry nothing.

    - active units: latents whose posterior mean varies over x, Var_x(E_q[z]) > 0.01 (Burda, Grosse & Salakhutdinov
      2016, section 5.2). That is a variance beside the standard normal's; bounded and discrete latents are active if
      they carry more than 0.01 nats.
    - rate: KL(q(z|x) ‖ p(z)), and distortion: −E_q[log p(x|z)], means over x in nats (Alemi et al. 2018, "Fixing a
      broken ELBO", section 2.2); their sum is −ELBO.
    - the KL of each latent, mean over x in nats, where posterior and prior factorize.

    `active_units` joins the epoch's logs, and so Keras's history and every callback after this one: put it before
    `HistoryFile` and `TensorBoard`. `PosteriorCollapseWarning` comes once, from epoch 2 on, if no latent is active
    or the rate is below 0.1 nats; if fewer than a tenth are active, a `UserWarning` says so.

    Args:
        x: Examples the model is not trained on, `[n, *event]`; a few hundred are enough.
        log_dir: TensorBoard's directory; without, nothing is written.
        condition: Of x, one label or vector for all or one for each; for a conditional model.
        every: Epochs from one measurement to the next; the others leave no `active_units`.

    Attributes:
        history: One dict a measurement: `epoch`, counted from 1; `active_units`; `rate` and `distortion`, NaN where
            the objective reports none; and `kl`, `[*latent]`. The last is None where the KL is no sum over latents, and
            so is then `active_units` of bounded and discrete ones.

    Raises:
        ValueError: If there are fewer than two examples, or `every` is not a positive integer; when training begins,
            if x or the condition is none of the model's.

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
        self.x = np.asarray(x)
        if self.x.ndim < 2 or len(self.x) < 2:
            raise ValueError(
                f"Monitor: wanted two examples or more, [n, *event], to see what varies; received shape {self.x.shape}"
            )
        self.condition = condition
        self.every = positive_integer(every, "Monitor: every")
        self.writer = None if log_dir is None else tf.summary.create_file_writer(str(log_dir))
        self.history: list[dict[str, Any]] = []
        self._watch = CollapseWatch()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuse examples or conditions that are none of the model's, before an epoch is spent."""
        self.condition = for_rows(self.model, self.condition, len(self.x), "Monitor")
        guarded_pair(self.x, self.condition, self.model.observed_family, self.model.condition)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, tell and warn."""
        if (epoch + 1) % self.every:
            return
        kl = self._kl()
        active = self._active(kl)
        terms = self.model.evaluate(self.x, self.condition, verbose=0, return_dict=True)
        found = {
            "epoch": epoch + 1,
            "active_units": None if active is None else int(active.sum()),
            "rate": terms.get("kl", math.nan if kl is None else float(kl.sum())),
            "distortion": -terms.get("reconstruction", math.nan),
            "kl": kl,
        }
        self.history.append(found)
        if logs is not None and active is not None:
            logs["active_units"] = found["active_units"]
        if self.writer is not None:
            self._write(self.writer, found)
        latents = 0 if active is None else active.size
        self._watch.see(epoch=epoch + 1, active=found["active_units"], latents=latents, rate=found["rate"])

    def _active(self, kl: np.ndarray | None) -> np.ndarray | None:
        """Return which latents are active, `[latents]`, if it is known."""
        support = self.model.encoder.family.support
        return active(support, kl, lambda: activity(self.model, self.x, condition=self.condition))

    def _kl(self) -> np.ndarray | None:
        """Return the KL of each latent, mean over x, if it is known."""
        sums = []
        for start in range(0, len(self.x), _ROWS):
            part = slice(start, start + _ROWS)
            inference = self.model.infer(self.x[part], None if self.condition is None else self.condition[part])
            kl = kl_per_latent(inference.posterior, inference.prior)
            if kl is None:
                return None
            sums.append(np.asarray(kl, np.float64).sum(axis=0))
        return np.sum(sums, axis=0) / len(self.x)

    def _write(self, writer: Any, found: dict[str, Any]) -> None:
        with writer.as_default(step=found["epoch"]):
            for name in ("active_units", "rate", "distortion"):
                if found[name] is not None and not math.isnan(found[name]):
                    tf.summary.scalar(f"latent/{name}", found[name])
            if found["kl"] is not None:
                tf.summary.histogram("latent/kl", found["kl"])
                tf.summary.image("latent/kl_by_latent", to_array(kl_plot(found["kl"]))[None])
        writer.flush()


# Nats: less than a seventh of a bit about x in all latents together.
_LITTLE = 0.1
_FEW = 0.1
# Before, a model has hardly begun to use its latents.
_FIRST_EPOCH = 2

_CURE = (
    "Warm up the weight of the KL, keras_vae.objectives.ELBO(beta=kv.schedules.Linear(0.0, 1.0, steps=10_000)), or on "
    "the command line --model kl-annealing; give the latents free bits, ELBO(free_bits=0.1) or --model free-bits, "
    "where posterior and prior factorize; or take a smaller decoder, which needs the latents more"
)


class PosteriorCollapseWarning(UserWarning):
    """q(z|x) has become the prior, so that z says nothing about x (Bowman et al. 2016, section 3.1)."""


class CollapseWatch:
    """Warn once of a collapsed posterior, and once of one with few active latents.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     CollapseWatch().see(epoch=3, active=0, latents=20, rate=0.01)
        >>> [warning.category.__name__ for warning in caught]
        ['PosteriorCollapseWarning']
    """

    def __init__(self) -> None:
        self._said: set[str] = set()

    def see(self, *, epoch: int, active: int | None, latents: int, rate: float) -> None:
        """Look at an epoch.

        Args:
            epoch: Its number, counted from 1.
            active: How many latents are active; None if unknown: then the rate alone tells.
            latents: How many there are.
            rate: KL(q(z|x) ‖ p(z)), mean over x, nats; NaN if unknown.
        """
        if epoch < _FIRST_EPOCH:
            return
        if active == 0 or rate < _LITTLE:
            counted = "" if active is None else f"{active} of {latents} latents are active and "
            self._say(
                "collapse",
                f"The posterior has collapsed: after epoch {epoch} {counted}the rate is {rate:.3g} nats, so z says "
                f"next to nothing about x. {_CURE}",
                PosteriorCollapseWarning,
            )
        elif active is not None and active < _FEW * latents:
            self._say(
                "few",
                f"Only {active} of {latents} latents are active after epoch {epoch}. The others cost nothing; if the "
                f"reconstructions lack detail: {_CURE[0].lower()}{_CURE[1:]}",
                UserWarning,
            )

    def _say(self, what: str, message: str, category: type[Warning]) -> None:
        if not self._said & {what, "collapse"}:
            self._said.add(what)
            warnings.warn(message, category, stacklevel=2)
