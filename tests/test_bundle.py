"""`keras-vae bundle`: from an export of ours to a folder that a server starts from."""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import keras_vae as kv
import serving
import serving.deploy
from keras_vae import cli
from serving.options import config_files
from serving.options.flags import parser


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    base_path = tmp_path_factory.mktemp("models") / "digits"
    kv.models.vae((8, 8, 1), latent_size=3, hidden=[16], seed=1).export(base_path / "4", score_samples=8)
    return base_path


def test_bundle(base_path, tmp_path, capsys):
    folder = tmp_path / "bundle"
    assert cli.main(["bundle", str(base_path), "--to", str(folder)]) == 0
    assert f"kubectl apply -k {folder}" in capsys.readouterr().out
    (model,) = config_files.read_model_server_config(folder / "models.config").model_config_list.config
    assert (model.name, list(model.model_version_policy.specific.versions)) == ("digits", [4])
    batching = config_files.read_batching_parameters(folder / "batching.config")
    assert batching.max_batch_size.value == 256
    readme = (folder / "README.md").read_text()
    assert "It carries warm-up requests" in readme
    assert "| `generate` | 8 | 268 | " in readme  # 4 (8 * 8 + 3) bytes
    assert (folder / "models" / "digits" / "4" / "saved_model.pb").is_file()


def test_options(base_path, tmp_path):
    words = ["--version=4", "--name=x", "--max-batch-size=3", "--callers=5", "--image=a/b:c", "--overwrite"]
    words.append("--storage-uri=s3://d/e")
    folder = tmp_path / "bundle"
    for _ in range(2):
        assert cli.main(["bundle", str(base_path), "--to", str(folder), *words]) == 0
    assert list(config_files.read_batching_parameters(folder / "batching.config").allowed_batch_sizes) == [1, 2, 3]
    model = yaml.safe_load((folder / "kserve" / "inferenceservice.yaml").read_text())["spec"]["predictor"]["model"]
    assert (model["args"][0], model["image"], model["storageUri"]) == ("--model_name=x", "a/b:c", "s3://d/e")
    assert "--rest_api_num_threads=5" in model["args"]


@pytest.mark.parametrize(("words", "message"), [(["--version", "5"], "no version 5"), (["--name", "a b"], "'a b'")])
def test_mistakes_take_one_line(base_path, tmp_path, capsys, words, message):
    assert cli.main(["bundle", str(base_path), "--to", str(tmp_path / "b"), *words]) == 1
    assert re.fullmatch(rf"keras-vae bundle: error: .*{message}.*\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def _commands(folder: Path) -> list[list[str]]:
    (service,) = yaml.safe_load((folder / "docker-compose.yaml").read_text())["services"].values()
    deployment = yaml.safe_load((folder / "kubernetes" / "deployment.yaml").read_text())
    return [service["command"], deployment["spec"]["template"]["spec"]["containers"][0]["args"]]


def test_the_local_server_starts_from_a_bundle(base_path, tmp_path):
    folder = serving.deploy.bundle(base_path, tmp_path / "bundle")
    for command in _commands(folder):
        parser("serving").parse_args(command)
    # What differs without a container: where the model and the files lie, and ports that are free.
    models = tmp_path / "models.config"
    models.write_text((folder / "models.config").read_text().replace("/models/", f"{folder}/models/"))
    flags = [
        flag.replace("/bundle/models.config", str(models)).replace("/bundle/", f"{folder}/")
        for flag in _commands(folder)[0]
        if not flag.startswith(("--port", "--rest_api_port"))
    ]
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, rest_port = (listener.getsockname()[1] for listener in (one, other))
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", f"--port={port}", f"--rest_api_port={rest_port}", *flags],
        env=os.environ | {"PYTHONPATH": str(Path(serving.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with serving.Client(f"127.0.0.1:{port}", model="digits", timeout=60) as client:
            client.wait_until_ready(60)
            assert client.generate(256).mean.shape == (256, 8, 8, 1)
            # More rows than a batch takes, in two requests.
            assert client.predict("generate", {"seed": np.arange(257)})["mean"].shape == (257, 8, 8, 1)
        # As many callers as planned, each with a full batch, and none that is refused and has to call again.
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = "digits", "generate"
            request.inputs["seed"].CopyFrom(tf.make_tensor_proto(np.arange(256)))
            calls = [predict.future(request, timeout=60) for _ in range(64)]
            assert {call.code() for call in calls} == {grpc.StatusCode.OK}
        rest = f"http://127.0.0.1:{rest_port}"
        with urllib.request.urlopen(f"{rest}/monitoring/prometheus/metrics", timeout=60) as answer:
            assert b'model_name="digits"' in answer.read()
        with urllib.request.urlopen(f"{rest}/v1/models/digits/metadata", timeout=60) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        assert process.wait(60) == 0
