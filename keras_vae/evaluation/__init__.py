"""Measures of a trained model."""

from keras_vae.evaluation.log_likelihood import LogLikelihood, log_likelihood

__all__ = ["LogLikelihood", "log_likelihood"]
