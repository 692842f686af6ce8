"""The independent parts of a likelihood: what can be hidden without the rest."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.discretized_logistic_mixture import DiscretizedLogisticMixtureDistribution
from keras_vae.utils.distributions import factors
from keras_vae.vae import VAE


def log_prob_by_part(distribution: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
    """Return the log-probability of each independent part of x.

    Args:
        distribution: p(x|z), of one of the families.
        x: `[..., *event]`.

    Returns:
        `[..., *parts]`, in nats: the shape of an event without the trailing axes that belong together, such as the
        channels of a mixture of logistics.

    Raises:
        ValueError: If the distribution does not factorize.

    Example:
        >>> pair = tfd.Independent(tfd.Normal([0.0, 0.0], 1.0), 1)
        >>> log_prob_by_part(pair, tf.constant([0.0, 1.0])).numpy().round(4).tolist()
        [-0.9189000129699707, -1.4189000129699707]
    """
    elements = factors(distribution)
    if elements is not None:
        return elements.log_prob(x)
    if isinstance(distribution, DiscretizedLogisticMixtureDistribution):
        return distribution.log_prob_by_pixel(x)
    raise ValueError(
        "imputation: the likelihood has no independent parts: expected one that factorizes, such as "
        f"keras_vae.families.Bernoulli or Normal, received {distribution.name}"
    )


def joint_axes(model: VAE) -> int:
    """Return the number of trailing axes of x that belong together: they are hidden together or not at all.

    Raises:
        ValueError: As `log_prob_by_part`.

    Example:
        >>> import keras_vae as kv
        >>> joint_axes(kv.models.vae((28, 28, 1), latent_size=2, hidden=[8]))
        0
    """
    family = model.observed_family
    likelihood = family.distribution(family(tf.zeros(family.parameters_shape, family.variable_dtype)))
    mode = tf.zeros(family.event_shape, family.variable_dtype)
    return len(family.event_shape) - log_prob_by_part(likelihood, mode).shape.rank
