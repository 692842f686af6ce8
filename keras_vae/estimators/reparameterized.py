"""Pathwise gradients: reparameterized, sticking the landing, doubly reparameterized."""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.estimators.base import Aggregate, Estimate, Estimator, LogWeight, samples_carry_gradients
from keras_vae.families.base import Family
from keras_vae.inference import Densities, Draws, Inference
from keras_vae.inference.densities import total
from keras_vae.utils.deprecation import also_loads


@also_loads("Reparametrised")
@keras.saving.register_keras_serializable("keras_vae")
class Reparameterized(Estimator):
    """The gradient through z = g(ε, x): Kingma & Welling (2014), section 2.4; Rezende, Mohamed & Wierstra (2014).

    For posteriors whose samples can be differentiated, and relaxed ones.
    """

    along_samples = True

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Raise an error for samples that carry no gradient, and for importance weights of relaxed samples."""
        if not samples_carry_gradients(family, posterior):
            raise ValueError(
                f"{owner}: estimator 'reparameterized': expected a posterior whose samples carry a gradient, such as "
                f"keras_vae.families.Normal, received {type(family).__name__}. Use estimator='nvil' or "
                "'leave_one_out', or a relaxed family (GumbelSoftmax, RelaxedBernoulli)."
            )
        if family.relaxed and path_power != 1:
            raise ValueError(
                f"{owner}: posterior: expected one with exact samples for importance weights, received "
                f"{type(family).__name__} with relaxed samples. Use ELBO, or the exact family with "
                "estimator='leave_one_out'."
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
        """Return the bound twice: its own gradient is the estimate."""
        densities = inference.densities(draws)
        value = aggregate.value(weigh(densities).value)
        return Estimate(value, value, densities)


class PathEstimator(Estimator):
    """∇_φ Σ_s v_s log w(z_s(φ)) with the parameters inside log q held fixed; v_s = w̃_s to the aggregate's power.

    log w is differentiated with respect to the sample only. This holds all parameters of q fixed, including a flow's
    weights and the maps between groups of latents. The gradient is then propagated through the samples.
    """

    analytic_kl = False
    along_samples = True
    power: int
    elsewhere: str

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Raise an error for posteriors without exact reparameterized samples, and for bounds with biased gradients."""
        if posterior.reparameterization_type != tfd.FULLY_REPARAMETERIZED or family.relaxed:
            raise ValueError(
                f"{owner}: {type(self).__name__}: expected a posterior with exact reparameterized samples, received "
                f"{type(family).__name__}. Use keras_vae.families.Normal, for example."
            )
        if path_power != self.power:
            raise ValueError(
                f"{owner}: estimator: expected one with unbiased gradients for this bound, received "
                f"{type(self).__name__}. {self.elsewhere}"
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
        """Return the bound and the surrogate of the pathwise gradient."""
        z = tf.nest.map_structure(tf.stop_gradient, draws.z)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            densities = inference.densities(Draws(z))
            log_weight = weigh(densities)
            log_weights = log_weight.value
        slopes = tape.gradient(log_weights, z, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        path = total(
            tf.reduce_sum(tf.stop_gradient(slopes[name]) * draws.z[name], axis=tuple(range(2, len(value.shape))))
            for name, value in z.items()
        )
        weights = tf.stop_gradient(aggregate.weights(log_weights))
        surrogate = tf.reduce_sum(weights * log_weight.model + weights**self.power * path, axis=0)
        return Estimate(aggregate.value(log_weights), surrogate, densities)


@keras.saving.register_keras_serializable("keras_vae")
class StickingTheLanding(PathEstimator):
    """The ELBO's gradient without the score of log q: Roeder, Wu & Duvenaud (2017), equation 8.

    Its variance vanishes if q(z|x) is the exact posterior. Therefore the KL is estimated by Monte Carlo, even if it has
    a closed form.
    """

    power = 1
    elsewhere = "Use estimator='doubly_reparameterized' for IWAE (Tucker et al. 2019, section 4)."


@also_loads("DoublyReparametrised")
@keras.saving.register_keras_serializable("keras_vae")
class DoublyReparameterized(PathEstimator):
    """DReG, the importance-weighted bound's gradient with squared weights: Tucker et al. (2019), equation 8.

    Its signal-to-noise ratio does not decrease with the number of samples. The gradients of decoder and prior are the
    usual ones.
    """

    power = 2
    elsewhere = "Use estimator='sticking_the_landing' for ELBO."
