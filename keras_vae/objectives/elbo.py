"""The evidence lower bound."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.estimators import Estimator, LogWeight, as_estimator, with_gradient_of
from keras_vae.inference import Densities, Draws, Inference
from keras_vae.inference.densities import total
from keras_vae.objectives.aggregates import MEAN
from keras_vae.objectives.base import LatentVariableModel, Objective, Terms, kl_of_groups, kl_terms, one_draw
from keras_vae.schedules.base import as_schedule, deserialize, non_negative, serialize
from keras_vae.utils import replicas
from keras_vae.utils.arguments import only_accepted, positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class ELBO(Objective):
    """The evidence lower bound, E_q(z|x)[log p(x|z)] − β KL(q(z|x) ‖ p(z)); with β = 1, it is a bound on log p(x).

    Kingma & Welling (2014), equation 3, estimated by their equation 7 if the KL has a closed form, and by equation 6
    otherwise. β ≠ 1: Higgins et al. (2017), equation 4. `bound` is always the bound with β = 1 and without free bits.

    Args:
        num_samples: L, the number of Monte Carlo samples per example.
        beta: Weight of the KL: a number, or a schedule such as `keras_vae.schedules.Linear(0.0, 1.0, steps=10_000)`
            (Bowman et al. 2016, section 3.1) or `Cyclical` (Fu et al. 2019). Evaluation uses the current value.
        free_bits: λ, in nats: the mean KL of each latent over the batch enters the loss as max(λ, KL), so that each
            latent has λ nats at no cost (Kingma et al. 2016, appendix C.8, equation 15). For factorized posteriors and
            priors.
        estimator: The gradient estimator: `"reparameterized"`, `"sticking_the_landing"`, `"nvil"`, `"leave_one_out"`,
            or a `keras_vae.estimators.Estimator`.

    Raises:
        ValueError: If an argument is invalid; in the model's constructor, if the estimator or free bits are
            incompatible with the posterior and the prior.

    Example:
        >>> import keras_vae as kv
        >>> warm_up = ELBO(beta=kv.schedules.Linear(0.0, 1.0, steps=10_000))
        >>> discrete = ELBO(num_samples=5, estimator="leave_one_out")
    """

    metrics = ("bound", "reconstruction", "kl")

    def __init__(
        self,
        num_samples: int = 1,
        beta: Any = 1.0,
        free_bits: float = 0.0,
        estimator: str | Estimator = "reparameterized",
    ) -> None:
        owner = type(self).__name__
        self.num_samples = positive_integer(num_samples, f"{owner}: num_samples")
        self.beta = deserialize(beta)
        as_schedule(self.beta, f"{owner}: beta")
        self.free_bits = non_negative(free_bits, f"{owner}: free_bits")
        self.estimator = as_estimator(estimator, owner)

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """The layers of the estimator."""
        return self.estimator.layers

    def check(self, inference: Inference) -> None:
        """Raise an error if the model is incompatible with the estimator or free bits."""
        densities = inference.densities(one_draw(inference))
        self._check_estimator(inference, MEAN, self._closed_form(densities))
        if not self.free_bits:
            return
        if not self.estimator.analytic_kl:
            raise ValueError(
                "ELBO: estimator: expected one that uses the closed-form KL, as free_bits requires, received "
                f"{type(self.estimator).__name__}. Use estimator='reparameterized'."
            )
        for name, kl in densities.kl_per_latent.items():
            if kl is None:
                of_group = f" of group {name!r}" if inference.groups.several else ""
                raise ValueError(
                    f"ELBO: free_bits={self.free_bits}: expected a KL in closed form that is a sum over latents, "
                    f"received the posterior {type(inference.model.encoder.families[name]).__name__}{of_group} and a "
                    "prior without one. Use Normal and StandardNormal, for example, or a warm-up of beta."
                )

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
        sample_weight: tf.Tensor | None = None,
    ) -> Terms:
        """Return `loss`, `bound`, `reconstruction` = E_q[log p(x|z)] and `kl`, each `[batch]`."""
        inference = model.infer(x, condition=condition, training=training)
        relaxed = bool(training)
        draws = inference.draw(self.num_samples, seed, relaxed=relaxed, detached=self.estimator.detached)
        return self.terms(inference, draws, training=training, sample_weight=sample_weight)

    def terms(
        self,
        inference: Inference,
        z: Any,
        *,
        training: bool | None = None,
        sample_weight: tf.Tensor | None = None,
    ) -> Terms:
        """Return the terms for given samples.

        Args:
            inference: The inference for a batch of x.
            z: Samples of q(z|x), `[samples, batch, *latent]`, a tensor or a dict of groups.
            training: As in `__call__`.
            sample_weight: As in `__call__`.
        """
        draws = z if isinstance(z, Draws) else Draws(inference.groups.unpack(z))
        dtype = next(iter(draws.z.values())).dtype
        beta = tf.cast(as_schedule(self.beta, "beta")(inference.step), dtype)
        estimate = self.estimator.estimate(
            inference,
            draws,
            lambda densities: self._log_weight(densities, beta, sample_weight),
            MEAN,
            training,
            **only_accepted(self.estimator.estimate, sample_weight=sample_weight),
        )
        closed_form = self._closed_form(estimate.densities)
        kl = kl_of_groups(estimate.densities, closed_form)
        reconstruction = tf.reduce_mean(estimate.densities.log_likelihood, axis=0)
        loss = -with_gradient_of(estimate.value, estimate.surrogate)
        outside = [name for name, value in closed_form.items() if value.shape.rank == 1]
        if outside:
            loss = beta * total(self._charged(estimate.densities, name, sample_weight) for name in outside) + loss
        each = kl_terms(inference.groups, kl)
        return {"loss": loss, "bound": reconstruction - each["kl"], "reconstruction": reconstruction, **each}

    def _closed_form(self, densities: Densities) -> dict[str, tf.Tensor]:
        """Return the KL of the groups whose KL has a closed form."""
        if not self.estimator.analytic_kl:
            return {}
        return {name: kl for name, kl in densities.kl.items() if kl is not None}

    def _log_weight(self, densities: Densities, beta: tf.Tensor, weight: tf.Tensor | None) -> LogWeight:
        """Return log p(x|z) − β KL, without the closed forms that do not depend on z, which are added later."""
        closed_form = self._closed_form(densities)
        sampled = [name for name in densities.posterior if name not in closed_form]
        model = densities.log_likelihood
        for name in sampled:
            model = model + beta * densities.log_prior[name]
        for name, kl in closed_form.items():
            if kl.shape.rank == 2:
                model = model - beta * self._charged(densities, name, weight)
        entropy = total(densities.log_posterior[name] for name in sampled) if sampled else None
        score = total(densities.log_posterior.values()) if self.estimator.detached else None
        return LogWeight(model, score, entropy, beta)

    def _charged(self, densities: Densities, name: str, weight: tf.Tensor | None) -> tf.Tensor:
        """Return the KL of a group as it enters the loss, `[batch]` or `[samples, batch]`."""
        kl = densities.kl[name]
        assert kl is not None, "called for groups with a closed form"
        if not self.free_bits:
            return kl
        by_latent = densities.kl_per_latent[name]
        assert by_latent is not None, "check ensures it"
        # Each example's share of max(λ, mean over the batch), so that the mean over the batch is correct.
        free = tf.cast(self.free_bits, kl.dtype)
        of_examples = by_latent if kl.shape.rank == 1 else tf.reduce_mean(by_latent, axis=0)
        priced = tf.where(replicas.mean(of_examples, weight) > free, by_latent, free)
        return tf.reduce_sum(priced, axis=tuple(range(kl.shape.rank, len(priced.shape))))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "num_samples": self.num_samples,
            "beta": serialize(self.beta),
            "free_bits": self.free_bits,
            "estimator": keras.saving.serialize_keras_object(self.estimator),
        }
