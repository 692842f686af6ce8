"""Families of distributions, for likelihoods, posteriors and priors: one family a file."""

from keras_vae.families.base import Family
from keras_vae.families.bernoulli import Bernoulli
from keras_vae.families.beta import Beta
from keras_vae.families.continuous_bernoulli import ContinuousBernoulli
from keras_vae.families.discretized_logistic_mixture import DiscretizedLogisticMixture
from keras_vae.families.full_normal import FullNormal
from keras_vae.families.gray_levels import GrayLevels
from keras_vae.families.gumbel_softmax import GumbelSoftmax
from keras_vae.families.inverse_autoregressive_flow import InverseAutoregressiveFlow
from keras_vae.families.normal import Normal
from keras_vae.families.normal_mixture import NormalMixture
from keras_vae.families.one_hot_categorical import OneHotCategorical
from keras_vae.families.piecewise_constant import PiecewiseConstant
from keras_vae.families.planar_flow import PlanarFlow
from keras_vae.families.relaxed_bernoulli import RelaxedBernoulli
from keras_vae.utils.deprecation import renamed_names

LIKELIHOODS: dict[str, type[Family]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "beta": Beta,
    "normal": Normal,
    "gray_levels": GrayLevels,
    "discretized_logistic_mixture": DiscretizedLogisticMixture,
}

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Beta",
    "ContinuousBernoulli",
    "DiscretizedLogisticMixture",
    "Family",
    "FullNormal",
    "GrayLevels",
    "GumbelSoftmax",
    "InverseAutoregressiveFlow",
    "Normal",
    "NormalMixture",
    "OneHotCategorical",
    "PiecewiseConstant",
    "PlanarFlow",
    "RelaxedBernoulli",
]

__getattr__ = renamed_names(
    __name__, {"GreyLevels": "GrayLevels", "DiscretisedLogisticMixture": "DiscretizedLogisticMixture"}, globals()
)
