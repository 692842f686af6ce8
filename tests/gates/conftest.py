"""The models that the gates are tried on."""

import pytest

import keras_vae as kv


@pytest.fixture(scope="module")
def eager():
    """A model that traces nothing: each kind of batches would take a trace of its own."""
    model = kv.models.vae((4,), latent_size=2, hidden=[3], seed=0)
    model.compile(run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def conditional():
    model = kv.models.vae((4,), latent_size=2, hidden=[3], condition=kv.conditions.Label(3), seed=0)
    model.compile(run_eagerly=True)
    return model
