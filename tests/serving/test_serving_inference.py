"""Classify, Regress and MultiInference: answers computed by hand, and refusals in TensorFlow Serving's words."""

import grpc
import pytest
import tensorflow as tf
from serving_saved_models import CLASSIFY, LABELS, PREDICT, REGRESS, animals, example, save_graph
from serving_testing import refusal
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

import serving

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXAMPLES = [example(1, 2), example(-1, 0.5)]
# [1, 2] and [-1, 0.5] times [[1, 2, 3], [4, 5, 6]].
SCORES = [[9, 12, 15], [1, 0.5, 0]]
TOTALS = [3, -0.5]


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    base_path = tmp_path_factory.mktemp("models") / "animals"
    save_graph(base_path / "7", lambda: animals(base_path.parent / "labels.txt"))
    # The model is to use the copy it was saved with.
    (base_path.parent / "labels.txt").unlink()
    with (
        serving.Server(model_name="animals", model_base_path=base_path, port=0) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def _input(*examples, context=None):
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=examples))
    return input_pb2.Input(
        example_list_with_context=input_pb2.ExampleListWithContext(examples=examples, context=context)
    )


def _request(kind, signature, input_=None):
    request = kind(input=_input(*EXAMPLES) if input_ is None else input_)
    request.model_spec.name = "animals"
    request.model_spec.signature_name = signature
    return request


def _classify(signature="", input_=None):
    return _request(classification_pb2.ClassificationRequest, signature, input_)


def _regress(signature="regress", input_=None):
    return _request(regression_pb2.RegressionRequest, signature, input_)


def _multi(*tasks, input_=None):
    request = inference_pb2.MultiInferenceRequest(input=_input(*EXAMPLES) if input_ is None else input_)
    for signature, method, model in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    return request


def _rows(result):
    return [[(class_.label, class_.score) for class_ in row.classes] for row in result.classifications]


@pytest.mark.parametrize(
    ("signature", "labels", "scores"),
    [
        ("serving_default", [LABELS, LABELS], SCORES),
        ("scores", [[""] * 3] * 2, SCORES),
        ("classes", [LABELS, LABELS], [[0] * 3] * 2),
    ],
)
def test_classes_of_each_example(stub, signature, labels, scores):
    response = stub.Classify(_classify(signature), timeout=30)
    wanted = [list(zip(*row, strict=True)) for row in zip(labels, scores, strict=True)]
    assert _rows(response.result) == wanted
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("animals", 7, signature)


def test_no_signature_name_means_the_default(stub):
    response = stub.Classify(_classify(), timeout=30)
    assert response.model_spec.signature_name == "serving_default"
    assert response.result == stub.Classify(_classify("serving_default"), timeout=30).result


@pytest.mark.parametrize("signature", ["regress", "regress_flat"])
def test_value_of_each_example(stub, signature):
    response = stub.Regress(_regress(signature), timeout=30)
    assert [one.value for one in response.result.regressions] == TOTALS
    assert response.model_spec.signature_name == signature
    assert response.model_spec.version.value == 7


def test_context_is_part_of_each_example_and_the_examples_own_features_come_first(stub):
    input_ = _input(example(), example(1, 2), example(word="x"), context=example(10, 20))
    response = stub.Regress(_regress(input_=input_), timeout=30)
    assert [one.value for one in response.result.regressions] == [30, 3, 30]


def test_tasks_are_answered_in_their_order(stub):
    tasks = [("regress", REGRESS, "animals"), ("", CLASSIFY, "animals"), ("scores", CLASSIFY, "animals")]
    request = _multi(*tasks)
    request.tasks[2].model_spec.version.value = 99  # as in TensorFlow Serving, the first task's version answers all
    response = stub.MultiInference(request, timeout=30)
    regression, both, scores = response.results
    assert [one.value for one in regression.regression_result.regressions] == TOTALS
    assert [[score for _, score in row] for row in _rows(scores.classification_result)] == SCORES
    assert both.classification_result == stub.Classify(_classify(), timeout=30).result
    assert [result.model_spec.signature_name for result in response.results] == ["regress", "serving_default", "scores"]
    assert {(result.model_spec.name, result.model_spec.version.value) for result in response.results} == {
        ("animals", 7)
    }


def test_tasks_may_feed_different_tensors_of_the_graph(stub):
    tasks = _multi(("regress", REGRESS, "animals"), ("others", REGRESS, "animals"))
    values = [result.regression_result.regressions for result in stub.MultiInference(tasks, timeout=30).results]
    assert [[one.value for one in regressions] for regressions in values] == [TOTALS, [0, 0]]


@pytest.mark.parametrize("input_", [input_pb2.Input(), _input(), _input(context=example(1, 2))])
def test_no_examples(stub, input_):
    for rpc, request in (
        (stub.Classify, _classify(input_=input_)),
        (stub.Regress, _regress(input_=input_)),
        (stub.MultiInference, _multi(("", CLASSIFY, "animals"), input_=input_)),
    ):
        assert refusal(rpc, request) == (INVALID, "Input is empty.")


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("nope", "No signature was found with the name: nope"),
        ("two_inputs", "Expected one input Tensor."),
        ("three_outputs", "Expected one or two output Tensors, found 3"),
        ("misnamed_input", "No classification inputs found in SignatureDef: inputs {"),
        ("regress", 'Expected classification signature outputs to contain at least one of "classes" or "scores".'),
        ("flat_scores", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("integer_scores", "Expected scores Tensor of DT_FLOAT. Got: DT_INT64"),
        ("float_classes", "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        ("five_scores", "Expected scores output batch size of 2. Got: 5"),
        ("uneven", "Tensors class and score should match in dim_size(1). Got 3 vs. 2"),
        ("latin", r"Expected class labels in UTF-8. Got: b'\xe9t\xe9'"),
    ],
)
def test_refused_by_classify(stub, signature, words):
    code, details = refusal(stub.Classify, _classify(signature))
    assert code is INVALID
    assert details.startswith(words)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("nope", "No signature was found with the name: nope"),
        ("two_inputs", "Expected one input Tensor."),
        ("", "Expected one output Tensor."),
        ("misnamed_regress_input", "No regression inputs found in SignatureDef: inputs {"),
        ("misnamed_output", "No regression outputs found in SignatureDef: inputs {"),
        ("wide", "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,3]"),
        ("five_values", "Input batch size did not match output batch size: 2 vs. 5"),
        ("integer_values", "Expected output Tensor of DT_FLOAT.  Got: DT_INT32"),
    ],
)
def test_refused_by_regress(stub, signature, words):
    code, details = refusal(stub.Regress, _regress(signature))
    assert code is INVALID
    assert details.startswith(words)


@pytest.mark.parametrize(
    ("tasks", "code", "words"),
    [
        ([("", CLASSIFY, "")], INVALID, "ModelSpec has no name specified."),
        ([("", CLASSIFY, "animals"), ("", CLASSIFY, "")], INVALID, "Found ModelSpec with an empty model name."),
        (
            [("", CLASSIFY, "animals"), ("regress", REGRESS, "plants")],
            INVALID,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("", CLASSIFY, "animals"), ("serving_default", CLASSIFY, "animals")],
            INVALID,
            "Duplicate evaluation of signature: serving_default",
        ),
        ([("nope", CLASSIFY, "animals")], INVALID, "Requested signature not found in model graph: nope"),
        (
            [("predict", PREDICT, "animals")],
            grpc.StatusCode.UNIMPLEMENTED,
            f"Unsupported signature method_name: {PREDICT}",
        ),
        ([("", REGRESS, "animals")], INVALID, "Expected one output Tensor."),
    ],
)
def test_refused_by_multi_inference(stub, tasks, code, words):
    assert refusal(stub.MultiInference, _multi(*tasks)) == (code, words)


def test_models_not_served(stub):
    for rpc, request in ((stub.Classify, _classify()), (stub.Regress, _regress())):
        request.model_spec.version.value = 8
        assert refusal(rpc, request)[1] == "Servable not found for request: Specific(animals, 8)"
        request.ClearField("model_spec")
        assert refusal(rpc, request) == (INVALID, "Missing ModelSpec")


def test_examples_the_graph_cannot_parse_are_refused_in_its_words(stub):
    code, details = refusal(stub.Regress, _regress(input_=_input(example(1))))
    assert code is INVALID
    assert "Key: x, Index: 0.  Number of float values != expected." in details


def test_tensorflow_2_models_classify_by_the_names_of_their_outputs(tmp_path):
    """`tf.saved_model.save` knows no method but predict; TensorFlow Serving's default is not to ask for it."""

    class Lengths(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def classify(self, inputs):
            return {"scores": tf.cast(tf.strings.length(inputs), tf.float32)[:, None]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def regress(self, inputs):
            return {"outputs": -tf.cast(tf.strings.length(inputs), tf.float32)}

    model = Lengths()
    tf.saved_model.save(model, str(tmp_path / "1"), {"serving_default": model.classify, "regress": model.regress})
    with (
        serving.Server(model_name="animals", model_base_path=tmp_path, port=0) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        result = stub.Classify(_classify(), timeout=30).result
        tasks = _multi(("", CLASSIFY, "animals"), ("regress", REGRESS, "animals"))
        scores, values = stub.MultiInference(tasks, timeout=30).results
    lengths = [len(one.SerializeToString()) for one in EXAMPLES]
    assert _rows(result) == [[("", length)] for length in lengths]
    assert scores.classification_result == result
    assert [one.value for one in values.regression_result.regressions] == [-length for length in lengths]
