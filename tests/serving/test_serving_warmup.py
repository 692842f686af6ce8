"""Warm-up: every recorded request is run before a version serves, and what is wrong keeps it from serving."""

import shutil

import grpc
import pytest
import tensorflow as tf
from google.protobuf import json_format
from serving_saved_models import CLASSIFY, REGRESS, example, save_graph, signature
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2

from serving.core.servable import ModelLoadError, Servable
from serving.core.served_model import ServedModel
from serving.core.warmup import replay

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def _leaves_traces():
    """Signatures that write an empty file where the request says."""
    v1 = tf.compat.v1
    examples = v1.placeholder(tf.string, [None], name="examples")
    path = tf.io.parse_example(examples, {"path": tf.io.FixedLenFeature([], tf.string)})["path"]
    with tf.control_dependencies([tf.io.write_file(path[0], "")]):
        values = tf.zeros(tf.shape(path))
    inputs = {"inputs": examples}
    return {
        "serving_default": signature({"path": path}, {"values": values}),
        "classify": signature(inputs, {"scores": values[:, None]}, CLASSIFY),
        "regress": signature(inputs, {"outputs": values}, REGRESS),
    }


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return save_graph(tmp_path_factory.mktemp("traces") / "1", _leaves_traces)


@pytest.fixture
def version(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "model" / "1")


@pytest.fixture(scope="module")
def servable(exported):
    return Servable(1, exported)


def _predict(path, signature=""):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "another"
    request.model_spec.version.value = 12
    request.model_spec.signature_name = signature
    request.inputs["path"].CopyFrom(tf.make_tensor_proto([str(path)]))
    return log


def _with_examples(kind, path, signature):
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, kind).request
    request.input.example_list.examples.append(example(path=str(path)))
    if signature:
        request.model_spec.signature_name = signature
    return log


def _multi(path):
    log = _with_examples("multi_inference_log", path, None)
    for name, method in (("classify", CLASSIFY), ("regress", REGRESS)):
        task = {"modelSpec": {"name": "another", "signatureName": name}, "methodName": method}
        json_format.ParseDict(task, log.multi_inference_log.request.tasks.add())
    return log


def _record(version, *records):
    """Writes the version's warm-up file, and returns its path."""
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record if isinstance(record, bytes) else record.SerializeToString())
    return path


def _failure(version, servable):
    with pytest.raises(ModelLoadError) as caught:
        replay(version, servable)
    return caught.value.code, str(caught.value)


def test_every_kind_of_request_is_run(version, servable, tmp_path):
    traces = [tmp_path / name for name in "abcd"]
    _record(
        version,
        _predict(traces[0]),
        _with_examples("classify_log", traces[1], "classify"),
        _with_examples("regress_log", traces[2], "regress"),
        _multi(traces[3]),
        prediction_log_pb2.PredictionLog(),  # says nothing, and is passed over
    )
    assert replay(version, servable) == 5
    assert all(trace.exists() for trace in traces)


def test_no_file_and_an_empty_file(version, servable):
    assert replay(version, servable) == 0
    _record(version)
    assert replay(version, servable) == 0


def test_a_request_that_fails_names_file_and_record(version, servable, tmp_path):
    path = _record(version, _predict(tmp_path / "a"), _predict(tmp_path / "b", "nope"), _predict(tmp_path / "c"))
    wanted = f'warm-up record 2 of {path}: Serving signature key "nope" not found.'
    assert _failure(version, servable) == (grpc.StatusCode.FAILED_PRECONDITION, wanted)
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "c").exists()


def test_a_request_the_graph_refuses(version, servable):
    log = _with_examples("classify_log", "", "classify")
    log.classify_log.request.input.example_list.examples[0].Clear()
    path = _record(version, log)
    code, words = _failure(version, servable)
    assert code is INVALID
    assert words.startswith(f"warm-up record 1 of {path}: ")
    assert "path" in words.removeprefix(f"warm-up record 1 of {path}: ")
    assert "\n" not in words


def test_a_record_of_something_else(version, servable):
    path = _record(version, b"\xff no PredictionLog")
    assert _failure(version, servable) == (INVALID, f"warm-up record 1 of {path}: Failed to parse warmup record")


def test_a_kind_that_cannot_be_run(version, servable):
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.request.feed.add(name="x")
    path = _record(version, log)
    words = f"warm-up record 1 of {path}: Unsupported log_type for warmup: session_run_log"
    assert _failure(version, servable) == (grpc.StatusCode.UNIMPLEMENTED, words)


@pytest.mark.parametrize("cut", [20, -3])
def test_no_tfrecords(version, servable, tmp_path, cut):
    path = _record(version, _predict(tmp_path / "a"))
    path.write_bytes(path.read_bytes()[:cut])
    code, words = _failure(version, servable)
    assert code is grpc.StatusCode.DATA_LOSS
    assert words.startswith(f"{path}: ")
    assert words.endswith("Please verify your warmup data is in TFRecord format.")


def test_a_directory_in_the_files_place(version, servable):
    (version / "assets.extra" / "tf_serving_warmup_requests").mkdir(parents=True)
    _, words = _failure(version, servable)
    assert words.startswith(f"{version / 'assets.extra' / 'tf_serving_warmup_requests'}: ")


def test_a_thousand_records_are_the_most(version, servable):
    nothing = prediction_log_pb2.PredictionLog()
    _record(version, *[nothing] * 1000)
    assert replay(version, servable) == 1000
    path = _record(version, *[nothing] * 1001)
    words = f"warm-up record 1001 of {path}: Number of warmup records exceeds the maximum (1000)"
    assert _failure(version, servable) == (INVALID, words)


def test_a_version_whose_warm_up_fails_does_not_serve_and_the_old_one_stays(version, tmp_path):
    def load(number, path):
        servable = Servable(number, path)
        replay(path, servable)
        return servable

    model = ServedModel("traces", version.parent, load)
    _record(version, _predict(tmp_path / "first"))
    assert model.refresh() == []
    assert (tmp_path / "first").exists()
    _record(shutil.copytree(version, version.parent / "2"), _predict(tmp_path / "second", "nope"))
    (problem,) = model.refresh()
    assert "warm-up record 1" in str(problem)
    assert model.servable().version == 1
    newest, _ = model.statuses()
    assert (newest.version, newest.state) == (2, get_model_status_pb2.ModelVersionStatus.END)
    assert newest.status.error_message == str(problem)
