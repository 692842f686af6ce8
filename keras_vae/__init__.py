"""Variational autoencoders for Keras 3 on TensorFlow."""

import sys
from pathlib import Path

__version__ = "0.1.0"

# The command imports TensorFlow only when a subcommand needs it, so that --help answers at once. Everyone else
# gets all parts, registered with Keras, so that keras.saving.load_model knows them.
if Path(sys.argv[0]).stem != "keras-vae" and sys.orig_argv[1:3] != ["-m", "keras_vae"]:
    from keras_vae import (
        conditions,
        data,
        estimators,
        evaluation,
        families,
        flows,
        latent,
        models,
        networks,
        objectives,
        plots,
        priors,
        schedules,
        testing,
        training,
    )
    from keras_vae.encoder_decoder import ChainEncoder, Decoder, Encoder, LatentEncoder
    from keras_vae.priors.conditional import ConditionalPrior
    from keras_vae.trainer.finite_check import NotFiniteError
    from keras_vae.vae import VAE

    __all__ = [
        "VAE",
        "ChainEncoder",
        "ConditionalPrior",
        "Decoder",
        "Encoder",
        "LatentEncoder",
        "NotFiniteError",
        "conditions",
        "data",
        "estimators",
        "evaluation",
        "families",
        "flows",
        "latent",
        "models",
        "networks",
        "objectives",
        "plots",
        "priors",
        "schedules",
        "testing",
        "training",
    ]
