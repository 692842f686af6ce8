"""Composes a model from names and numbers."""

from collections.abc import Sequence

import keras

from keras_vae.conditions import Condition
from keras_vae.encoder_decoder import Decoder, Encoder
from keras_vae.families import Family, Normal
from keras_vae.families.registry import Likelihood, as_likelihood
from keras_vae.networks import MLP, ConvDecoder, ConvEncoder
from keras_vae.objectives import ELBO, Objective
from keras_vae.priors import Prior
from keras_vae.utils.arguments import as_shape, lookup
from keras_vae.vae import VAE

NETWORKS = ("mlp", "conv")


def vae(
    event_shape: int | Sequence[int],
    *,
    latent_size: int = 20,
    likelihood: Likelihood = "bernoulli",
    network: str = "mlp",
    hidden: Sequence[int] | None = None,
    scale: float | str | None = None,
    num_samples: int = 1,
    posterior: Family | None = None,
    prior: Prior | None = None,
    objective: Objective | None = None,
    condition: Condition | None = None,
    seed: int | None = None,
) -> VAE:
    """Compose a VAE; by default that of Kingma & Welling (2014): normal posterior, standard normal prior, ELBO.

    Args:
        event_shape: Shape of one x, such as `(28, 28, 1)`.
        latent_size: The number of latents.
        likelihood: A name in `keras_vae.families.LIKELIHOODS`, such as `"bernoulli"`; a family of your own as
            `"package.module:Name"`, as a class, or as an object over `event_shape`.
        network: `"mlp"`, or `"conv"` for images.
        hidden: The encoder's widths (MLP, `[400, 400]`) or filters (convolutional, `[32, 64]`). The decoder has
            the same in reverse.
        scale: Of a likelihood that has one, such as the normal: `"learned"` (its default), `"learned_per_element"`,
            `"predicted"` or a number.
        num_samples: L, Monte Carlo samples per example.
        posterior: The posterior's family; `Normal(latent_size)` by default.
        prior: The prior; the standard normal by default.
        objective: The objective; `ELBO(num_samples)` by default.
        condition: As in `keras_vae.VAE`.
        seed: The seed of all noise.

    Returns:
        An uncompiled `keras_vae.VAE`.

    Raises:
        ValueError: If a name or a value is unknown, or `scale` is passed for a likelihood without one.

    Example:
        >>> model = vae((28, 28, 1), likelihood="continuous_bernoulli", latent_size=10)
        >>> model.latent_shape, model.event_shape
        ((10,), (28, 28, 1))
    """
    event = as_shape(event_shape, "vae")
    observed = as_likelihood(likelihood, event, scale=scale)
    encoder, decoder = _networks(network, event, hidden)
    return VAE(
        encoder=Encoder(encoder, Normal(latent_size) if posterior is None else posterior),
        decoder=Decoder(decoder, observed),
        prior=prior,
        objective=ELBO(num_samples) if objective is None else objective,
        condition=condition,
        seed=seed,
    )


def _networks(name: str, event: tuple[int, ...], hidden: Sequence[int] | None) -> tuple[keras.Model, keras.Model]:
    lookup(name, dict.fromkeys(NETWORKS), "network")
    if name == "mlp":
        units = list(hidden if hidden is not None else (400, 400))
        return MLP(units), MLP(units[::-1])
    if len(event) != 3:
        raise ValueError(f'network="conv": expected event_shape (height, width, channels), received {event}. Use "mlp"')
    filters = list(hidden if hidden is not None else (32, 64))
    return ConvEncoder(filters), ConvDecoder(event[:2], filters[::-1])
