"""What all gradient estimators share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family


@dataclass(frozen=True, eq=False)
class Integrand:
    """The log-weight log w(z) = joint(z) − entropy_weight · log q(z|x), whose mean or log-mean-exp is a bound.

    Attributes:
        x: The batch, `[batch, *event]`.
        z: Samples of q(z|x), `[samples, batch, *latent]`; with gradients if the family's samples have them.
        joint: The function from z to the model's part, log p(x|z) + β log p(z), `[samples, batch]`; or to
            log p(x|z), where the KL is taken in closed form.
        log_posterior: The function from z to log q(z|x), `[samples, batch]`.
        entropy_weight: β, or 0 where the KL is taken in closed form.
    """

    x: tf.Tensor
    z: tf.Tensor
    joint: Callable[[tf.Tensor], tf.Tensor]
    log_posterior: Callable[[tf.Tensor], tf.Tensor]
    entropy_weight: Any

    @property
    def closed_form(self) -> bool:
        """Whether the KL is taken in closed form, outside."""
        return isinstance(self.entropy_weight, float) and self.entropy_weight == 0.0

    def log_weights(self, joint: tf.Tensor, log_posterior: tf.Tensor) -> tf.Tensor:
        """Return log w of its two parts."""
        return joint if self.closed_form else joint - self.entropy_weight * log_posterior


@dataclass(frozen=True)
class Aggregate:
    """How log-weights of several samples, `[samples, batch]`, make one bound, `[batch]`.

    Attributes:
        value: The bound.
        weights: Its derivative by each log-weight, `[samples, batch]`.
        leave_one_out: The learning signal of each sample, `[samples, batch]`: what it adds to the bound beside
            the others.
        path_power: Power of the weights on a sample's path: 1 for a mean, 2 for a log-mean-exp.
    """

    value: Callable[[tf.Tensor], tf.Tensor]
    weights: Callable[[tf.Tensor], tf.Tensor]
    leave_one_out: Callable[[tf.Tensor], tf.Tensor]
    path_power: int


class Estimator:
    """A way to estimate the gradient of a bound whose expectation is over samples of q(z|x).

    Attributes:
        analytic_kl: Whether it may take the KL in closed form.
        along_samples: Whether it follows log q(z|x) along the path of z.
        layers: Keras layers with weights that it trains, such as a baseline.
    """

    analytic_kl: bool = True
    along_samples: bool = False

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """Return its trained layers; the model owns and saves them."""
        return ()

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Refuse a posterior or a bound that it gives no right gradient for.

        Args:
            owner: The objective's name, for the message.
            family: The posterior's family.
            posterior: One of its distributions.
            num_samples: How many samples the bound takes.
            path_power: The bound's; see `Aggregate`.

        Raises:
            ValueError: If they cannot be combined.
        """
        raise NotImplementedError

    def bound(self, integrand: Integrand, aggregate: Aggregate, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the bound, `[batch]`, and a surrogate, `[batch]`: only the surrogate's gradient is meant."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Estimator":
        """Rebuild from `get_config`."""
        return cls(**config)


def with_gradient_of(value: tf.Tensor, surrogate: tf.Tensor) -> tf.Tensor:
    """Return `value` with the gradient of `surrogate`.

    Example:
        >>> float(with_gradient_of(tf.constant(2.0), tf.constant(5.0)))
        2.0
    """
    return tf.stop_gradient(value) + (surrogate - tf.stop_gradient(surrogate))


def samples_carry_gradients(family: Family, posterior: tfd.Distribution) -> bool:
    """Say whether samples of the posterior, or of its relaxation, can be differentiated."""
    return family.relaxed or posterior.reparameterization_type == tfd.FULLY_REPARAMETERIZED
