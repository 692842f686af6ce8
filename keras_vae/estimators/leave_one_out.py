"""The score function with leave-one-out baselines."""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.estimators.base import Aggregate, Estimate, Estimator, LogWeight
from keras_vae.families.base import Family
from keras_vae.inference import Densities, Draws, Inference


@keras.saving.register_keras_serializable("keras_vae")
class LeaveOneOut(Estimator):
    """∇_φ = Σ_s signal_s ∇_φ log q(z_s|x), where signal_s is the contribution of sample s given the other samples.

    For the ELBO, the baseline is the mean of the other samples' log-weights (Salimans & Knowles 2014; Kool, van
    Hoof & Welling 2019); for the importance-weighted bound it is VIMCO (Mnih & Rezende 2016).
    For any posterior, discrete or continuous. Requires at least two samples.
    """

    detached = True

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Raise an error for a single sample, and for a relaxed posterior."""
        refuse_relaxed(owner, self, family)
        if num_samples < 2:
            raise ValueError(
                f"{owner}: estimator 'leave_one_out': expected num_samples of at least 2, received {num_samples}. Use "
                "estimator='nvil' for one sample."
            )

    def estimate(
        self,
        inference: Inference,
        draws: Draws,
        weigh: Callable[[Densities], LogWeight],
        aggregate: Aggregate,
        training: bool | None,
        sample_weight: tf.Tensor | None = None,
    ) -> Estimate:
        """Return the bound and the score function's surrogate."""
        densities = inference.densities(draws)
        log_weight = weigh(densities)
        signal = aggregate.leave_one_out(tf.stop_gradient(log_weight.value))
        return Estimate(*score_function(log_weight, aggregate, signal), densities)


def score_function(log_weight: LogWeight, aggregate: Aggregate, signal: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the bound, `[batch]`, and a surrogate whose gradient for q is the sum of signals times scores.

    Args:
        log_weight: The log-weight at samples without gradients.
        aggregate: The function from log-weights to the bound.
        signal: The learning signal of each sample, `[samples, batch]`.
    """
    weights = tf.stop_gradient(aggregate.weights(log_weight.value))
    surrogate = tf.reduce_sum(weights * log_weight.model + tf.stop_gradient(signal) * log_weight.score, axis=0)
    return aggregate.value(log_weight.value), surrogate


def refuse_relaxed(owner: str, estimator: Estimator, family: Family) -> None:
    """Raise an error for a relaxed family, since the score function needs no relaxation."""
    if family.relaxed:
        exact = next(kind.__name__ for kind in type(family).__mro__ if not getattr(kind, "relaxed", True))
        raise ValueError(
            f"{owner}: {type(estimator).__name__}: expected a posterior without relaxation, received "
            f"{type(family).__name__}. Use keras_vae.families.{exact}, or ELBO with estimator='reparameterized'."
        )
