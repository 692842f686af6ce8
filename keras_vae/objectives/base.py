"""The base class of objectives."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from keras_vae.estimators import Aggregate, Estimator
from keras_vae.families.base import Family
from keras_vae.inference import Densities, Draws, Inference, LatentGroups
from keras_vae.inference.densities import total

Terms = dict[str, tf.Tensor]


def refuse_jumps(owner: str, family: Family) -> None:
    """Raise an error if log q(z|x) is discontinuous, so that its gradient along samples is wrong.

    Raises:
        ValueError: If the family has jumps.
    """
    if family.jumps:
        raise ValueError(
            f"{owner}: posterior: expected a continuous log q(z|x) or a KL in closed form, received "
            f"{type(family).__name__}, whose log q(z|x) jumps where its pieces meet. Use ELBO or InfoVAE with "
            "estimator='reparameterized' and the prior Uniform or Learned(PiecewiseConstant(...)), or "
            "estimator='leave_one_out' or 'nvil'."
        )


class LatentVariableModel(Protocol):
    """The part of a model that objectives use."""

    def infer(self, x: tf.Tensor, *, condition: Any = None, training: bool | None = None) -> Inference:
        """Return q(z|x), p(z) and p(x|z) for a batch of x."""


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
        sample_weight: tf.Tensor | None = None,
    ) -> Terms:
        """Compute the terms.

        Args:
            model: The model.
            x: A batch, `[batch, *event]`.
            seed: A stateless seed, `[2]` int32.
            training: Passed to the networks.
            condition: y, `[batch, ...]`, for a conditional model.
            sample_weight: `[batch]`, for terms that depend on other examples of the batch: examples of weight 0 are as
                if absent. The model multiplies the terms by it. It is None if there are no weights, and is not passed
                to an objective whose `__call__` does not take it.

        Returns:
            `loss` and each of `metrics`, each `[batch]`, in nats.
        """
        raise NotImplementedError

    def check(self, inference: Inference) -> None:
        """Raise an error if the objective does not give correct gradients for a model.

        Args:
            inference: The model's inference for one x.

        Raises:
            ValueError: If they are incompatible. The message names alternatives.
        """

    def metric_names(self, groups: LatentGroups) -> tuple[str, ...]:
        """Return the names of the reported terms: `metrics` and, with several groups of latents, the KL of each."""
        return (*self.metrics, *(f"kl/{name}" for name in groups.names)) if groups.several else self.metrics

    def _check_estimator(self, inference: Inference, aggregate: Aggregate, closed_form: Collection[str] = ()) -> None:
        """Check the estimator for each group; `closed_form` are the groups whose KL has a closed form."""
        owner = type(self).__name__
        posterior = inference.densities(one_draw(inference)).posterior
        for name, family in inference.model.encoder.families.items():
            self.estimator.check(owner, family, posterior[name], self.num_samples, aggregate.path_power)
            if self.estimator.along_samples and name not in closed_form:
                refuse_jumps(owner, family)

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """Keras layers that the objective trains. The model owns and saves them."""
        return ()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """Rebuild from `get_config`."""
        return cls(**config)


def one_draw(inference: Inference) -> Draws:
    """Return one draw of the latents, to inspect the distributions of a new model."""
    return inference.draw(1, tf.constant([0, 0], tf.int32))


def kl_of_groups(densities: Densities, closed_form: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the KL of each group, `[batch]`, in nats: in closed form where given, otherwise from samples."""
    found = {}
    for name in densities.posterior:
        if name in closed_form:
            kl = closed_form[name]
            found[name] = kl if kl.shape.rank == 1 else tf.reduce_mean(kl, axis=0)
        else:
            found[name] = tf.reduce_mean(densities.log_posterior[name] - densities.log_prior[name], axis=0)
    return found


def kl_terms(groups: LatentGroups, kl: Mapping[str, tf.Tensor]) -> Terms:
    """Return `kl` and, with several groups, `kl/<group>`, each `[batch]`."""
    each = {f"kl/{name}": kl[name] for name in groups.names} if groups.several else {}
    return {"kl": total(kl.values()), **each}
