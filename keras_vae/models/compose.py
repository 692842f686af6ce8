"""Composes a model from names and numbers."""

from collections.abc import Sequence
from numbers import Integral

import keras

from keras_vae.conditions import Condition
from keras_vae.encoder_decoder import ChainEncoder, Decoder, Encoder, LatentEncoder
from keras_vae.families import Family, Normal
from keras_vae.families.registry import Likelihood, as_likelihood
from keras_vae.flows.base import read_widths
from keras_vae.networks import MLP, ConvDecoder, ConvEncoder
from keras_vae.objectives import ELBO, Objective
from keras_vae.priors import Chain, Prior, StandardNormal
from keras_vae.utils.arguments import as_shape, lookup, one_line
from keras_vae.vae import VAE

NETWORKS = ("mlp", "conv")


def vae(
    event_shape: int | Sequence[int],
    *,
    latent_size: int | Sequence[int] = 20,
    likelihood: Likelihood = "bernoulli",
    network: str = "mlp",
    hidden: Sequence[int] | None = None,
    upper_hidden: Sequence[int] = (100, 100),
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
        latent_size: The number of latents. A sequence makes a hierarchy (Burda, Grosse & Salakhutdinov 2016, section
            5): `[100, 50]` is the groups `z1` of 100 latents, nearest to x, and `z2` of 50, with normal posteriors
            q(z1|x) q(z2|z1) and the prior p(z2) p(z1|z2).
        likelihood: A name in `keras_vae.families.LIKELIHOODS`, such as `"bernoulli"`; a family of your own as
            `"package.module:Name"`, as a class, or as an object over `event_shape`.
        network: `"mlp"`, or `"conv"` for images.
        hidden: The encoder's widths (MLP, `[400, 400]`) or filters (convolutional, `[32, 64]`). The decoder has
            the same in reverse.
        upper_hidden: The widths of the tanh MLPs between one group of latents and the next; reversed in the prior.
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
        ValueError: If a name or a value is unknown, `scale` is passed for a likelihood without one, or `posterior` or
            `prior` for several groups of latents.

    Example:
        >>> model = vae((28, 28, 1), likelihood="continuous_bernoulli", latent_size=10)
        >>> model.latent_shape, model.event_shape
        ((10,), (28, 28, 1))
        >>> vae((28, 28, 1), latent_size=[100, 50]).latent_shape
        {'z1': (100,), 'z2': (50,)}
    """
    event = as_shape(event_shape, "vae")
    observed = as_likelihood(likelihood, event, scale=scale)
    encoder_network, decoder_network = _networks(network, event, hidden)
    encoder: LatentEncoder
    if not isinstance(latent_size, Integral):
        sizes = read_widths(latent_size, "vae: latent_size")
        if posterior is not None or prior is not None:
            raise ValueError(
                f"vae: expected no posterior and no prior for several groups of latents, latent_size={latent_size!r}, "
                "received one. Compose a keras_vae.VAE of a ChainEncoder and a priors.Chain."
            )
        if len(sizes) < 2:
            raise ValueError(
                f"vae: latent_size: expected an integer, or two or more of them, received {one_line(latent_size)}. Use "
                "latent_size=20 for one group of latents."
            )
        encoder, prior = _hierarchy(encoder_network, sizes, list(read_widths(upper_hidden, "vae: upper_hidden")))
    else:
        encoder = Encoder(encoder_network, Normal(latent_size) if posterior is None else posterior)
    return VAE(
        encoder=encoder,
        decoder=Decoder(decoder_network, observed),
        prior=prior,
        objective=ELBO(num_samples) if objective is None else objective,
        condition=condition,
        seed=seed,
    )


def _hierarchy(network: keras.Model, sizes: Sequence[int], hidden: list[int]) -> tuple[LatentEncoder, Prior]:
    """Return q(z1|x) q(z2|z1) and so on, and p(z_L) ... p(z1|z2)."""
    # Tanh, as in the paper: scales that grow exponentially with a group's values give log-weights of 1e6 and more.
    names = [f"z{place + 1}" for place in range(len(sizes))]
    networks = [network, *(MLP(hidden, activation="tanh") for _ in sizes[1:])]
    encoders = {n: Encoder(net, Normal(size)) for n, net, size in zip(names, networks, sizes, strict=True)}
    upward: dict[str, Prior | Decoder] = {names[-1]: StandardNormal(sizes[-1])}
    for name, size in reversed(list(zip(names[:-1], sizes[:-1], strict=True))):
        upward[name] = Decoder(MLP(hidden[::-1], activation="tanh"), Normal(size))
    return ChainEncoder(encoders), Chain(upward)


def _networks(name: str, event: tuple[int, ...], hidden: Sequence[int] | None) -> tuple[keras.Model, keras.Model]:
    lookup(name, dict.fromkeys(NETWORKS), "network")
    if name == "mlp":
        units = list(read_widths(hidden, "vae: hidden") if hidden is not None else (400, 400))
        return MLP(units), MLP(units[::-1])
    if len(event) != 3:
        raise ValueError(f'network="conv": expected event_shape (height, width, channels), received {event}. Use "mlp"')
    filters = list(read_widths(hidden, "vae: hidden") if hidden is not None else (32, 64))
    return ConvEncoder(filters), ConvDecoder(event[:2], filters[::-1])
