"""Noise by rows: row i of an answer depends on row i of the request alone, whatever batch it rode in."""

from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.utils import seeds as streams


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


def sample_priors(prior: Callable[[tf.Tensor], tfd.Distribution], condition: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Draw one latent for each seed and condition.

    Args:
        prior: The function from y, `[1, ...]`, to p(z|y), batch shape `[1]`.
        condition: y, `[batch, ...]`.
        seeds: `[batch]` int64.

    Returns:
        z, `[batch, *latent]`: the same for the same seed and y, to the last bit.
    """
    dtype = prior(tf.zeros([1, *condition.shape[1:]], condition.dtype)).dtype

    def one_row(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        y, seed = row
        return prior(y[None]).sample(seed=streams.for_row(seed, streams.GENERATE))[0]

    return tf.map_fn(one_row, (condition, seeds), fn_output_signature=dtype)


def sample_posterior(
    family: Family, parameters: Parameters, seeds: tf.Tensor, num_samples: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw latents from each row's posterior with that row's seed.

    Args:
        family: The posterior's family.
        parameters: Its parameters, each `[batch, ...]`.
        seeds: `[batch]` int64.
        num_samples: How many latents a row.

    Returns:
        z, `[num_samples, batch, *latent]`, and log q(z|x), `[num_samples, batch]`.
    """
    dtype = tf.as_dtype(family.variable_dtype)

    def one_row(row: tuple[Parameters, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        row_parameters, seed = row
        posterior = family.distribution(row_parameters)
        # At once, because a flow knows the density of what it has just drawn at no cost.
        return posterior.experimental_sample_and_log_prob(num_samples, seed=streams.for_row(seed, streams.SCORE))

    z, log_posterior = tf.map_fn(one_row, (parameters, seeds), fn_output_signature=(dtype, dtype))
    return tf.transpose(z, [1, 0, *range(2, z.shape.rank)]), tf.transpose(log_posterior)
