"""The Kullback–Leibler divergence from posterior to prior, in closed form where there is one."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd


def closed_form_kl(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor | None:
    """Return KL(q(z|x) ‖ p(z)), `[batch]`, in nats, or None if TFP knows no closed form for the pair.

    For two normals: ½ Σ_k (m_k² + s_k² − log s_k² − 1) (Kingma & Welling 2014, appendix B).

    Example:
        >>> q = tfd.MultivariateNormalDiag([[1.0, 0.0]], [[1.0, 1.0]])
        >>> float(closed_form_kl(q, tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]))[0])
        0.5
    """
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return None
