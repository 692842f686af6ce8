"""Exports the tiny model once, and serves it once for all tests that only ask."""

import pytest
from serving_testing import Stubs, export, publish

import serving


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """Two versions of the model that answer differently."""
    root = tmp_path_factory.mktemp("exports")
    paths = {1: root / "one", 2: root / "two"}
    for factor, path in paths.items():
        export(float(factor), path)
    return paths


@pytest.fixture(scope="session")
def server(exports, tmp_path_factory):
    """Serves version 5 of the model `vae`; versions 1 and 3, and a folder that is not a version, are next to it."""
    base_path = tmp_path_factory.mktemp("models") / "vae"
    publish(exports[2], base_path, 1)
    publish(exports[1], base_path, 5)
    (base_path / "3").mkdir()
    (base_path / "9").write_text("a file")
    for name in ("10.backup", "latest", "-12", "1_1", "assets"):
        (base_path / name).mkdir()
    with serving.Server(model_name="vae", model_base_path=base_path, port=0) as running:
        yield running


@pytest.fixture(scope="session")
def stubs(server):
    stubs = Stubs(server.port)
    with stubs.channel:
        yield stubs


@pytest.fixture
def client(server):
    with serving.Client(f"127.0.0.1:{server.port}", model="vae", timeout=30) as client:
        yield client
