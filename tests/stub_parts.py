"""Parts without networks, for problems so small that every bound is known exactly."""

import tensorflow as tf

import keras_vae as kv
from keras_vae.encoder_decoder import ONLY
from keras_vae.inference import Inference


class StubEncoder:
    """q(z|x) at given unconstrained values, one row for each x."""

    shares_path = False

    def __init__(self, family, values):
        self.families, self.values = {ONLY: family}, values

    def read(self, x, condition=None, training=None):
        return self.families[ONLY](self.values)

    def parameters(self, name, evidence, earlier, path, condition=None, training=None):
        return evidence, evidence


class StubPrior(kv.priors.Prior):
    """A TFP distribution as it is."""

    def __init__(self, distribution):
        super().__init__(tuple(distribution.event_shape))
        self.given = distribution

    def distribution(self, condition=None, posterior=None, training=None):
        return self.given


class StubDecoder:
    """p(x|z) from a function of z."""

    def __init__(self, likelihood):
        self.likelihood = likelihood
        self.family = kv.families.Normal(1)  # for the encoder's input: x as it is

    def distribution(self, z, condition=None, training=None):
        return self.likelihood(z)


class StubModel:
    """A model for objectives.

    Args:
        family: The posterior's.
        values: Its unconstrained values, `[rows, *parameters_shape]`.
        prior: A TFP distribution, batch shape [].
        likelihood: From z, `[samples, rows, *latent]`, to a distribution of x.
    """

    def __init__(self, family, values, prior, likelihood):
        self.encoder = StubEncoder(family, values)
        self.prior, self.decoder = StubPrior(prior), StubDecoder(likelihood)

    def infer(self, x, *, condition=None, training=None):
        return Inference(self, x, None, self.encoder.read(x), self.prior.begin(), tf.constant(0), training)
