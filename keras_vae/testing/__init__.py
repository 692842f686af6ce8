"""Conformance checks for user-defined families, priors, objectives and networks."""

from keras_vae.testing.model_checks import check_model
from keras_vae.testing.part_checks import check_family, check_network, check_objective, check_prior

__all__ = ["check_family", "check_model", "check_network", "check_objective", "check_prior"]
