"""Variational autoencoders for Keras 3 on TensorFlow.

Importing this package does not import TensorFlow or Keras: each part is imported on first use. Keras can still load
saved models, because `register_lazily` registers the classes.
"""

from typing import TYPE_CHECKING

from keras_vae.utils.backend import require_tensorflow
from keras_vae.utils.lazy_imports import lazy_names, public_names, register_lazily

if TYPE_CHECKING:
    from keras_vae import conditions as conditions
    from keras_vae import data as data
    from keras_vae import estimators as estimators
    from keras_vae import evaluation as evaluation
    from keras_vae import families as families
    from keras_vae import flows as flows
    from keras_vae import latent as latent
    from keras_vae import models as models
    from keras_vae import networks as networks
    from keras_vae import objectives as objectives
    from keras_vae import plots as plots
    from keras_vae import priors as priors
    from keras_vae import schedules as schedules
    from keras_vae import testing as testing
    from keras_vae import training as training
    from keras_vae.encoder_decoder import ChainEncoder as ChainEncoder
    from keras_vae.encoder_decoder import Decoder as Decoder
    from keras_vae.encoder_decoder import Encoder as Encoder
    from keras_vae.encoder_decoder import LatentEncoder as LatentEncoder
    from keras_vae.priors.conditional import ConditionalPrior as ConditionalPrior
    from keras_vae.trainer.finite_check import NotFiniteError as NotFiniteError
    from keras_vae.trainer.scale_check import UnscaledDataWarning as UnscaledDataWarning
    from keras_vae.vae import VAE as VAE

__version__ = "0.1.0"

__all__ = [
    "VAE",
    "ChainEncoder",
    "ConditionalPrior",
    "Decoder",
    "Encoder",
    "LatentEncoder",
    "NotFiniteError",
    "UnscaledDataWarning",
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

_HOMES = {
    "VAE": "keras_vae.vae",
    "ChainEncoder": "keras_vae.encoder_decoder",
    "ConditionalPrior": "keras_vae.priors.conditional",
    "Decoder": "keras_vae.encoder_decoder",
    "Encoder": "keras_vae.encoder_decoder",
    "LatentEncoder": "keras_vae.encoder_decoder",
    "NotFiniteError": "keras_vae.trainer.finite_check",
    "UnscaledDataWarning": "keras_vae.trainer.scale_check",
}

# All names in `.keras` files, with those of version 0.1 in the last line. A test compares them with the classes.
_REGISTERED = (
    *("VAE", "Encoder", "ChainEncoder", "Decoder", "Label", "Vector", "MLP", "ConvEncoder", "ConvDecoder"),
    *("Bernoulli", "Beta", "ContinuousBernoulli", "DiscretizedLogisticMixture", "FullNormal", "GrayLevels"),
    *("GumbelSoftmax", "InverseAutoregressiveFlow", "Normal", "NormalMixture", "OneHotCategorical"),
    *("PiecewiseConstant", "PlanarFlow", "RelaxedBernoulli", "Standardized", "Coupling", "MADE"),
    *("Autoregressive", "Chain", "ConditionalPrior", "Learned", "MaskedAutoregressiveFlow", "RealNVP"),
    *("StandardNormal", "Uniform", "VampPrior", "BetaTC", "ELBO", "IWAE", "InfoVAE"),
    *("Cyclical", "Exponential", "Linear"),
    *("Baseline", "DoublyReparameterized", "LeaveOneOut", "NVIL", "Reparameterized", "StickingTheLanding"),
    *("DiscretisedLogisticMixture", "DoublyReparametrised", "GreyLevels", "Reparametrised"),
)

require_tensorflow()
__getattr__ = lazy_names(__name__, _HOMES, globals())
# The ready-made models import all classes.
register_lazily("keras_vae", _REGISTERED, ("keras_vae.models.ready_made",))
__dir__ = public_names(__all__, globals())
