"""The InfoVAE objective with the maximum mean discrepancy."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_vae.estimators import Reparameterized
from keras_vae.inference import Inference
from keras_vae.objectives.base import (
    LatentVariableModel,
    Objective,
    Terms,
    kl_of_groups,
    kl_terms,
    one_draw,
    refuse_jumps,
)
from keras_vae.schedules.base import non_negative
from keras_vae.utils import replicas
from keras_vae.utils.seeds import fold_in


@keras.saving.register_keras_serializable("keras_vae")
class InfoVAE(Objective):
    """InfoVAE: the ELBO with a smaller KL and a divergence between the aggregate posterior q(z) and the prior.

    L = E_q[log p(x|z)] − (1 − α) KL(q(z|x) ‖ p(z)) − (α + λ − 1) MMD(q(z), p(z)) (Zhao, Song & Ermon 2019,
    equation 6, and section 3.3 for the MMD). α = 1 is the MMD-VAE. The MMD compares one z per example of the global
    batch with as many samples of the prior, with the kernel exp(−‖z − z'‖²/2D) for D latents (Gretton et al. 2012,
    equation 5, non-negative).

    Args:
        alpha: α, from 0 to 1: how much of the KL is removed.
        lambda_: λ, with α + λ ≥ 1. The MMD is much smaller than 1, so values in the hundreds are usual.

    Raises:
        ValueError: If an argument is invalid; in the model's constructor, if samples of the posterior carry no
            gradient.

    Example:
        >>> objective = InfoVAE(alpha=1.0, lambda_=1000.0)  # the MMD-VAE
    """

    metrics = ("bound", "reconstruction", "kl", "mmd")
    num_samples = 1

    def __init__(self, alpha: float = 0.0, lambda_: float = 1000.0) -> None:
        self.alpha = non_negative(alpha, "InfoVAE: alpha")
        self.lambda_ = non_negative(lambda_, "InfoVAE: lambda_")
        if self.alpha > 1 or self.alpha + self.lambda_ < 1:
            raise ValueError(
                "InfoVAE: expected alpha from 0 to 1 and alpha + lambda_ of at least 1, received "
                f"alpha={alpha!r}, lambda_={lambda_!r}. Use alpha=1.0, lambda_=1000.0, for example."
            )

    def check(self, inference: Inference) -> None:
        """Raise an error for posteriors whose samples carry no gradient, and for relaxed ones."""
        densities = inference.densities(one_draw(inference))
        for name, family in inference.model.encoder.families.items():
            if family.relaxed:
                raise ValueError(
                    "InfoVAE: posterior: expected one with exact reparameterized samples, such as Normal, received "
                    f"{type(family).__name__}, whose samples are relaxed. Use ELBO."
                )
            Reparameterized().check("InfoVAE", family, densities.posterior[name], 1, 1)
            if densities.kl[name] is None:
                refuse_jumps("InfoVAE", family)

    def __call__(
        self,
        model: LatentVariableModel,
        x: tf.Tensor,
        seed: tf.Tensor,
        training: bool | None = None,
        condition: Any = None,
        sample_weight: tf.Tensor | None = None,
    ) -> Terms:
        """Return `loss`, `bound` (the ELBO), `reconstruction`, `kl`, and `mmd`, which is constant, each `[batch]`."""
        inference = model.infer(x, condition=condition, training=training)
        densities = inference.densities(inference.draw(1, seed))
        closed_form = {name: kl for name, kl in densities.kl.items() if kl is not None}
        kl = kl_terms(inference.groups, kl_of_groups(densities, closed_form))
        reconstruction = densities.log_likelihood[0]
        mmd = tf.broadcast_to(self._mmd(inference, densities.z, seed, sample_weight), tf.shape(reconstruction))
        loss = (1.0 - self.alpha) * kl["kl"] + (self.alpha + self.lambda_ - 1.0) * mmd - reconstruction
        return {"loss": loss, "bound": reconstruction - kl["kl"], "reconstruction": reconstruction, "mmd": mmd, **kl}

    def _mmd(
        self, inference: Inference, z: Mapping[str, tf.Tensor], seed: tf.Tensor, weight: tf.Tensor | None
    ) -> tf.Tensor:
        prior = inference.sample_prior(fold_in(seed, 1))
        mine = inference.groups.flatten({name: value[0] for name, value in z.items()})
        theirs = inference.groups.flatten(prior)
        mine, theirs = replicas.gather(mine), replicas.gather(theirs)
        if weight is None:
            return squared_mmd(mine, theirs)
        weight = replicas.gather(tf.cast(weight, mine.dtype))
        # As many samples of the prior as examples that count.
        return squared_mmd(mine, theirs, weight, replicas.present(weight))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"alpha": self.alpha, "lambda_": self.lambda_}


def squared_mmd(
    a: tf.Tensor, b: tf.Tensor, a_weight: tf.Tensor | None = None, b_weight: tf.Tensor | None = None
) -> tf.Tensor:
    """Return the squared maximum mean discrepancy of samples a `[m, D]` and b `[n, D]`, a scalar.

    Args:
        a: Samples.
        b: Other samples.
        a_weight: Weights of a, `[m]`; then b has weights as well.
        b_weight: Weights of b, `[n]`.
    """

    def mean_kernel(u: tf.Tensor, v: tf.Tensor, u_weight: Any, v_weight: Any) -> tf.Tensor:
        distance = tf.reduce_sum((u[:, None] - v[None]) ** 2, axis=-1)
        kernel = tf.exp(-distance / (2.0 * tf.cast(tf.shape(u)[1], u.dtype)))
        if u_weight is None:
            return tf.reduce_mean(kernel)
        weight = u_weight[:, None] * v_weight[None]
        return tf.math.divide_no_nan(tf.reduce_sum(tf.math.multiply_no_nan(kernel, weight)), tf.reduce_sum(weight))

    of_a, of_b = mean_kernel(a, a, a_weight, a_weight), mean_kernel(b, b, b_weight, b_weight)
    return of_a + of_b - 2.0 * mean_kernel(a, b, a_weight, b_weight)
