"""Noise by rows: row i of an answer depends on row i of the request alone, whatever batch it rode in."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import seeds as streams
from keras_vae.families.base import Family, Parameters


def sample_prior(prior: tfd.Distribution, seeds: tf.Tensor) -> tf.Tensor:
    """Draw one latent for each seed.

    Args:
        prior: p(z), batch shape `[]`.
        seeds: `[batch]` int64.

    Returns:
        z, `[batch, *latent]`: the same for the same seed, to the last bit.
    """
    return tf.map_fn(
        lambda seed: prior.sample(seed=streams.for_row(seed, streams.GENERATE)),
        seeds,
        fn_output_signature=prior.dtype,
    )


def sample_posterior(family: Family, parameters: Parameters, seeds: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Draw latents from each row's posterior with that row's seed.

    Args:
        family: The posterior's family.
        parameters: Its parameters, each `[batch, ...]`.
        seeds: `[batch]` int64.
        num_samples: How many latents a row.

    Returns:
        z, `[num_samples, batch, *latent]`.
    """

    def one_row(row: tuple[Parameters, tf.Tensor]) -> tf.Tensor:
        row_parameters, seed = row
        posterior = family.distribution(row_parameters)
        return posterior.sample(num_samples, seed=streams.for_row(seed, streams.SCORE))

    z = tf.map_fn(one_row, (parameters, seeds), fn_output_signature=tf.as_dtype(family.variable_dtype))
    return tf.transpose(z, [1, 0, *range(2, z.shape.rank)])
