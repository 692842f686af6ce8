"""What a model says of a batch: the three distributions that every bound is made of."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.utils import replicas


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
        rows: Where the batch lies in the global batch; None if there is one replica.
        conditional_prior: For p(z|y), the function from the rows of the global batch, as `replicas.in_place` spreads
            them, to the prior at these rows.
    """

    family: Family
    parameters: Parameters
    posterior: tfd.Distribution
    prior: tfd.Distribution
    log_likelihood: Callable[[tf.Tensor], tf.Tensor]
    step: tf.Tensor
    rows: replicas.Rows | None = None
    conditional_prior: Callable[[Callable[[tf.Tensor], tf.Tensor]], tfd.Distribution] | None = None

    def sample(self, num_samples: int, seed: tf.Tensor, relaxed: bool = False) -> tf.Tensor:
        """Draw z ~ q(z|x), `[num_samples, batch, *latent]`; if `relaxed`, of its relaxation, if it has one.

        The noise of an example depends on the seed and its place in the global batch, not on the replica.
        """

        def draw(spread: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            parameters = {name: spread(value) for name, value in self.parameters.items()}
            if relaxed and self.family.relaxed:
                return self.family.relaxed_sample(parameters, num_samples, seed, self.step)
            return self.family.distribution(parameters).sample(num_samples, seed=seed)

        return replicas.in_place(draw, self.rows, axis=1)

    def sample_prior(self, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draw z ~ p(z), one for each of `count` examples, `[count, *latent]`; noise as in `sample`."""

        def draw(spread: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            if self.conditional_prior is not None:
                return self.conditional_prior(spread).sample([], seed=seed)
            wanted = count if self.rows is None else self.rows.total
            return self.prior.sample(tf.reshape(wanted, [1]), seed=seed)

        return replicas.in_place(draw, self.rows, axis=0)

    def log_weights(self, z: tf.Tensor) -> tf.Tensor:
        """Return log p(x|z) + log p(z) − log q(z|x), `[samples, batch]`, in nats."""
        return self.log_likelihood(z) + self.prior.log_prob(z) - self.posterior.log_prob(z)
