"""The evidence lower bound."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.estimators import Estimator, Integrand, as_estimator, with_gradient_of
from keras_vae.inference import Inference
from keras_vae.objectives.aggregates import MEAN
from keras_vae.objectives.base import LatentVariableModel, Objective, Terms
from keras_vae.objectives.kl import closed_form_kl, kl_per_latent
from keras_vae.schedules.base import as_schedule, deserialize, non_negative, serialize
from keras_vae.utils import replicas
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class ELBO(Objective):
    """The evidence lower bound, E_q(z|x)[log p(x|z)] − β KL(q(z|x) ‖ p(z)); with β = 1 it is below log p(x).

    Kingma & Welling (2014), equation 3; estimated by their equation 7 where the KL has a closed form and by
    their equation 6 where it has none. β ≠ 1: Higgins et al. (2017), equation 4. Whatever β and the free bits,
    `bound` is the one with β = 1.

    Args:
        num_samples: L, the number of Monte-Carlo samples for each example.
        beta: Weight of the KL: a number, or a schedule such as `keras_vae.schedules.Linear(0.0, 1.0, steps=10_000)`
            (Bowman et al. 2016, section 3.1) or `Cyclical` (Fu et al. 2019). Evaluation uses the present value.
        free_bits: λ, nats that each latent may carry at no cost: its KL enters as max(λ, its mean over the batch)
            (Kingma et al. 2016, appendix C.8, equation 15). For posteriors and priors that factorize.
        estimator: Of the gradient: `"reparameterized"`, `"sticking_the_landing"`, `"nvil"`, `"leave_one_out"`, or a
            `keras_vae.estimators.Estimator`.

    Raises:
        ValueError: If an argument is refused; in the model's constructor, if posterior and prior do not go with
            the estimator or with free bits.

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
        """The estimator's."""
        return self.estimator.layers

    def check(self, inference: Inference) -> None:
        """Refuse what the estimator, or free bits, cannot go with."""
        closed_form = self.estimator.analytic_kl and closed_form_kl(inference.posterior, inference.prior) is not None
        self._check_estimator(inference, MEAN, closed_form)
        if self.free_bits:
            if not self.estimator.analytic_kl:
                raise ValueError(
                    f"ELBO: free_bits needs the KL in closed form, which {_name(self.estimator)} does not use"
                )
            if kl_per_latent(inference.posterior, inference.prior) is None:
                raise ValueError(
                    f"ELBO: free_bits={self.free_bits} is given to each latent, but the KL of "
                    f"{type(inference.family).__name__} to this prior is no sum over latents; wanted a posterior and a "
                    "prior that factorize, such as Normal and StandardNormal. Or warm up beta instead"
                )

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
    ) -> Terms:
        """Return `loss`, `bound`, `reconstruction` = E_q[log p(x|z)] and `kl`, each `[batch]`."""
        inference = model.infer(x, condition, training=training)
        return self.terms(inference, x, inference.sample(self.num_samples, seed, relaxed=bool(training)), training)

    def terms(self, inference: Inference, x: tf.Tensor, z: tf.Tensor, training: bool | None) -> Terms:
        """Return the terms at samples z, `[samples, batch, *latent]`."""
        beta = tf.cast(as_schedule(self.beta, "beta")(inference.step), z.dtype)
        kl = closed_form_kl(inference.posterior, inference.prior) if self.estimator.analytic_kl else None
        found: dict[str, tf.Tensor] = {}

        def joint(z: tf.Tensor) -> tf.Tensor:
            found["reconstruction"] = log_likelihood = inference.log_likelihood(z)
            if kl is not None:
                return log_likelihood
            found["prior"] = log_prior = inference.prior.log_prob(z)
            return log_likelihood + beta * log_prior

        def log_posterior(z: tf.Tensor) -> tf.Tensor:
            found["posterior"] = inference.posterior.log_prob(z)
            return found["posterior"]

        integrand = Integrand(x, z, joint, log_posterior, 0.0 if kl is not None else beta)
        value, surrogate = self.estimator.bound(integrand, MEAN, training)
        reconstruction = tf.reduce_mean(found["reconstruction"], axis=0)
        if kl is None:
            kl = tf.reduce_mean(found["posterior"] - found["prior"], axis=0)
            loss = -with_gradient_of(value, surrogate)
        else:
            loss = beta * self._priced(inference, kl) - with_gradient_of(value, surrogate)
        return {"loss": loss, "bound": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    def _priced(self, inference: Inference, kl: tf.Tensor) -> tf.Tensor:
        """Return the KL as it enters the loss."""
        if not self.free_bits:
            return kl
        by_latent = kl_per_latent(inference.posterior, inference.prior)
        # The larger of λ and the batch's mean, as an example's share of it, so that the batch's mean is right.
        free = tf.cast(self.free_bits, kl.dtype)
        priced = tf.where(replicas.mean(by_latent) > free, by_latent, free)
        return tf.reduce_sum(priced, axis=tuple(range(1, len(priced.shape))))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "num_samples": self.num_samples,
            "beta": serialize(self.beta),
            "free_bits": self.free_bits,
            "estimator": keras.saving.serialize_keras_object(self.estimator),
        }


def _name(estimator: Estimator) -> str:
    return type(estimator).__name__
