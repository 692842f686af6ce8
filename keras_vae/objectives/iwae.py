"""The importance-weighted bound."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.estimators import Estimator, LogWeight, as_estimator, with_gradient_of
from keras_vae.inference import Densities, Inference
from keras_vae.inference.densities import total
from keras_vae.objectives.aggregates import LOG_MEAN_EXP
from keras_vae.objectives.base import LatentVariableModel, Objective, Terms, kl_of_groups, kl_terms
from keras_vae.utils.arguments import only_accepted, positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class IWAE(Objective):
    """The importance-weighted bound, E[log 1/k Σ_i p(x, z_i)/q(z_i|x)] ≤ log p(x), z_i ~ q(z|x).

    Burda, Grosse & Salakhutdinov (2016), equation 8. It increases with k toward log p(x); k = 1 is the ELBO.

    Args:
        num_samples: k, the number of samples per example.
        estimator: The gradient estimator: `"reparameterized"`, `"doubly_reparameterized"` (Tucker et al. 2019),
            `"leave_one_out"` (VIMCO, Mnih & Rezende 2016), or a `keras_vae.estimators.Estimator`.

    Raises:
        ValueError: If an argument is invalid; in the model's constructor, if the estimator is incompatible with the
            posterior.

    Example:
        >>> import keras_vae as kv
        >>> objective = IWAE(50, estimator="doubly_reparameterized")
    """

    metrics = ("bound", "reconstruction", "kl")

    def __init__(self, num_samples: int = 5, estimator: str | Estimator = "reparameterized") -> None:
        self.num_samples = positive_integer(num_samples, "IWAE: num_samples")
        self.estimator = as_estimator(estimator, "IWAE")

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """The layers of the estimator."""
        return self.estimator.layers

    def check(self, inference: Inference) -> None:
        """Raise an error if the model is incompatible with the estimator."""
        self._check_estimator(inference, LOG_MEAN_EXP)

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
        sample_weight: tf.Tensor | None = None,
    ) -> Terms:
        """Return `loss` = −`bound`, `bound`, and `reconstruction` and `kl` of the ELBO, each `[batch]`."""
        inference = model.infer(x, condition=condition, training=training)
        draws = inference.draw(self.num_samples, seed, detached=self.estimator.detached)
        given = only_accepted(self.estimator.estimate, sample_weight=sample_weight)
        estimate = self.estimator.estimate(inference, draws, _log_weight, LOG_MEAN_EXP, training, **given)
        return {
            "loss": -with_gradient_of(estimate.value, estimate.surrogate),
            "bound": estimate.value,
            "reconstruction": tf.reduce_mean(estimate.densities.log_likelihood, axis=0),
            **kl_terms(inference.groups, kl_of_groups(estimate.densities, {})),
        }

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "num_samples": self.num_samples,
            "estimator": keras.saving.serialize_keras_object(self.estimator),
        }


def _log_weight(densities: Densities) -> LogWeight:
    log_posterior = total(densities.log_posterior.values())
    return LogWeight(densities.log_joint, log_posterior, log_posterior)
