"""What a model says of a batch: the three distributions that every bound is made of."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters


@dataclass(frozen=True, eq=False)
class Inference:
    """q(z|x), p(z) and p(x|z) at a batch of x.

    Attributes:
        family: The posterior's family.
        parameters: Its parameters, each `[batch, ...]`.
        posterior: q(z|x), batch shape `[batch]`.
        prior: p(z), batch shape `[]`, or p(z|y), batch shape `[batch]`.
        log_likelihood: The function from z, `[samples, batch, *latent]`, to log p(x|z), `[samples, batch]`.
        step: Training steps taken, a scalar.
    """

    family: Family
    parameters: Parameters
    posterior: tfd.Distribution
    prior: tfd.Distribution
    log_likelihood: Callable[[tf.Tensor], tf.Tensor]
    step: tf.Tensor

    def sample(self, num_samples: int, seed: tf.Tensor, relaxed: bool = False) -> tf.Tensor:
        """Draw z ~ q(z|x), `[num_samples, batch, *latent]`; if `relaxed`, of its relaxation, if it has one."""
        if relaxed and self.family.relaxed:
            return self.family.relaxed_sample(self.parameters, num_samples, seed, self.step)
        return self.posterior.sample(num_samples, seed=seed)

    def sample_prior(self, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draw z ~ p(z), one for each of `count` examples, `[count, *latent]`."""
        shape = [] if self.prior.batch_shape.rank else tf.reshape(count, [1])
        return self.prior.sample(shape, seed=seed)

    def log_weights(self, z: tf.Tensor) -> tf.Tensor:
        """Return log p(x|z) + log p(z) − log q(z|x), `[samples, batch]`, in nats."""
        return self.log_likelihood(z) + self.prior.log_prob(z) - self.posterior.log_prob(z)
