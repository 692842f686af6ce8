"""keras-vae-client: the same code without TensorFlow, and beside it."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import grpc
import numpy as np
import pytest
from client_testing import ScriptedServer
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

import serving
from serving.wire import descriptors, messages, tensors

TOP = Path(serving.__file__).parents[1]
FOLDER = TOP / "client"


@pytest.fixture(scope="module")
def light():
    """The light client, in a process where TensorFlow has been imported before it."""
    sys.path.insert(0, str(FOLDER))
    assert "tensorflow" in sys.modules
    yield importlib.import_module("keras_vae_client")
    sys.path.remove(str(FOLDER))


def _run(code, *words):
    environment = os.environ | {"PYTHONPATH": f"{FOLDER}{os.pathsep}{TOP}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_messages_are_those_of_tensorflow_serving(light, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    assert importlib.import_module("make_descriptors").files() == descriptors.FILES


def test_no_file_is_a_copy():
    linked = {path.name: path.resolve() for path in (FOLDER / "keras_vae_client").iterdir() if path.is_symlink()}
    assert linked == {"client": TOP / "serving" / "client", "wire": TOP / "serving" / "wire"}


def test_its_names_and_its_version_are_those_of_the_full_one(light):
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert light.__version__ == project["version"]
    server_only = {"Batching", "ConfigError", "ModelLoadError", "RequestError", "Retries", "Server", "Settings"}
    assert set(light.__all__) == set(serving.__all__) - server_only
    # Ranges of what both need are the same, or one environment could not hold them.
    needs = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["dependencies"]
    shared = {need for need in needs if not need.startswith("protobuf")}  # tensorflow chooses its protobuf
    assert shared <= set(project["dependencies"])


# No tqdm and no ml_dtypes, as in an empty environment; then TensorFlow is imported after the client.
ALONE = """
import runpy, sys
sys.modules["tqdm"] = sys.modules["ml_dtypes"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
import keras_vae_client
from keras_vae_client.wire import messages, tensors
assert tensors.numpy_dtype(messages.DataType.DT_BFLOAT16) is None
del sys.modules["tqdm"], sys.modules["ml_dtypes"]
import serving
assert serving.Client is not keras_vae_client.Client
assert "tensorflow" not in sys.modules
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
theirs = predict_pb2.PredictRequest(output_filter=["mean"])
theirs.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.0, 2.0]]))
ours = messages.PredictRequest.FromString(theirs.SerializeToString())
assert type(ours) is not type(theirs) and ours.DESCRIPTOR.file.pool is not theirs.DESCRIPTOR.file.pool
assert tensors.to_array(ours.inputs["x"]).tolist() == [[1.0, 2.0]]
assert predict_pb2.PredictRequest.FromString(ours.SerializeToString()) == theirs
print("both")
"""


def test_needs_no_tensorflow_and_may_be_imported_before_it():
    printed = _run(ALONE, str(FOLDER / "check_installed.py")).splitlines()
    assert "all checks passed" in printed[0]
    assert printed[1:] == ["both"]


def test_may_be_imported_after_tensorflow(light):
    theirs = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    ours = importlib.import_module("keras_vae_client.wire.messages")
    assert ours.PredictRequest is not messages.PredictRequest  # also beside the full package, each has its own pool
    assert ours.GetModelMetadataRequest.FromString(theirs.SerializeToString()).metadata_field == ["signature_def"]
    with ScriptedServer() as scripted, light.Client(f"127.0.0.1:{scripted.port}", "m", timeout=30) as client:
        assert client.predict("shuffle", {"x": np.ones([2, 1])})["y"].tolist() == [[1], [1]]
        with pytest.raises(light.ServingError) as caught:
            client.predict("nope", {"x": np.ones([2, 1])})
        assert caught.value.code is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize("name", [name for name in tensors._CODECS if name != messages.DataType.DT_STRING])
def test_every_dtype_crosses_from_one_pool_to_the_other(name):
    array = np.arange(6).reshape(2, 3).astype(tensors.numpy_dtype(name))
    request = messages.PredictRequest()
    tensors.to_proto(array, request.inputs["x"])
    theirs = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    np.testing.assert_array_equal(tensors.to_array(theirs.inputs["x"]), array, strict=True)


def test_a_bar_needs_tqdm(monkeypatch):
    monkeypatch.setattr("serving.client.calls.tqdm", None)
    with ScriptedServer() as scripted, serving.Client(f"127.0.0.1:{scripted.port}", "m", timeout=30) as client:
        assert len(client.predict("shuffle", {"x": np.ones([2, 1])})["y"]) == 2
        with pytest.raises(ModuleNotFoundError, match="expected the package tqdm, received none"):
            client.predict("shuffle", {"x": np.ones([2, 1])}, progress=True)
