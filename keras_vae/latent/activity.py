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

    Burda, Grosse & Salakhutdinov (2016), section 5.2, call a latent active if this is above 0.01 (`ACTIVE`). With
    several groups of latents, the mean of a group is the one given the means of the groups before it, as in `encode`.

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


def active(support: Support, nats: np.ndarray | None, variance: np.ndarray | None) -> np.ndarray | None:
    """Return which latents are active, `[*latents]`, or None where that is not known.

    The limit on the variance is relative to the standard normal prior: bounded and discrete latents are judged by their
    KL.

    Args:
        support: Support of the latents.
        nats: KL of each latent, `[*latents]`; None if the KL is not a sum over latents.
        variance: Variance of the posterior means, `[*latents]`; needed for real latents only.
    """
    if support.real:
        assert variance is not None, "needed for real latents"
        return variance > ACTIVE
    return None if nats is None else nats > ACTIVE
