"""The evidence lower bound."""

from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.checks import positive_integer
from keras_vae.objectives.base import LatentVariableModel, Objective, Terms
from keras_vae.objectives.kl import closed_form_kl


@keras.saving.register_keras_serializable("keras_vae")
class ELBO(Objective):
    """The evidence lower bound, E_q(z|x)[log p(x|z)] − KL(q(z|x) ‖ p(z)) ≤ log p(x).

    Kingma & Welling (2014), equation 3; estimated by their equation 7 where the KL has a closed form and by
    their equation 6 where it has none, with reparametrised samples.

    Args:
        num_samples: L, the number of Monte-Carlo samples for each example.

    Raises:
        ValueError: If `num_samples` is not a positive integer; when called, if the posterior's samples carry no
            gradient.
    """

    metrics = ("bound", "reconstruction", "kl")

    def __init__(self, num_samples: int = 1) -> None:
        self.num_samples = positive_integer(num_samples, "ELBO: num_samples")

    def __call__(
        self, model: LatentVariableModel, x: tf.Tensor, seed: tf.Tensor, training: bool | None = None
    ) -> Terms:
        """Return `loss` = −`bound`, `bound`, `reconstruction` = E_q[log p(x|z)] and `kl`, each `[batch]`."""
        posterior = model.posterior(x, training=training)
        if posterior.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
            raise ValueError(
                f"ELBO: its gradient needs a reparametrised posterior, such as keras_vae.families.Normal; received "
                f"{posterior.name}, whose samples carry no gradient"
            )
        prior = model.prior.distribution()
        z = posterior.sample(self.num_samples, seed=seed)
        reconstruction = tf.reduce_mean(model.likelihood(z, training=training).log_prob(x), axis=0)
        kl = closed_form_kl(posterior, prior)
        if kl is None:
            kl = tf.reduce_mean(posterior.log_prob(z) - prior.log_prob(z), axis=0)
        bound = reconstruction - kl
        return {"loss": -bound, "bound": bound, "reconstruction": reconstruction, "kl": kl}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"num_samples": self.num_samples}
