"""What all objectives share."""

from typing import Any, Protocol

import tensorflow as tf
from tensorflow_probability import distributions as tfd

Terms = dict[str, tf.Tensor]


class LatentVariableModel(Protocol):
    """What an objective asks of a model."""

    def posterior(self, x: tf.Tensor, training: bool | None = None) -> tfd.Distribution:
        """Return q(z|x)."""

    def likelihood(self, z: tf.Tensor, training: bool | None = None) -> tfd.Distribution:
        """Return p(x|z)."""

    def log_weights(
        self, x: tf.Tensor, num_samples: int = 1, seed: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Return log p(x, z) − log q(z|x), `[num_samples, batch]`."""

    @property
    def prior(self) -> Any:
        """Return the prior, whose `distribution()` is p(z)."""


class Objective:
    """A bound on log p(x), given a model and a batch.

    Calling it returns per-example terms, each `[batch]`, in nats: `loss` is minimised, and the terms named in
    `metrics` are reported as means over examples.
    """

    metrics: tuple[str, ...] = ()

    def __call__(
        self, model: LatentVariableModel, x: tf.Tensor, seed: tf.Tensor, training: bool | None = None
    ) -> Terms:
        """Compute the terms.

        Args:
            model: The model whose bound it is.
            x: A batch, `[batch, *event]`.
            seed: A stateless seed, `[2]` int32.
            training: Passed on to the networks.

        Returns:
            `loss` and each of `metrics`, each `[batch]`, in nats.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """Rebuild from `get_config`."""
        return cls(**config)
