"""Closed forms of the Kullback–Leibler divergence from posterior to prior."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.utils.distributions import factors


def closed_form_kl(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor | None:
    """Return KL(q(z|x) ‖ p(z)), `[batch]`, in nats, or None if there is no closed form for the pair.

    For two normals: ½ Σ_k (m_k² + s_k² − log s_k² − 1) (Kingma & Welling 2014, appendix B).

    Example:
        >>> q = tfd.MultivariateNormalDiag([[1.0, 0.0]], [[1.0, 1.0]])
        >>> float(closed_form_kl(q, tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]))[0])
        0.5
    """
    try:
        return tfd.kl_divergence(_multivariate(posterior, prior), _multivariate(prior, posterior))
    except NotImplementedError:
        return None


def kl_per_latent(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor | None:
    """Return the KL of each latent, `[batch, *latents]`, in nats, or None if the KL is not such a sum.

    For categorical latents, `[batch, variables]`.

    Example:
        >>> q = tfd.Independent(tfd.Normal([[1.0, 0.0]], [[1.0, 1.0]]), 1)
        >>> kl_per_latent(q, tfd.Independent(tfd.Normal([0.0, 0.0], [1.0, 1.0]), 1)).numpy().tolist()
        [[0.5, 0.0]]
    """
    mine, theirs = factors(posterior), factors(prior)
    return None if mine is None or theirs is None else closed_form_kl(mine, theirs)


def _multivariate(distribution: tfd.Distribution, other: tfd.Distribution) -> tfd.Distribution:
    """Return independent normals as a multivariate normal if `other` is one, for which TFP has a closed form."""
    elements = factors(distribution)
    if (
        not isinstance(other, tfd.MultivariateNormalTriL)
        or not isinstance(elements, tfd.Normal)
        or len(distribution.event_shape) != 1
    ):
        return distribution
    return tfd.MultivariateNormalDiag(elements.mean(), elements.stddev())
