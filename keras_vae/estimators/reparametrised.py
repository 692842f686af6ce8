"""The reparametrised gradient."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.estimators.base import Aggregate, Estimator, Integrand, samples_carry_gradients
from keras_vae.families.base import Family


@keras.saving.register_keras_serializable("keras_vae")
class Reparametrised(Estimator):
    """The gradient through z = g(ε, x): Kingma & Welling (2014), section 2.4; Rezende, Mohamed & Wierstra (2014).

    For posteriors whose samples can be differentiated, and for relaxed ones.
    """

    along_samples = True

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Refuse a posterior whose samples carry no gradient, and importance weights of relaxed samples."""
        if not samples_carry_gradients(family, posterior):
            raise ValueError(
                f"{owner}: estimator 'reparametrised' needs a posterior whose samples carry a gradient, such as "
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
