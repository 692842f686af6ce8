"""One compiled model of each kind for all tests that leave its settings as they are."""

import pytest

from tests.keras_pairs.pairs import KINDS, make


@pytest.fixture(scope="session", params=KINDS)
def model(request):
    """Return a model in graph mode, with a learning rate of 0.1."""
    return make(request.param, run_eagerly=False)
