"""Measures of a trained model; `docs/evaluation.md` says which answers what."""

from keras_vae.evaluation.annealed import AnnealedLikelihood, annealed_importance_sampling
from keras_vae.evaluation.bidirectional import Bidirectional, bidirectional
from keras_vae.evaluation.disentanglement import Disentanglement, disentanglement
from keras_vae.evaluation.estimate import Estimate
from keras_vae.evaluation.features import ClassifierFeatures, learn_features
from keras_vae.evaluation.gaps import InferenceGaps, inference_gaps
from keras_vae.evaluation.imputation import Imputation, imputation
from keras_vae.evaluation.imputer import Imputed, impute
from keras_vae.evaluation.log_likelihood import LogLikelihood, log_likelihood
from keras_vae.evaluation.predictive_checks import PredictiveChecks, predictive_checks
from keras_vae.evaluation.prior_sampling import PriorSampling, prior_sampling
from keras_vae.evaluation.rate_distortion import RateDistortion, rate_distortion
from keras_vae.evaluation.representation import Representation, representation
from keras_vae.evaluation.result import Result
from keras_vae.evaluation.sample_quality import SampleQuality, sample_quality
from keras_vae.evaluation.simulation_calibration import SimulationCalibration, simulation_calibration

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
