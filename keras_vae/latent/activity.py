"""Activity: how far the posterior mean of each latent varies with x."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.families.support import Support
from keras_vae.latent.codes import LatentModel, means

# Burda, Grosse & Salakhutdinov (2016), section 5.2: a latent is active above this.
ACTIVE = 0.01


def activity(model: LatentModel, x: Any, *, condition: Any = None) -> Any:
    """Return the activity of each latent, Var_x(E_q(z|x)[z]): how far its posterior mean varies with x.

    Burda, Grosse & Salakhutdinov (2016), section 5.2, call a latent active if this is above 0.01 (`ACTIVE`). That holds
    for the prior N(0, I), since a variance is relative to the prior's scale; `keras_vae.training.Monitor` and
    `keras_vae.evaluation.rate_distortion` judge latents under other priors by their KL. With several groups of latents,
    the mean of a group is the one given the means of the groups before it, as in `encode`.

    Args:
        model: A VAE.
        x: Examples, `[n, *event]`; a hundred or more for a stable figure.
        condition: One label or vector for all x, or one per x; for a conditional model.

    Returns:
        `[*latent]`, the variance over x (divided by n), in the latent's units squared; by group if there are several.

    Raises:
        ValueError: If x or the condition has the wrong shape.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> int(np.sum(activity(vae, np.ones([10, 4])) > ACTIVE))  # all x are equal: nothing varies
        0
    """
    return tf.nest.map_structure(
        lambda values: values.var(axis=0, dtype=np.float64), means(model, x, condition, "activity")
    )


def active(
    *, standard_normal: bool, support: Support, nats: np.ndarray | None, means: np.ndarray, scales: np.ndarray
) -> np.ndarray | None:
    """Return which latents of a group are active, `[*latents]`, or None where that is not known.

    - Under the prior N(0, I): if the variance of the posterior means is above 0.01, as in `activity`.
    - Under any other prior, on whose scale 0.01 may be much or little: if the latent's KL is above 0.01 nats.
    - Where that KL is not known, because posterior or prior does not factorize: if x accounts for more than 1 % of
      the latent's variance, Var_x(E_q[z]) / (Var_x(E_q[z]) + E_x[Var_q(z)]), which has no scale. For a latent with
      the variance 1 it is the first rule. Unknown for discrete and bounded latents.

    Args:
        standard_normal: Whether the prior is N(0, I).
        support: Support of the latents.
        nats: KL of each latent, mean over x, `[*latents]`; None if the KL is not a sum over latents.
        means: Posterior means, `[n, *latents]`.
        scales: Posterior standard deviations, `[n, *latents]`.

    Example:
        >>> from keras_vae.families import REAL
        >>> means, scales = np.array([[-0.2, -0.2], [0.2, 0.2]]), np.array([[0.1, 10.0], [0.1, 10.0]])
        >>> for standard in (True, False):
        ...     active(standard_normal=standard, support=REAL, nats=None, means=means, scales=scales).tolist()
        [True, True]
        [True, False]
    """
    variance = np.var(means, axis=0, dtype=np.float64)
    if standard_normal:
        return variance > ACTIVE
    if nats is not None:
        return nats > ACTIVE
    if not support.real:
        return None
    return variance > ACTIVE * (variance + np.mean(np.square(scales, dtype=np.float64), axis=0))
