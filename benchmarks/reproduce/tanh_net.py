"""The model that three of the scripts train: binary digits, 784-200-200-50, tanh, as in Burda et al. (2016)."""

from typing import Any

from work import Work

import keras_vae as kv


def tanh_net(work: Work, posterior: kv.families.Family | None = None, **parts: Any) -> kv.VAE:
    """Return an uncompiled model with the widths in the settings.

    Args:
        work: The run.
        posterior: Family of the encoder; normal by default.
        **parts: Other parts of the VAE, such as `objective`.
    """
    hidden = work["hidden"]
    return kv.VAE(
        encoder=kv.Encoder(
            kv.networks.MLP(hidden, activation="tanh"), posterior or kv.families.Normal(work["latents"])
        ),
        decoder=kv.Decoder(kv.networks.MLP(hidden[::-1], activation="tanh"), kv.families.Bernoulli((28, 28, 1))),
        seed=work["seed"],
        **parts,
    )
