"""Gradients along the samples' path: reparameterized, sticking the landing, doubly reparameterized."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.estimators.base import Aggregate, Estimator, Integrand, samples_carry_gradients
from keras_vae.families.base import Family
from keras_vae.utils.deprecation import also_loads


@also_loads("Reparametrised")
@keras.saving.register_keras_serializable("keras_vae")
class Reparameterized(Estimator):
    """The gradient through z = g(ε, x): Kingma & Welling (2014), section 2.4; Rezende, Mohamed & Wierstra (2014).

    For posteriors whose samples can be differentiated, and for relaxed ones.
    """

    along_samples = True

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Refuse a posterior whose samples carry no gradient, and importance weights of relaxed samples."""
        if not samples_carry_gradients(family, posterior):
            raise ValueError(
                f"{owner}: estimator 'reparameterized' needs a posterior whose samples carry a gradient, such as "
                f"keras_vae.families.Normal; received {type(family).__name__}. Use estimator='nvil' or "
                "'leave_one_out', or a relaxed family (GumbelSoftmax, RelaxedBernoulli)"
            )
        if family.relaxed and path_power != 1:
            raise ValueError(
                f"{owner}: the importance weights of {type(family).__name__}'s relaxed samples are no weights of the "
                "discrete model. Use ELBO, or the exact family with estimator='leave_one_out'"
            )

    def bound(self, integrand: Integrand, aggregate: Aggregate, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the bound twice: its own gradient is the estimate."""
        joint = integrand.joint(integrand.z)
        if not integrand.closed_form:
            joint = integrand.log_weights(joint, integrand.log_posterior(integrand.z))
        value = aggregate.value(joint)
        return value, value


class PathEstimator(Estimator):
    """∇_φ Σ_s v_s log w(z_s(φ)), log q's own parameters held fixed; v_s = w̃_s to the aggregate's power.

    The gradient by log w's sample is taken first and then sent down the path, so that any posterior can be used:
    a flow's weights need not be frozen.
    """

    analytic_kl = False
    along_samples = True
    power: int
    elsewhere: str

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Refuse a posterior without exact reparameterized samples, and a bound that it would bias."""
        if posterior.reparameterization_type != tfd.FULLY_REPARAMETERIZED or family.relaxed:
            raise ValueError(
                f"{owner}: {type(self).__name__} follows the samples' exact path, which {type(family).__name__} does "
                "not have; wanted a reparameterized posterior, such as keras_vae.families.Normal"
            )
        if path_power != self.power:
            raise ValueError(f"{owner}: {type(self).__name__} would bias this bound's gradient. {self.elsewhere}")

    def bound(self, integrand: Integrand, aggregate: Aggregate, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the bound and the path's surrogate."""
        z = tf.stop_gradient(integrand.z)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            joint = integrand.joint(z)
            log_weights = integrand.log_weights(joint, integrand.log_posterior(z))
        by_sample = tf.stop_gradient(tape.gradient(log_weights, z))
        weights = tf.stop_gradient(aggregate.weights(log_weights))
        path = tf.reduce_sum(by_sample * integrand.z, axis=tuple(range(2, len(z.shape))))
        surrogate = tf.reduce_sum(weights * joint + weights**self.power * path, axis=0)
        return aggregate.value(log_weights), surrogate


@keras.saving.register_keras_serializable("keras_vae")
class StickingTheLanding(PathEstimator):
    """The ELBO's gradient without the score of log q: Roeder, Wu & Duvenaud (2017), equation 8.

    Its variance vanishes where q(z|x) is the exact posterior. The KL is therefore taken by Monte Carlo, even
    where there is a closed form.
    """

    power = 1
    elsewhere = "For IWAE use estimator='doubly_reparameterized' (Tucker et al. 2019, section 4)"


@also_loads("DoublyReparametrised")
@keras.saving.register_keras_serializable("keras_vae")
class DoublyReparameterized(PathEstimator):
    """DReG, the importance-weighted bound's gradient with squared weights: Tucker et al. (2019), equation 8.

    Its signal-to-noise ratio does not fall with the number of samples. The decoder's and the prior's gradients
    are the usual ones.
    """

    power = 2
    elsewhere = "For ELBO, whose DReG it is, use estimator='sticking_the_landing'"
