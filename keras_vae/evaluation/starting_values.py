"""Where the search for a posterior of another family than the encoder's begins."""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_vae.families.base import Family
from keras_vae.families.full_normal import FullNormal
from keras_vae.families.normal import Normal
from keras_vae.families.planar_flow import PlanarFlow

# Of the maps of a flow: at zero their gradients would vanish.
_DEVIATION = 0.1


def starting_values(family: Family, loc: tf.Tensor, scale: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return unconstrained values whose distribution is, or is near, the diagonal normal N(loc, scale²).

    Args:
        family: `Normal` with a predicted scale, `FullNormal` or `PlanarFlow`, over vectors.
        loc: Means, `[batch, D]`.
        scale: Standard deviations, `[batch, D]`.
        seed: Of the maps of a flow, which begin near the identity.

    Returns:
        `[batch, *family.parameters_shape]`.

    Raises:
        ValueError: If the family is another.
    """
    log_scale = tf.math.log(scale)
    if isinstance(family, Normal) and family.scale_spec == "predicted":
        return tf.stack([loc, 2.0 * log_scale], axis=-1)
    if isinstance(family, FullNormal):
        triangle = tfp.math.fill_triangular_inverse(tf.linalg.diag(log_scale))
        return tf.concat([loc, triangle], axis=-1)
    if isinstance(family, PlanarFlow):
        maps = family.parameters_shape[0] - 2 * family.size
        shape = tf.concat([tf.shape(loc)[:-1], [maps]], axis=0)
        noise = _DEVIATION * tf.random.stateless_normal(shape, seed, dtype=loc.dtype)
        return tf.concat([loc, 2.0 * log_scale, noise], axis=-1)
    raise ValueError(
        f"inference_gaps: q* can be searched for among Normal with a predicted scale, FullNormal and PlanarFlow, whose "
        f"every value is of one data point; received {type(family).__name__}"
    )
