"""What all objectives share."""

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from keras_vae.estimators import Aggregate, Estimator
from keras_vae.inference import Inference

Terms = dict[str, tf.Tensor]


def refuse_jumps(owner: str, inference: Inference) -> None:
    """Refuse to follow log q(z|x) along samples where it jumps.

    Raises:
        ValueError: If it does.
    """
    if inference.family.jumps:
        raise ValueError(
            f"{owner}: log q(z|x) of {type(inference.family).__name__} jumps where its pieces meet, and a gradient "
            "along samples misses the jumps; wanted the KL in closed form, as ELBO and InfoVAE take it with estimator "
            "'reparameterized' and the prior Uniform or Learned(PiecewiseConstant(...)), or estimator='leave_one_out' "
            "or 'nvil'"
        )


class LatentVariableModel(Protocol):
    """What an objective asks of a model."""

    def infer(self, x: tf.Tensor, condition: Any = None, training: bool | None = None) -> Inference:
        """Return q(z|x), p(z) and p(x|z) at a batch of x."""


class Objective:
    """A bound on log p(x), given a model and a batch.

    Calling it returns per-example terms, each `[batch]`, in nats: `loss` is minimized, and the terms named in
    `metrics` are reported as means over examples.
    """

    metrics: tuple[str, ...] = ()
    estimator: Estimator
    num_samples: int

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
    ) -> Terms:
        """Compute the terms.

        Args:
            model: The model whose bound it is.
            x: A batch, `[batch, *event]`.
            seed: A stateless seed, `[2]` int32.
            training: Passed on to the networks.
            condition: y, `[batch, ...]`, for a conditional model.

        Returns:
            `loss` and each of `metrics`, each `[batch]`, in nats.
        """
        raise NotImplementedError

    def check(self, inference: Inference) -> None:
        """Refuse a model that the objective gives no right gradient for.

        Args:
            inference: The model's at one x.

        Raises:
            ValueError: If they cannot be combined; it names what can.
        """

    def _check_estimator(self, inference: Inference, aggregate: Aggregate, closed_form: bool = False) -> None:
        owner = type(self).__name__
        self.estimator.check(owner, inference.family, inference.posterior, self.num_samples, aggregate.path_power)
        if self.estimator.along_samples and not closed_form:
            refuse_jumps(owner, inference)

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """Keras layers with weights that it trains; the model owns and saves them."""
        return ()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """Rebuild from `get_config`."""
        return cls(**config)
