"""The same model built with `keras_vae`: check its parts."""

from collections.abc import Callable

import keras_vae as kv
from checks.report import Wrong, check


@check
def library(build: Callable[[], kv.VAE], pixels: int, latents: int) -> str:
    """Check that a model matches the assignment: normal posterior and prior, Bernoulli likelihood, L = 1."""
    vae = build()
    if not isinstance(vae, kv.VAE):
        raise Wrong(f"expected a keras_vae.VAE, received a {type(vae).__name__}")
    expected = {
        "the posterior": (vae.encoder.family, kv.families.Normal),
        "the likelihood": (vae.decoder.family, kv.families.Bernoulli),
        "the prior": (vae.prior, kv.priors.StandardNormal),
        "the objective": (vae.objective, kv.objectives.ELBO),
    }
    for name, (part, kind) in expected.items():
        if type(part) is not kind:
            raise Wrong(f"wrong type for {name}: expected {kind.__name__}, received {type(part).__name__}")
    if vae.latent_shape != (latents,) or vae.event_shape != (pixels,):
        raise Wrong(
            f"expected latents of shape ({latents},) and data of shape ({pixels},), received latents of shape "
            f"{vae.latent_shape} and data of shape {vae.event_shape}"
        )
    for name, part in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        if not isinstance(part.network, kv.networks.MLP) or part.network.units != [200, 200]:
            raise Wrong(f"wrong network in the {name}. Use kv.networks.MLP([200, 200]), as in the hand-written model")
    if vae.objective.num_samples != 1 or vae.objective.beta != 1:
        raise Wrong(f"expected L = 1 and β = 1, received L = {vae.objective.num_samples} and β = {vae.objective.beta}")
    return "a VAE with the parts named in the assignment"
