"""The ELBO with a weight on the latents' total correlation."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_vae import replicas
from keras_vae.checks import positive_integer
from keras_vae.densities import factors
from keras_vae.estimators import Reparametrised
from keras_vae.inference import Inference
from keras_vae.objectives.base import LatentVariableModel, Objective, Terms
from keras_vae.schedules.reading import as_schedule, deserialize, serialize


@keras.saving.register_keras_serializable("keras_vae")
class BetaTC(Objective):
    """β-TCVAE: the KL split into mutual information, total correlation and the latents' own KLs.

    L = E_q[log p(x|z)] − I(x; z) − β KL(q(z) ‖ Π_j q(z_j)) − Σ_j KL(q(z_j) ‖ p(z_j)) (Chen et al. 2018,
    equation 4 with α = γ = 1). The aggregate posterior q(z) is estimated by minibatch-weighted sampling: log q(z_i)
    ≈ log 1/(NM) Σ_j q(z_i|x_j) over the global batch of M (their equation 3). For factorised posteriors and priors.

    Args:
        dataset_size: N, the number of training examples. It shifts the reported terms, not the gradient.
        beta: Weight of the total correlation, a number or a schedule.

    Raises:
        ValueError: If an argument is refused; in the model's constructor, if posterior or prior does not
            factorise over latents, or samples carry no gradient.

    Example:
        >>> objective = BetaTC(dataset_size=60_000, beta=6.0)
    """

    metrics = ("bound", "reconstruction", "kl", "mutual_information", "total_correlation", "latent_kl")
    num_samples = 1

    def __init__(self, dataset_size: int, beta: Any = 6.0) -> None:
        self.dataset_size = positive_integer(dataset_size, "BetaTC: dataset_size")
        self.beta = deserialize(beta)
        as_schedule(self.beta, "BetaTC: beta")

    def check(self, inference: Inference) -> None:
        """Refuse posteriors and priors that do not factorise, and relaxed ones."""
        entangled = factors(inference.posterior) is None or factors(inference.prior) is None
        if entangled or inference.family.relaxed:
            raise ValueError(
                "BetaTC: the total correlation is taken between latents that are independent under q(z|x) and p(z); "
                f"received {type(inference.family).__name__} and the prior {inference.prior.name}. Wanted, for "
                "example, Normal and StandardNormal"
            )
        Reparametrised().check("BetaTC", inference.family, inference.posterior, 1, 1)

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
    ) -> Terms:
        """Return `loss`, `bound` (the ELBO), and the terms of the split, each `[batch]`."""
        inference = model.infer(x, condition, training=training)
        z = inference.sample(1, seed)
        reconstruction = inference.log_likelihood(z)[0]
        log_posterior, log_prior = inference.posterior.log_prob(z)[0], inference.prior.log_prob(z)[0]
        log_joint, log_product = self._aggregate(inference, z[0])
        information = log_posterior - log_joint
        correlation = log_joint - log_product
        latent_kl = log_product - log_prior
        beta = tf.cast(as_schedule(self.beta, "beta")(inference.step), z.dtype)
        return {
            "loss": information + beta * correlation + latent_kl - reconstruction,
            "bound": reconstruction - (log_posterior - log_prior),
            "reconstruction": reconstruction,
            "kl": log_posterior - log_prior,
            "mutual_information": information,
            "total_correlation": correlation,
            "latent_kl": latent_kl,
        }

    def _aggregate(self, inference: Inference, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return log q(z) and Σ_j log q(z_j), each `[batch]`, at z `[batch, *latent]`."""
        everyone = {name: replicas.gather(value) for name, value in inference.parameters.items()}
        by_latent = factors(inference.family.distribution(everyone)).log_prob(
            z[:, None]
        )  # [batch, global batch, *latents]
        size = tf.cast(tf.shape(by_latent)[1], z.dtype)
        constant = math.log(self.dataset_size) + tf.math.log(size)
        axes = tuple(range(2, len(by_latent.shape)))
        log_joint = tf.reduce_logsumexp(tf.reduce_sum(by_latent, axis=axes), axis=1) - constant
        log_each = tf.reduce_logsumexp(by_latent, axis=1) - constant
        return log_joint, tf.reduce_sum(log_each, axis=tuple(range(1, len(log_each.shape))))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"dataset_size": self.dataset_size, "beta": serialize(self.beta)}
