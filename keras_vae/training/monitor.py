"""Monitor: what the latents carry in each epoch, with a warning when the posterior collapses."""

import math
import os
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.inference.kl import kl_per_latent
from keras_vae.latent.activity import active, activity
from keras_vae.latent.codes import for_rows
from keras_vae.plots import kl as kl_plot
from keras_vae.plots import to_array
from keras_vae.trainer.input_checks import guarded_pair
from keras_vae.utils.arguments import positive_integer

_ROWS = 1024


class Monitor(keras.callbacks.Callback):
    """Measure after each epoch what the latents carry, on held-out examples, and warn if they carry nothing.

    - active units: latents whose posterior mean varies over x, Var_x(E_q[z]) > 0.01 (Burda, Grosse & Salakhutdinov
      2016, section 5.2). The variance is relative to a standard normal prior; bounded and discrete latents are active
      if they carry more than 0.01 nats.
    - rate: KL(q(z|x) ‖ p(z)), and distortion: −E_q[log p(x|z)], means over x in nats (Alemi et al. 2018, "Fixing a
      broken ELBO", section 2.2); their sum is −ELBO.
    - the KL of each latent, mean over x in nats, where posterior and prior factorize.

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
            then `active_units` of bounded and discrete latents.

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
        self.x = np.asarray(x)
        if self.x.ndim < 2 or len(self.x) < 2:
            raise ValueError(
                f"Monitor: x has the wrong shape: expected two or more examples, [n, *event], received {self.x.shape}"
            )
        self.condition = condition
        self.every = positive_integer(every, "Monitor: every")
        self.writer = None if log_dir is None else tf.summary.create_file_writer(str(log_dir))
        self.history: list[dict[str, Any]] = []
        self._watch = CollapseWatch()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check that the examples and the condition fit the model, before the first epoch."""
        self.condition = for_rows(self.model, self.condition, len(self.x), "Monitor")
        guarded_pair(self.x, self.condition, self.model.observed_family, self.model.condition)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, log and warn."""
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
            inference = self.model.infer(
                self.x[part], condition=None if self.condition is None else self.condition[part]
            )
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
            counted = "" if active is None else f"{active} of {latents} latents are active and "
            self._say(
                "collapse",
                f"The posterior has collapsed: after epoch {epoch} {counted}the rate is {rate:.3g} nats, so z carries "
                f"almost no information about x. {_ADVICE}",
                PosteriorCollapseWarning,
            )
        elif active is not None and active < _FEW * latents:
            self._say(
                "few",
                f"Only {active} of {latents} latents are active after epoch {epoch}. The others do no harm; if "
                f"reconstructions lack detail: {_ADVICE[0].lower()}{_ADVICE[1:]}",
                UserWarning,
            )

    def _say(self, what: str, message: str, category: type[Warning]) -> None:
        if not self._said & {what, "collapse"}:
            self._said.add(what)
            warnings.warn(message, category, stacklevel=2)
