"""The base class of gradient estimators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family
from keras_vae.inference import Densities, Draws, Inference


@dataclass(frozen=True, eq=False)
class LogWeight:
    """A log-weight, log w(z) = model − entropy_weight · log q, whose mean or log-mean-exp over samples is a bound.

    Attributes:
        model: log p(x|z) + β log p(z), `[samples, batch]`, in nats, without the prior of groups whose KL has a closed
            form.
        score: log q(z|x) of all groups, `[samples, batch]`; None if the estimator differentiates along samples.
        entropy: log q, `[samples, batch]`, of the groups whose KL has no closed form; None if there are none.
        entropy_weight: β.
    """

    model: tf.Tensor
    score: tf.Tensor | None
    entropy: tf.Tensor | None
    entropy_weight: Any = 1.0

    @property
    def value(self) -> tf.Tensor:
        """Log w, `[samples, batch]`."""
        return self.model if self.entropy is None else self.model - self.entropy_weight * self.entropy


@dataclass(frozen=True, eq=False)
class Estimate:
    """A bound, and a surrogate for its gradient.

    Attributes:
        value: The bound, `[batch]`, in nats.
        surrogate: The function to differentiate, `[batch]`; its value has no meaning.
        densities: The densities at the samples.
    """

    value: tf.Tensor
    surrogate: tf.Tensor
    densities: Densities


@dataclass(frozen=True)
class Aggregate:
    """A function from the log-weights of several samples, `[samples, batch]`, to a bound, `[batch]`.

    Attributes:
        value: The bound.
        weights: Its derivative with respect to each log-weight, `[samples, batch]`.
        leave_one_out: The learning signal of each sample, `[samples, batch]`: its contribution to the bound given the
            others.
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
        detached: Whether it needs samples without gradients.
        layers: Keras layers that it trains, such as a baseline.
    """

    analytic_kl: bool = True
    along_samples: bool = False
    detached: bool = False

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """The layers that it trains. The model owns and saves them."""
        return ()

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Raise an error for a posterior or a bound without correct gradients.

        Args:
            owner: The objective's name, for error messages.
            family: The family of a group of the posterior.
            posterior: One of its distributions.
            num_samples: Number of samples of the bound.
            path_power: See `Aggregate`.

        Raises:
            ValueError: If they are incompatible.
        """
        raise NotImplementedError

    def estimate(
        self,
        inference: Inference,
        draws: Draws,
        weigh: Callable[[Densities], LogWeight],
        aggregate: Aggregate,
        training: bool | None,
        sample_weight: tf.Tensor | None = None,
    ) -> Estimate:
        """Estimate the bound and its gradient.

        Args:
            inference: The inference for a batch of x.
            draws: Samples of q(z|x), without gradients if the estimator is `detached`.
            weigh: The log-weight as a function of densities.
            aggregate: The function from log-weights to the bound.
            training: Whether the call is a training step.
            sample_weight: `[batch]`, for statistics of the batch; see `Objective.__call__`.
        """
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
    """Return whether samples of the posterior, or of its relaxation, can be differentiated."""
    return family.relaxed or posterior.reparameterization_type == tfd.FULLY_REPARAMETERIZED
