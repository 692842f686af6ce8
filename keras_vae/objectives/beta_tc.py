"""The ELBO with a weight on the latents' total correlation."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_vae.estimators import Reparameterized
from keras_vae.inference import Inference
from keras_vae.objectives.base import LatentVariableModel, Objective, Terms, refuse_jumps
from keras_vae.schedules.base import as_schedule, deserialize, serialize
from keras_vae.utils import replicas
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.distributions import factors


@keras.saving.register_keras_serializable("keras_vae")
class BetaTC(Objective):
    """β-TCVAE: the KL decomposed into mutual information, total correlation and the KL of each latent.

    L = E_q[log p(x|z)] − I(x; z) − β KL(q(z) ‖ Π_j q(z_j)) − Σ_j KL(q(z_j) ‖ p(z_j)) (Chen et al. 2018,
    equation 4 with α = γ = 1). The aggregate posterior q(z_i) is estimated over the global batch of M of N examples by
    minibatch-stratified sampling: q(z_i|x_i) has the weight 1/N, as in q(z), and the others share the rest (appendix
    C.2), so that the estimate of q(z) is unbiased, and exact if M = N. For factorized posteriors and priors.

    Args:
        dataset_size: N, the number of training examples, at least the batch size. With a batch of one example, the
            terms are constants of N, since one example carries no information about q(z).
        beta: Weight of the total correlation, a number or a schedule.

    Raises:
        ValueError: If an argument is invalid; in the model's constructor, if the posterior or the prior does not
            factorize over latents, or samples carry no gradient.

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
        """Raise an error for posteriors and priors that do not factorize, and for relaxed ones."""
        if inference.groups.several:
            raise ValueError(
                "BetaTC: expected a model with one group of latents, received the groups "
                f"{', '.join(inference.groups.names)}. Use ELBO or InfoVAE."
            )
        entangled = factors(inference.posterior) is None or factors(inference.prior) is None
        if entangled or inference.family.relaxed:
            raise ValueError(
                "BetaTC: expected latents that are independent under q(z|x) and p(z), received the posterior "
                f"{type(inference.family).__name__} and the prior {inference.prior.name}. Use Normal and "
                "StandardNormal, for example."
            )
        Reparameterized().check("BetaTC", inference.family, inference.posterior, 1, 1)
        refuse_jumps("BetaTC", inference.family)

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
        sample_weight: tf.Tensor | None = None,
    ) -> Terms:
        """Return `loss`, `bound` (the ELBO), and the terms of the decomposition, each `[batch]`."""
        inference = model.infer(x, condition=condition, training=training)
        z = inference.sample(1, seed)
        reconstruction = inference.log_likelihood(z)[0]
        log_posterior, log_prior = inference.posterior.log_prob(z)[0], inference.prior.log_prob(z)[0]
        log_joint, log_product = self._aggregate(inference, z[0], sample_weight)
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

    def _aggregate(self, inference: Inference, z: tf.Tensor, weight: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return log q(z) and Σ_j log q(z_j), each `[batch]`, at z `[batch, *latent]`."""
        everyone = {name: replicas.gather(value) for name, value in inference.parameters.items()}
        elements = factors(inference.family.distribution(everyone))
        assert elements is not None, "check ensures it"
        by_latent = elements.log_prob(z[:, None])  # [batch, global batch, *latents]
        share = self._log_shares(tf.shape(z)[0], z.dtype, weight)
        axes = tuple(range(2, len(by_latent.shape)))
        log_joint = tf.reduce_logsumexp(tf.reduce_sum(by_latent, axis=axes) + share, axis=1)
        share = tf.reshape(share, tf.concat([tf.shape(share), tf.ones([len(axes)], tf.int32)], 0))
        log_each = tf.reduce_logsumexp(by_latent + share, axis=1)
        return log_joint, tf.reduce_sum(log_each, axis=tuple(range(1, len(log_each.shape))))

    def _log_shares(self, count: tf.Tensor, dtype: tf.DType, weight: tf.Tensor | None) -> tf.Tensor:
        """Return the log-weight of each example of the global batch in each row's q(z), `[batch, global batch]`."""
        rows = tf.range(count, dtype=tf.int64)
        for replica in replicas.replica_id():
            rows += tf.cast(replica, tf.int64) * 2**32
        own = rows[:, None] == replicas.gather(rows)[None]
        # Other examples share the rest by weight.
        weight = None if weight is None else replicas.gather(tf.cast(weight, dtype))[None]
        tf.debugging.assert_less_equal(
            tf.shape(own)[1] if weight is None else tf.math.count_nonzero(weight, dtype=tf.int32),
            self.dataset_size,
            "BetaTC: dataset_size: expected the number of training examples, received less than the batch size. Use "
            "the size of the training set.",
        )
        mine = -math.log(self.dataset_size)
        rest = math.log(max(self.dataset_size - 1, 1)) - math.log(self.dataset_size)
        if weight is None:
            rest -= tf.math.log(tf.maximum(tf.cast(tf.shape(own)[1], dtype) - 1.0, 1.0))
        else:
            others = tf.reduce_sum(tf.where(own, tf.zeros([], dtype), weight), axis=1, keepdims=True)
            rest += tf.math.log(weight) - tf.math.log(tf.where(others > 0, others, tf.ones_like(others)))
        return tf.where(own, tf.cast(mine, dtype), rest)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"dataset_size": self.dataset_size, "beta": serialize(self.beta)}
