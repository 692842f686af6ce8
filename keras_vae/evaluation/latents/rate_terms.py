"""The terms of rate and distortion: of each batch, and the estimate of the mutual information from all of them."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.evaluation.latents.aggregate_posterior import log_aggregate
from keras_vae.inference import Densities, Inference
from keras_vae.inference.densities import total
from keras_vae.utils import seeds as streams

# With fewer examples, the slope of the control variate would fit their noise.
_FITTED = 30


def terms(inference: Inference, seed: tf.Tensor, num_samples: tf.Tensor) -> dict[str, Any]:
    """Return the terms of one batch.

    Args:
        inference: The model at the batch.
        seed: A stateless seed.
        num_samples: Samples z per example, a scalar.

    Returns:
        `rates`, `[batch]`, `nats`, `mean` and `scale`, `[batch, *latents]`, each by group; `nats` lacks groups whose
        KL is not a sum over latents. `distortion`, `[batch]`. Of the first sample `z`, all latents side by side,
        `[batch, latents]`, with `log_posterior` and `log_prior`, `[batch]`. And `references`, what q(z|x) is made of.
    """
    # Used only for what does not depend on the draw.
    any_draw = inference.densities(inference.draw(1, seed))
    exact = exact_rates(any_draw)
    by_latent = {name: nats for name, nats in any_draw.kl_per_latent.items() if nats is not None}

    def draw(number: tf.Tensor) -> dict[str, Any]:
        noise = streams.fold_in(seed, number)
        z, log_posterior = inference.sample_and_log_posterior(1, noise)
        densities = inference.densities(z)
        found = {
            "z": inference.groups.flatten(z),
            "log_posterior": total(log_posterior.values()),
            "log_prior": total(densities.log_prior.values()),
            "log_likelihood": densities.log_likelihood,
            "rates": {name: _rate(densities, name, log_posterior[name]) for name in log_posterior if name not in exact},
            "nats": {name: densities.kl_per_latent[name] for name in by_latent if name not in exact},
        }
        return tf.nest.map_structure(lambda value: value[0], found)

    dtype = tf.as_dtype(inference.model.prior.variable_dtype)
    dtypes: dict[str, Any] = dict.fromkeys(("z", "log_posterior", "log_prior", "log_likelihood"), dtype)
    dtypes["rates"] = {name: dtype for name in any_draw.kl if name not in exact}
    dtypes["nats"] = {name: dtype for name in by_latent if name not in exact}
    found = tf.map_fn(draw, tf.range(num_samples), fn_output_signature=dtypes, parallel_iterations=1)
    means = tf.nest.map_structure(
        lambda value: tf.reduce_mean(value, axis=0), {name: found[name] for name in ("log_likelihood", "rates", "nats")}
    )
    parameters, _ = inference.points()
    families = inference.model.encoder.families
    condition = {} if inference.condition is None else {"condition": inference.condition}
    return {
        **{name: found[name][0] for name in ("z", "log_posterior", "log_prior")},
        "distortion": -means["log_likelihood"],
        "rates": {**means["rates"], **exact},
        "nats": {**means["nats"], **{name: nats for name, nats in by_latent.items() if name in exact}},
        "mean": {name: family.mean(parameters[name]) for name, family in families.items()},
        "scale": {name: family.scale(parameters[name]) for name, family in families.items()},
        "references": {"evidence": inference.evidence, **condition},
    }


def exact_rates(densities: Densities) -> dict[str, tf.Tensor]:
    """Return the KL, `[batch]`, of each group whose KL has a closed form and does not depend on earlier groups."""
    return {name: kl for name, kl in densities.kl.items() if kl is not None and kl.shape.rank == 1}


def _rate(densities: Densities, name: str, log_posterior: tf.Tensor) -> tf.Tensor:
    kl = densities.kl[name]
    return log_posterior - densities.log_prior[name] if kl is None else kl


def information(
    one: Inference, found: dict[str, Any], rate: np.ndarray, *, references: int, seed: int, verbose: bool
) -> np.ndarray:
    """Return an estimate of I_q(x; z) from each example, `[n]`.

    Args:
        one: The model at any x.
        found: The terms of all examples.
        rate: Their rates, `[n]`.
        references: Number of posteriors in the aggregate posterior.
        seed: Seed of the choice of references.
        verbose: Whether to show a progress bar.
    """
    count = len(rate)
    chosen = np.sort(streams.generator(seed, "rate_distortion").choice(count, references, replace=False))
    left_out = np.arange(count) % references
    left_out[chosen] = np.arange(references)
    own = found["log_posterior"].astype(np.float64)

    def log_density(given: dict[str, Any], z: tf.Tensor) -> tf.Tensor:
        densities = one.at(given["evidence"], given.get("condition")).densities(one.groups.unflatten(z))
        return total(densities.log_posterior.values())

    log_aggregates = log_aggregate(
        log_density,
        tf.nest.map_structure(lambda value: value[chosen], found["references"]),
        found["z"],
        own=own,
        left_out=left_out,
        verbose=verbose,
    )
    estimate = own - log_aggregates
    # A control variate: the noise of z in log q(z|x)/p(z), whose mean over z is the rate. It removes nearly all noise
    # where q(z) is close to the prior, and changes nothing where the estimate has reached log M.
    surplus = own - found["log_prior"] - rate
    spread = np.var(surplus)
    if count < _FITTED or not spread > 0:
        return estimate
    slope = np.mean((estimate - estimate.mean()) * surplus) / spread
    return estimate - slope * surplus
