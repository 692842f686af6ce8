"""Sampling with one seed per row: row i of the result depends only on row i of the inputs, in any batch."""

from typing import Any

import tensorflow as tf

from keras_vae.families.base import Family, Parameters
from keras_vae.inference.densities import Parts, begin_prior, total
from keras_vae.inference.inference import Inference, group_seed
from keras_vae.utils import seeds as streams


def sample_prior(model: Parts, condition: tf.Tensor | None, seeds: tf.Tensor) -> dict[str, tf.Tensor]:
    """Draw one z ~ p(z) per seed.

    Args:
        model: The model, whose encoder is used by priors made of posteriors.
        condition: The encoded y, `[batch, size]`, or None.
        seeds: `[batch]` int64.

    Returns:
        z by group, each `[batch, *latent]`: the same, bit for bit, for the same seed and y.
    """
    prior = model.prior
    given = condition is not None and (prior.conditional or prior.made_of_posteriors)
    # Outside the loop, so that it is computed once.
    for_all = None if given else begin_prior(model, None)

    def one_row(row: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        seed, *y = row
        path = begin_prior(model, y[0][None]) if given else for_all
        noise = streams.for_row(seed, streams.GENERATE)
        found = {}
        for index, name in enumerate(prior.groups):
            distribution = prior.group(name, path)
            z = distribution.sample(seed=group_seed(noise, index))
            found[name] = z[0] if distribution.batch_shape.rank else z
            path = prior.extend(name, path, found[name][None])
        return found

    dtypes = dict.fromkeys(prior.groups, tf.as_dtype(prior.variable_dtype))
    return tf.map_fn(one_row, (seeds, condition) if given else (seeds,), fn_output_signature=dtypes)


def sample_posterior(inference: Inference, seeds: tf.Tensor, num_samples: int) -> tuple[Any, tf.Tensor]:
    """Draw latents from each row's posterior with that row's seed.

    Args:
        inference: The inference for a batch of x.
        seeds: `[batch]` int64.
        num_samples: Number of latents per row.

    Returns:
        z, `[num_samples, batch, *latent]`, a tensor or a dict of groups, and log q(z|x), `[num_samples, batch]`.
    """
    families = inference.model.encoder.families
    # XLA drops the assertion that there is one seed per row, and the loop below would drop seeds or rows; a reshape
    # fails instead.
    seeds = tf.reshape(seeds, tf.shape(inference.x)[:1])
    given = [] if inference.condition is None else [inference.condition]

    def one_row(row: tuple[Any, ...]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        seed, evidence, *y = row
        at_row = inference.at(tf.nest.map_structure(lambda part: part[None], evidence), y[0][None] if y else None)
        noise = streams.for_row(seed, streams.SCORE)
        z, log_posterior = at_row.sample_and_log_posterior(num_samples, noise)
        by_group = inference.groups.unpack(z)
        return {name: by_group[name][:, 0] for name in families}, total(log_posterior.values())[:, 0]

    dtypes = {name: tf.as_dtype(family.variable_dtype) for name, family in families.items()}
    dtype = next(iter(dtypes.values()))
    z, log_q = tf.map_fn(one_row, (seeds, inference.evidence, *given), fn_output_signature=(dtypes, dtype))
    in_order = {name: tf.transpose(part, [1, 0, *range(2, part.shape.rank)]) for name, part in z.items()}
    return inference.groups.pack(in_order), tf.transpose(log_q)


def sample_likelihood(family: Family, parameters: Parameters, seeds: tf.Tensor) -> tf.Tensor:
    """Draw one x ~ p(x|z) per row, `[batch, *event]`, with that row's seed.

    Args:
        family: The likelihood's family.
        parameters: Its parameters, each `[batch, ...]`.
        seeds: `[batch]` int64.
    """

    def one_row(row: tuple[Parameters, tf.Tensor]) -> tf.Tensor:
        of_row, seed = row
        return family.distribution(of_row).sample(seed=streams.for_row(seed, streams.DRAW))

    dtype = tf.as_dtype(family.variable_dtype)
    return tf.map_fn(one_row, (parameters, seeds), fn_output_signature=dtype)
