"""Measures of a trained model; `docs/evaluation.md` says which answers what."""

from keras_vae.evaluation.checks.predictive_checks import PredictiveChecks, predictive_checks
from keras_vae.evaluation.checks.simulation_calibration import SimulationCalibration, simulation_calibration
from keras_vae.evaluation.gaps.inference_gaps import InferenceGaps, inference_gaps
from keras_vae.evaluation.latents import disentanglement_metrics
from keras_vae.evaluation.latents.disentanglement import Disentanglement, disentanglement
from keras_vae.evaluation.latents.rate_distortion import RateDistortion, rate_distortion
from keras_vae.evaluation.latents.representation import Representation, representation
from keras_vae.evaluation.likelihood.annealed_importance_sampling import (
    AnnealedLikelihood,
    annealed_importance_sampling,
)
from keras_vae.evaluation.likelihood.bidirectional import Bidirectional, bidirectional
from keras_vae.evaluation.likelihood.estimate import Estimate
from keras_vae.evaluation.likelihood.log_likelihood import LogLikelihood, log_likelihood
from keras_vae.evaluation.likelihood.prior_sampling import PriorSampling, prior_sampling
from keras_vae.evaluation.missing.imputation import Imputation, imputation
from keras_vae.evaluation.missing.imputer import Imputed, impute
from keras_vae.evaluation.result import Result
from keras_vae.evaluation.samples.features import ClassifierFeatures, learn_features
from keras_vae.evaluation.samples.sample_quality import SampleQuality, sample_quality

__all__ = [
    "AnnealedLikelihood",
    "Bidirectional",
    "ClassifierFeatures",
    "Disentanglement",
    "Estimate",
    "Imputation",
    "Imputed",
    "InferenceGaps",
    "LogLikelihood",
    "PredictiveChecks",
    "PriorSampling",
    "RateDistortion",
    "Representation",
    "Result",
    "SampleQuality",
    "SimulationCalibration",
    "annealed_importance_sampling",
    "bidirectional",
    "disentanglement",
    "disentanglement_metrics",
    "imputation",
    "impute",
    "inference_gaps",
    "learn_features",
    "log_likelihood",
    "predictive_checks",
    "prior_sampling",
    "rate_distortion",
    "representation",
    "sample_quality",
    "simulation_calibration",
]
