"""The golden list: compositions in which every part appears. The conformance suite runs all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import keras_vae as kv

IMAGE = (8, 8, 1)
LATENT = 3


@dataclass(frozen=True)
class Golden:
    """A composition and data in its support."""

    build: Callable[[], kv.VAE]
    binary: bool

    def data(self, images: np.ndarray) -> np.ndarray:
        """Make data in the likelihood's support of binary images."""
        return images if self.binary else 0.1 + 0.8 * images


def _vae(likelihood: kv.families.Family, conv: bool = False, num_samples: int = 1) -> kv.VAE:
    encoder = kv.networks.ConvEncoder([4, 8], units=16) if conv else kv.networks.MLP([16])
    decoder = kv.networks.ConvDecoder((8, 8), [8, 4], units=16) if conv else kv.networks.MLP([16])
    return kv.VAE(
        encoder=kv.Encoder(encoder, kv.families.Normal(LATENT)),
        decoder=kv.Decoder(decoder, likelihood),
        prior=kv.priors.StandardNormal(LATENT),
        objective=kv.objectives.ELBO(num_samples),
        seed=1,
    )


GOLDEN: dict[str, Golden] = {
    "bernoulli": Golden(lambda: _vae(kv.families.Bernoulli(IMAGE)), binary=True),
    "bernoulli-conv": Golden(lambda: _vae(kv.families.Bernoulli(IMAGE), conv=True), binary=True),
    "bernoulli-5-samples": Golden(lambda: _vae(kv.families.Bernoulli(IMAGE), num_samples=5), binary=True),
    "continuous-bernoulli": Golden(lambda: _vae(kv.families.ContinuousBernoulli(IMAGE)), binary=False),
    "continuous-bernoulli-conv": Golden(lambda: _vae(kv.families.ContinuousBernoulli(IMAGE), conv=True), binary=False),
    "normal-fixed": Golden(lambda: _vae(kv.families.Normal(IMAGE, scale=0.5)), binary=False),
    "normal-learned": Golden(lambda: _vae(kv.families.Normal(IMAGE, scale="learned")), binary=False),
    "normal-predicted-conv": Golden(lambda: _vae(kv.families.Normal(IMAGE), conv=True), binary=False),
}
