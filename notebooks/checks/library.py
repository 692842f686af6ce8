"""The same model of `keras_vae`: what its parts are."""

from collections.abc import Callable

import keras_vae as kv
from checks.report import Wrong, check


@check
def library(build: Callable[[], kv.VAE], pixels: int, latents: int) -> str:
    """Check that a model is the assignment's: normal posterior and prior, Bernoulli likelihood, L = 1."""
    vae = build()
    if not isinstance(vae, kv.VAE):
        raise Wrong(f"wanted a keras_vae.VAE; received a {type(vae).__name__}")
    wanted = {
        "the posterior": (vae.encoder.family, kv.families.Normal),
        "the likelihood": (vae.decoder.family, kv.families.Bernoulli),
        "the prior": (vae.prior, kv.priors.StandardNormal),
        "the objective": (vae.objective, kv.objectives.ELBO),
    }
    for name, (part, kind) in wanted.items():
        if type(part) is not kind:
            raise Wrong(f"{name} is a {type(part).__name__}; wanted a {kind.__name__}")
    if vae.latent_shape != (latents,) or vae.event_shape != (pixels,):
        raise Wrong(
            f"it has latents of shape {vae.latent_shape} and data of shape {vae.event_shape}; wanted ({latents},) and "
            f"({pixels},)"
        )
    for name, part in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        if not isinstance(part.network, kv.networks.MLP) or part.network.units != [200, 200]:
            raise Wrong(f"the {name}'s network is not kv.networks.MLP([200, 200]), the one written by hand")
    if vae.objective.num_samples != 1 or vae.objective.beta != 1:
        raise Wrong(f"wanted L = 1 and β = 1; received L = {vae.objective.num_samples}, β = {vae.objective.beta}")
    return "a VAE of the parts that the assignment names"
