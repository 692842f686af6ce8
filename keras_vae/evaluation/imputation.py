"""Imputation: how well the model fills in hidden pixels."""

import math
from typing import Any

import numpy as np

from keras_vae.checks import seed_number
from keras_vae.evaluation.batches import through
from keras_vae.evaluation.hidden_pixels import masks
from keras_vae.evaluation.imputation_chains import chains_of
from keras_vae.evaluation.imputation_result import Imputation
from keras_vae.evaluation.likelihood_parts import joint_axes
from keras_vae.families.support import BINARY
from keras_vae.vae import VAE


def imputation(
    model: VAE,
    data: Any,
    hidden: Any = "pixels",
    *,
    share: float = 0.5,
    method: str = "metropolis",
    num_chains: int = 10,
    num_steps: int = 100,
    baseline: Any = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> Imputation:
    """Hide pixels of complete examples, fill them in by the model, and compare.

    For each example chains start from a sample of the model in the hidden places and take turns to draw
    z ~ q(z|x_observed, x_hidden) and x_hidden ~ p(x_hidden|z).

    - "gibbs" is just that, the pseudo-Gibbs sampler of Rezende, Mohamed & Wierstra (2014, appendix F): its stationary
      distribution is p(x_hidden|x_observed) only if q is the exact posterior.
    - "metropolis" takes q as a proposal, accepted with probability
      min(1, p(x, z')q(z|x) / p(x, z)q(z'|x)) (Metropolis-within-Gibbs: Mattei & Frellsen 2018, section 3), after a
      first quarter of pseudo-Gibbs steps. It is exact in the limit of many steps, whatever q is. Of images it may
      accept a few proposals in a hundred, and then takes many steps: the result warns.

    The imputed value is the mean of E[x_hidden|z] over the second half of all chains, an estimate of
    E[x_hidden|x_observed].

    Args:
        model: A trained VAE. Given z, what is hidden must be independent of what is not: pixels under any likelihood
            here, whole ones under `DiscretisedLogisticMixture`.
        data: As for `log_likelihood`: complete examples. For examples that are not complete there is `impute`.
        hidden: "pixels", each hidden at random; a side of the image, "left", "right", "top" or "bottom"; or booleans,
            `[n, *event]` or `[*event]`, True where hidden. Rules hide all channels of a pixel.
        share: Of pixels, or of the image's width or height, to hide; for rules.
        method: "metropolis" or "gibbs".
        num_chains: Independent chains for each example.
        num_steps: Of each chain; the second half counts.
        baseline: What to compare with, `[*event]`, such as the training data's mean; by default the mean of these very
            examples, hidden values included, which is a little better than anyone could know.
        batch_size: For arrays; a dataset keeps its own.
        seed: Of random masks and of the chains.
        verbose: Whether to show a progress bar.

    Returns:
        Imputed means and their error at the hidden values, beside the baseline's.

    Raises:
        ValueError: If an argument is refused, the likelihood does not factorise, or data is refused as in `VAE.fit`.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4, 4, 1), latent_size=2, hidden=[8])
        >>> x = np.zeros([10, 4, 4, 1], "float32")
        >>> found = imputation(vae, x, "top", num_chains=2, num_steps=4, verbose=False)
        >>> found.means.shape, int(found.hidden.sum())
        ((10, 4, 4, 1), 80)
    """
    seed = seed_number(seed, "imputation")
    joint = joint_axes(model)
    masks_of = masks(hidden, share, model.event_shape, joint, seed)
    chains = chains_of(model, method, num_chains, num_steps, seed, log_predictive=True)
    given = None if baseline is None else np.asarray(baseline, np.float64)
    if given is not None and given.shape != model.event_shape:
        raise ValueError(f"imputation: baseline has shape {given.shape}; wanted that of one x, {model.event_shape}")
    found, start = [], 0
    for batch in through(model, data, measure="imputation", batch_size=batch_size, verbose=verbose):
        mask = masks_of(batch.number, start, len(batch.x))
        of_batch = chains(batch, mask)
        size = len(mask)
        # One of the values that go together stands for all.
        parts = mask.reshape(size, -1, math.prod(model.event_shape[len(model.event_shape) - joint :]))[..., 0]
        nats = np.where(parts, -of_batch.log_predictive.reshape(size, -1), 0.0).sum(axis=1, dtype=np.float64)
        found.append((batch.x.numpy(), mask, of_batch.means, of_batch.acceptance, nats, parts.sum(axis=1)))
        start += size
    x, mask, means, acceptance, nats, hidden_parts = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    if not mask.any():
        raise ValueError(f"imputation: no value of {len(x)} examples is hidden; wanted a larger share than {share}")
    given_masks = None if isinstance(hidden, str) else np.asarray(hidden)
    if given_masks is not None and given_masks.ndim == x.ndim and len(given_masks) != len(x):
        raise ValueError(f"imputation: there are {len(given_masks)} masks and {len(x)} examples; wanted one for each")
    return Imputation(
        method=method,
        num_steps=num_steps,
        binary=model.observed_family.support is BINARY,
        x=x,
        hidden=mask,
        means=means,
        baseline=x.mean(axis=0, dtype=np.float64) if given is None else given,
        acceptance=acceptance,
        nats=nats,
        hidden_parts=hidden_parts,
    )
