"""Families of distributions, for likelihoods and posteriors: one family a file."""

from keras_vae.families.base import Family
from keras_vae.families.bernoulli import Bernoulli
from keras_vae.families.continuous_bernoulli import ContinuousBernoulli
from keras_vae.families.gumbel_softmax import GumbelSoftmax
from keras_vae.families.normal import Normal
from keras_vae.families.one_hot_categorical import OneHotCategorical
from keras_vae.families.relaxed_bernoulli import RelaxedBernoulli

LIKELIHOODS: dict[str, type[Family]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "normal": Normal,
}

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "Family",
    "GumbelSoftmax",
    "Normal",
    "OneHotCategorical",
    "RelaxedBernoulli",
]
