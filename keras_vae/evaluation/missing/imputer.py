"""Imputing missing values: `impute`, for incomplete examples."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_vae.evaluation.batches import through
from keras_vae.evaluation.missing.hidden_pixels import masks
from keras_vae.evaluation.missing.imputation_chains import chains_of
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import seed_number
from keras_vae.vae import VAE


class Imputed(NamedTuple):
    """Examples with missing values filled in.

    Attributes:
        means: x with E[x_hidden | x_observed] at the missing positions, `[n, *event]`.
        draws: x with draws of x_hidden at the missing positions, the last one of each chain, `[chains, n, *event]`.
        acceptance: Share of accepted proposals in the second half of the chains, `[n]`; 1 for "gibbs".
    """

    means: np.ndarray
    draws: np.ndarray
    acceptance: np.ndarray


def impute(
    model: VAE,
    x: Any,
    *,
    hidden: Any,
    condition: Any = None,
    method: str = "metropolis",
    num_chains: int = 10,
    num_steps: int = 100,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> Imputed:
    """Fill in missing values.

    See `keras_vae.evaluation.imputation` for the methods, and to measure how good they are.

    Args:
        model: A trained VAE whose likelihood factorizes.
        x: `[n, *event]`; the values at missing positions are not read, and can be NaN.
        hidden: Booleans, True where a value is missing, `[n, *event]`, or `[*event]` for all.
        condition: One y for all, or one per example, `[n, ...]`; for a conditional model.
        method: "metropolis", exact in the limit of many steps, or "gibbs".
        num_chains: Independent chains per example, each of which ends in one draw.
        num_steps: Steps per chain; the second half counts.
        batch_size: Number of examples in a batch.
        seed: Seed of all noise.
        verbose: Whether to show a progress bar.

    Returns:
        The means, a draw from each chain, and the acceptance rate of each example.

    Raises:
        ValueError: If an argument is invalid, the likelihood does not factorize, or a visible value is outside its
            support.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> x = np.float32([[0, 1, np.nan, 1]])
        >>> found = impute(vae, x, hidden=np.isnan(x), num_chains=3, num_steps=8, verbose=False)
        >>> found.means.shape, found.draws.shape, bool(found.means[0, 1] == 1)
        ((1, 4), (3, 1, 4), True)
    """
    seed = seed_number(seed, "impute")
    mask = np.asarray(hidden)
    chains = chains_of(model, method, num_chains=num_chains, num_steps=num_steps, seed=seed)
    masks_of = masks(
        mask, share=0.5, event_shape=model.event_shape, joint=model.observed_family.joint_axes(), seed=seed
    )
    x = np.asarray(x, model.observed_family.variable_dtype)
    if x.shape[1:] != model.event_shape:
        raise ValueError(f"impute: x has the wrong shape: expected {('n', *model.event_shape)}, received {x.shape}")
    if model.condition is None and condition is not None:
        raise ValueError("impute: the model has no condition: expected condition=None, received one")
    y = None if model.condition is None else model.condition.rows(condition, len(x))
    if mask.ndim == x.ndim and len(mask) != len(x):
        raise ValueError(f"impute: masks and examples differ in number: expected {len(x)} masks, received {len(mask)}")
    # Any valid values at the missing positions, so that the rest can be checked.
    data = np.where(np.broadcast_to(mask, x.shape), _one_observation(model, None if y is None else y[:1], seed), x)
    found, start = [], 0
    batches = through(model, data if y is None else (data, y), measure="impute", batch_size=batch_size, verbose=verbose)
    for batch in batches:
        found.append(chains(batch, masks_of(batch.number, start, len(batch.x))))
        start += len(batch.x)
    return Imputed(
        np.concatenate([part.means for part in found]),
        np.concatenate([part.draws for part in found], axis=1),
        np.concatenate([part.acceptance for part in found]),
    )


def _one_observation(model: VAE, y: Any, seed: int) -> np.ndarray:
    of_z, of_x = tf.unstack(tf.random.experimental.stateless_split(streams.derive(seed, "impute"), 2))
    z = model.sample_prior(1, seed=of_z, condition=y)
    return model.likelihood(z, condition=y).sample(seed=of_x)[0].numpy()
