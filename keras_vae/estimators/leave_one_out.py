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
    """∇_φ = Σ_s signal_s ∇_φ log q(z_s|x): what sample s adds to the bound of the others is its signal.

    For the ELBO the baseline is the mean of the other samples' log-weights (Salimans & Knowles 2014; Kool, van
    Hoof & Welling 2019); for the importance-weighted bound it is VIMCO (Mnih & Rezende 2016).
    For any posterior, discrete or not. At least two samples.
    """

    detached = True

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Refuse a single sample, and a relaxed posterior."""
        refuse_relaxed(owner, self, family)
        if num_samples < 2:
            raise ValueError(
                f"{owner}: estimator 'leave_one_out' compares samples of one x; wanted num_samples of at least 2, "
                f"received {num_samples}. For one sample use estimator='nvil'"
            )

    def estimate(
        self,
        inference: Inference,
        draws: Draws,
        weigh: Callable[[Densities], LogWeight],
        aggregate: Aggregate,
        training: bool | None,
    ) -> Estimate:
        """Return the bound and the score function's surrogate."""
        densities = inference.densities(draws)
        log_weight = weigh(densities)
        signal = aggregate.leave_one_out(tf.stop_gradient(log_weight.value))
        return Estimate(*score_function(log_weight, aggregate, signal), densities)


def score_function(log_weight: LogWeight, aggregate: Aggregate, signal: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the bound, `[batch]`, and a surrogate whose gradient by q is the signals times the scores.

    Args:
        log_weight: At samples without gradients.
        aggregate: The bound.
        signal: The learning signal of each sample, `[samples, batch]`.
    """
    weights = tf.stop_gradient(aggregate.weights(log_weight.value))
    surrogate = tf.reduce_sum(weights * log_weight.model + tf.stop_gradient(signal) * log_weight.score, axis=0)
    return aggregate.value(log_weight.value), surrogate


def refuse_relaxed(owner: str, estimator: Estimator, family: Family) -> None:
    """Refuse a relaxed family: the score function needs no relaxation."""
    if family.relaxed:
        exact = type(family).__bases__[-1].__name__
        raise ValueError(
            f"{owner}: {type(estimator).__name__} draws exact samples, and {type(family).__name__} is there for "
            f"relaxed ones; wanted keras_vae.families.{exact}, or ELBO with estimator='reparameterized'"
        )
