"""Refusing parts that do not go together, when a model is built."""

from typing import Any

from keras_vae.conditions import Condition
from keras_vae.encoder_decoder import Decoder, Encoder
from keras_vae.families import Family
from keras_vae.objectives import Objective
from keras_vae.priors import Prior


def check_kinds(encoder: Any, decoder: Any, prior: Any, objective: Any, condition: Any) -> None:
    """Check that each part is of its kind.

    Raises:
        TypeError: If one is not.
    """
    for name, part, kind in (
        ("encoder", encoder, Encoder),
        ("decoder", decoder, Decoder),
        ("prior", prior, Prior | None),
        ("objective", objective, Objective | None),
        ("condition", condition, Condition | None),
    ):
        if not isinstance(part, kind):
            raise TypeError(f"VAE: {name} must be a keras_vae {kind}; received {part!r}")


def check_latents(posterior: Family, prior: Prior, condition: Condition | None) -> None:
    """Check that posterior and prior are over the same latents.

    Raises:
        ValueError: If shapes or values differ, or the prior wants a condition and there is none.
    """
    if prior.event_shape != posterior.event_shape:
        raise ValueError(
            f"VAE: the posterior's latent has shape {posterior.event_shape}, but the prior's has {prior.event_shape}; "
            "give both the same event_shape"
        )
    if prior.support is not posterior.support:
        raise ValueError(
            f"VAE: the posterior {type(posterior).__name__} has {posterior.support.name} latents, but the prior "
            f"{type(prior).__name__} is over {prior.support.name} ones; give a prior over the same values, such as "
            f"{'StandardNormal' if posterior.support.name == 'real' else 'Uniform'} or Learned"
        )
    if prior.conditional and condition is None:
        raise ValueError(
            f"VAE: the prior {type(prior).__name__} depends on a condition, and the model has none; give "
            "condition=keras_vae.conditions.Label(10), say"
        )
