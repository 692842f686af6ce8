"""The score function with leave-one-out baselines."""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.estimators.base import Aggregate, Estimator, Integrand
from keras_vae.families.base import Family


@keras.saving.register_keras_serializable("keras_vae")
class LeaveOneOut(Estimator):
    """∇_φ = Σ_s signal_s ∇_φ log q(z_s|x): what sample s adds to the bound of the others is its signal.

    For the ELBO the baseline is the mean of the other samples' log-weights (Salimans & Knowles 2014; Kool, van
    Hoof & Welling 2019); for the importance-weighted bound it is VIMCO (Mnih & Rezende 2016).
    For any posterior, discrete or not. At least two samples.
    """

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Refuse a single sample, and a relaxed posterior."""
        refuse_relaxed(owner, self, family)
        if num_samples < 2:
            raise ValueError(
                f"{owner}: estimator 'leave_one_out' compares samples of one x; wanted num_samples of at least 2, "
                f"received {num_samples}. For one sample use estimator='nvil'"
            )

    def bound(self, integrand: Integrand, aggregate: Aggregate, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the bound and the score function's surrogate."""
        return score_function(integrand, aggregate, aggregate.leave_one_out)


def score_function(
    integrand: Integrand, aggregate: Aggregate, signals: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the bound and a surrogate whose gradient by q is the signals times the scores.

    Args:
        integrand: The log-weight.
        aggregate: The bound.
        signals: The function from log-weights to learning signals, both `[samples, batch]`.
    """
    z = tf.stop_gradient(integrand.z)
    joint, log_posterior = integrand.joint(z), integrand.log_posterior(z)
    log_weights = integrand.log_weights(joint, log_posterior)
    weights = tf.stop_gradient(aggregate.weights(log_weights))
    signal = tf.stop_gradient(signals(tf.stop_gradient(log_weights)))
    surrogate = tf.reduce_sum(weights * joint + signal * log_posterior, axis=0)
    return aggregate.value(log_weights), surrogate


def refuse_relaxed(owner: str, estimator: Estimator, family: Family) -> None:
    """Refuse a relaxed family: the score function needs no relaxation."""
    if family.relaxed:
        exact = type(family).__bases__[-1].__name__
        raise ValueError(
            f"{owner}: {type(estimator).__name__} draws exact samples, and {type(family).__name__} is there for "
            f"relaxed ones; wanted keras_vae.families.{exact}, or ELBO with estimator='reparameterized'"
        )
