"""Families of distributions, for likelihoods, posteriors and priors: one family per file.

A new family needs its file and one line here. A family with `preprocessing` is also a likelihood of images, named
after its class in snake case.
"""

import re

from keras_vae.families.base import Family as Family
from keras_vae.families.base import Parameters as Parameters
from keras_vae.families.bernoulli import Bernoulli as Bernoulli
from keras_vae.families.beta import Beta as Beta
from keras_vae.families.continuous_bernoulli import ContinuousBernoulli as ContinuousBernoulli
from keras_vae.families.discretized_logistic_mixture import DiscretizedLogisticMixture as DiscretizedLogisticMixture
from keras_vae.families.full_normal import FullNormal as FullNormal
from keras_vae.families.gray_levels import GrayLevels as GrayLevels
from keras_vae.families.gumbel_softmax import GumbelSoftmax as GumbelSoftmax
from keras_vae.families.inverse_autoregressive_flow import InverseAutoregressiveFlow as InverseAutoregressiveFlow
from keras_vae.families.normal import Normal as Normal
from keras_vae.families.normal_mixture import NormalMixture as NormalMixture
from keras_vae.families.one_hot_categorical import OneHotCategorical as OneHotCategorical
from keras_vae.families.piecewise_constant import PiecewiseConstant as PiecewiseConstant
from keras_vae.families.planar_flow import PlanarFlow as PlanarFlow
from keras_vae.families.relaxed_bernoulli import RelaxedBernoulli as RelaxedBernoulli
from keras_vae.families.standardized import Standardized as Standardized
from keras_vae.families.support import BINARY as BINARY
from keras_vae.families.support import GRAY_LEVELS as GRAY_LEVELS
from keras_vae.families.support import ONE_HOT as ONE_HOT
from keras_vae.families.support import OPEN_UNIT_INTERVAL as OPEN_UNIT_INTERVAL
from keras_vae.families.support import REAL as REAL
from keras_vae.families.support import UNIT_INTERVAL as UNIT_INTERVAL
from keras_vae.families.support import Support as Support
from keras_vae.utils.deprecation import renamed_names
from keras_vae.utils.lazy_imports import public_names

_PUBLIC = {name: part for name, part in globals().items() if name[0].isupper()}

LIKELIHOODS: dict[str, type[Family]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): part
    for name, part in _PUBLIC.items()
    if isinstance(part, type) and issubclass(part, Family) and part.preprocessing
}

__all__ = ["LIKELIHOODS", *sorted(_PUBLIC)]

__getattr__ = renamed_names(
    __name__, {"GreyLevels": "GrayLevels", "DiscretisedLogisticMixture": "DiscretizedLogisticMixture"}, globals()
)
__dir__ = public_names(__all__, globals())
