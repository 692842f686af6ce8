"""Conformance checks of one part, by itself and in a small model."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae import families
from keras_vae.conditions import Label
from keras_vae.encoder_decoder import Decoder, Encoder
from keras_vae.families import Family
from keras_vae.networks import MLP
from keras_vae.objectives import Objective
from keras_vae.priors import Learned, Prior
from keras_vae.testing.density_checks import check_density
from keras_vae.testing.expect import expect, expect_close, step
from keras_vae.testing.model_checks import check_config, trained_copy
from keras_vae.utils.arguments import one_line
from keras_vae.vae import VAE

_ROWS = 64
_LATENTS = 2
_CLASSES = 3
_X = (8,)


def check_family(family: Family, *, posterior: bool = False) -> None:
    """Check a user-defined family: its density, its samples, and a model with it.

    The density must integrate or sum to 1, which is checked if the family factorizes or has one element. Samples must
    have the mean of the density and be in the support; NaN must not be in the support. The model must pass
    `check_model`.

    Args:
        family: An instance. A small one, such as `MyFamily((4,))`, is fastest.
        posterior: Whether to use it as the posterior, with the prior `Learned(family)`, instead of the likelihood.

    Raises:
        AssertionError: If a check fails. The message has one line.

    Example:
        >>> import keras_vae as kv
        >>> check_family(kv.families.Beta((4,)))
    """
    _expect_object(family, Family)
    with step(f"check_family({type(family).__name__})"):
        x = check_density(family)
        if posterior:
            _check_in_a_model(encoder=_encoder(family), prior=Learned(family))
        else:
            _check_in_a_model(decoder=Decoder(MLP([16]), family), x=x)


def check_prior(prior: Prior, *, posterior: Family | None = None, event_shape: int | Sequence[int] = _X) -> None:
    """Check a user-defined prior: samples, densities, gradients, and a model with it.

    Args:
        prior: An instance. If it depends on a condition, the model has labels of three classes.
        posterior: A family with the prior's shape and support. Chosen by the support by default.
        event_shape: Shape of one x, for a prior that depends on it.

    Raises:
        AssertionError: If a check fails. The message has one line.
        ValueError: If no posterior is given and the prior's support is not one of this package's.

    Example:
        >>> import keras_vae as kv
        >>> check_prior(kv.priors.StandardNormal(2))
    """
    _expect_object(prior, Prior)
    family = _posterior_for(prior) if posterior is None else posterior
    with step(f"check_prior({type(prior).__name__})"):
        shape = tuple(event_shape) if isinstance(event_shape, Sequence) else (event_shape,)
        model, _ = _check_in_a_model(encoder=_encoder(family), prior=prior, x=_binary(shape), labeled=prior.conditional)
        labels = np.arange(5) % _CLASSES if prior.conditional else None
        distribution = model.prior_distribution(condition=labels)
        z = distribution.sample(() if prior.conditional else 5, seed=[1, 2])
        expect(
            tuple(z.shape) == (5, *prior.event_shape),
            f"sample: expected shape {(5, *prior.event_shape)}, received {tuple(z.shape)}. Check the event's axes",
        )
        expect(
            np.all(prior.support.contains(z)),
            f"sample: expected {prior.support.expected}, received a value outside. Set support to the set of values",
        )
        log_prob = distribution.log_prob(z)
        expect(
            tuple(log_prob.shape) == (5,) and np.all(np.isfinite(log_prob)),
            f"log_prob: expected 5 finite numbers, received {one_line(np.asarray(log_prob))}. "
            "Sum over the event's axes",
        )


def check_objective(objective: Objective, *, posterior: Family | None = None) -> None:
    """Check a user-defined objective: its terms, and a model with it.

    The terms must be `loss` and each of `metrics`, one number per example, and reproducible by the seed. A metric
    called `bound` must increase in training and not exceed log p(x), here of 8 binary values, estimated with 1,000
    importance samples.

    Args:
        objective: An instance.
        posterior: A family over two latents. Defaults to `Normal(2)`.

    Raises:
        AssertionError: If a check fails. The message has one line.

    Example:
        >>> import keras_vae as kv
        >>> check_objective(kv.objectives.IWAE(5))
    """
    with step(f"check_objective({type(objective).__name__})"):
        with step("config"):
            check_config(objective)
        family = families.Normal(_LATENTS) if posterior is None else posterior
        model, trained = _check_in_a_model(encoder=_encoder(family), prior=_prior_for(family), objective=objective)
        x, seed = tf.constant(_binary(_X)), tf.constant([3, 4])
        terms = objective(model, x, seed, training=False)
        names = {"loss", *objective.metrics}
        expect(set(terms) == names, f"terms: expected {sorted(names)}, received {sorted(terms)}. List them in metrics")
        expect_close(
            objective(model, x, seed, training=False)["loss"],
            terms["loss"],
            "loss at one seed, twice",
            "Draw all noise from the seed that is passed in",
        )
        if "bound" in terms:
            inference = model.infer(x)
            log_weights = inference.log_weights(inference.sample(1000, tf.constant([5, 6])))
            log_likelihood = float(tf.reduce_mean(tf.reduce_logsumexp(log_weights, axis=0) - np.log(1000.0)))
            bound = float(tf.reduce_mean(terms["bound"]))
            later = float(tf.reduce_mean(objective(trained, x, seed, training=False)["bound"]))
            expect(
                later > bound,
                f"bound: expected an increase in training, received {bound:.4f} before and {later:.4f} after. Check "
                "the sign of the loss",
            )
            expect(
                bound < log_likelihood + 0.5,
                f"bound: expected at most log p(x) = {log_likelihood:.2f} nats on average, received {bound:.2f}. Check "
                "the signs of its terms",
            )


def check_network(network: keras.Model, event_shape: int | Sequence[int] = _X) -> None:
    """Check a user-defined network as the encoder's network in a model.

    Args:
        network: An unbuilt Keras model on `[batch, *event]`.
        event_shape: Shape of one x.

    Raises:
        AssertionError: If a check fails. The message has one line.

    Example:
        >>> import keras_vae as kv
        >>> check_network(kv.networks.MLP([16]))
    """
    with step(f"check_network({type(network).__name__})"):
        shape = tuple(event_shape) if isinstance(event_shape, Sequence) else (event_shape,)
        with step("config"):
            check_config(network)
        _check_in_a_model(encoder=Encoder(network, families.Normal(_LATENTS)), x=_binary(shape))


def _check_in_a_model(x: np.ndarray | None = None, labeled: bool = False, **parts: Any) -> tuple[VAE, VAE]:
    """Check a model with these parts, and return it and a trained copy."""
    x = _binary(_X) if x is None else x
    parts.setdefault("encoder", _encoder(families.Normal(_LATENTS)))
    parts.setdefault("decoder", Decoder(MLP([16]), families.Bernoulli(x.shape[1:])))
    y = np.arange(len(x)) % _CLASSES if labeled else None
    with step("building a keras_vae.VAE"):
        vae = VAE(**parts, condition=Label(_CLASSES) if labeled else None, seed=1)
    return vae, trained_copy(vae, x, y)


def _encoder(family: Family) -> Encoder:
    return Encoder(MLP([16]), family)


def _binary(shape: Sequence[int]) -> np.ndarray:
    return (np.random.default_rng(0).random([_ROWS, *shape]) < 0.3).astype(np.float32)


def _posterior_for(prior: Prior) -> Family:
    for support, family in (
        (families.REAL, families.Normal),
        (families.BINARY, families.RelaxedBernoulli),
        (families.ONE_HOT, families.GumbelSoftmax),
        (families.UNIT_INTERVAL, families.PiecewiseConstant),
    ):
        if prior.support is support:
            return family(prior.event_shape)
    raise ValueError(
        f"check_prior: expected a posterior for a prior over {prior.support.name} values, received none. Pass "
        "posterior=, a family with the prior's shape and support."
    )


def _prior_for(family: Family) -> Prior | None:
    return None if family.support.real else Learned(family)


def _expect_object(part: Any, kind: type) -> None:
    received = f"the class {part.__name__}" if isinstance(part, type) else type(part).__name__
    expect(isinstance(part, kind), f"expected a {kind.__name__} object, received {received}. Pass an instance")
