"""What is refused over gRPC: statuses, and words where clients may rely on them.

Where the words depend on the kernels or on whether there is batching, a part of them is looked for.
"""

import numpy as np
import pytest
import tensorflow as tf
from interchange_calls import (
    INVALID,
    NOT_FOUND,
    PRECONDITION,
    SEEDS,
    X,
    metadata_request,
    predict_request,
    refusal,
    status_request,
)
from prepare import MAX_BATCH
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)

EXPECTED_OUTPUTS = "Outputs expected to be in the set {mean,scale}."


def _filtered(*names: str) -> predict_pb2.PredictRequest:
    request = predict_request("encode", x=X)
    request.output_filter.extend(names)
    return request


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (predict_request(model="nope"), NOT_FOUND, "Servable not found for request: Latest(nope)"),
        (predict_request(version=9), NOT_FOUND, "Servable not found for request: Specific(vae, 9)"),
        (predict_request(version=0), NOT_FOUND, "Servable not found for request: Specific(vae, 0)"),
        (predict_pb2.PredictRequest(), INVALID, "Missing ModelSpec"),
        (predict_request(model=""), INVALID, "ModelSpec has no name specified."),
        (predict_request(label="nope"), INVALID, "Unrecognized servable version label: nope"),
        (predict_request("nope", x=X), PRECONDITION, 'Serving signature key "nope" not found.'),
        (
            predict_request("score", x=X),
            INVALID,
            "input size does not match signature: 1!=2 len({x}) != len({seed,x})."
            " Sent extra: {}. Missing but required: {seed}.",
        ),
        (
            predict_request("encode", x=X, y=X),
            INVALID,
            "input size does not match signature: 2!=1 len({x,y}) != len({x})."
            " Sent extra: {y}. Missing but required: {}.",
        ),
        (_filtered("nope"), INVALID, f"output tensor alias not found in signature: nope {EXPECTED_OUTPUTS}"),
        (_filtered("mean", "mean"), INVALID, "duplicate output tensor alias: mean"),
    ],
)
def test_predict_in_exact_words(target, request_, code, words):
    assert refusal(target.prediction.Predict, request_) == (code, words)


def test_a_misnamed_input(target):
    code, words = refusal(target.prediction.Predict, predict_request("encode", image=X))
    assert code is INVALID
    assert words.startswith("Signature input alias: x(feed name: ")
    assert words.endswith("expected to be in the request {image}, or default input alias set: ")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (predict_request("encode", x=X.astype(np.float64)), "to be float but double is provided"),
        (predict_request("encode", x=np.array([b"1"], object)), "to be float but string is provided"),
        (predict_request("multiply", table=np.ones([2, 7], np.float32)), "Matrix size-incompatible"),
    ],
)
def test_tensors_that_do_not_fit(target, request_, words):
    code, found = refusal(target.prediction.Predict, request_)
    assert code is INVALID
    # With batching the rows may be looked at by another operation first.
    assert words in found or target.batching


def test_the_graph_alone_is_asked_about_a_shape_that_contradicts_the_signature(target):
    request = predict_request("score", x=np.ones([2, 4], np.float32), seed=SEEDS[:2])
    answer = target.prediction.Predict(request, timeout=60)
    assert list(answer.outputs["log_likelihood_bound"].float_val) == [-4, -5]


def _tensor(shape: tuple[int, ...], content: bytes = b"", unknown_rank: bool = False) -> predict_pb2.PredictRequest:
    request = predict_request("decode")
    tensor = request.inputs["z"]
    tensor.dtype = tf.float32.as_datatype_enum
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.unknown_rank = unknown_rank
    tensor.tensor_content = content
    return request


@pytest.mark.parametrize(
    "request_",
    [_tensor((2, 2), b"short"), _tensor((-1, 2), bytes(16)), _tensor((), bytes(16), unknown_rank=True)],
    ids=["short content", "negative dimension", "unknown rank"],
)
def test_malformed_tensors(target, request_):
    code, words = refusal(target.prediction.Predict, request_)
    assert code is INVALID
    assert words.startswith("tensor parsing error: z")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (metadata_request(), INVALID),
        (metadata_request("nope"), INVALID),
        (metadata_request("signature_def", model="nope"), NOT_FOUND),
        (get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]), INVALID),
    ],
)
def test_metadata(target, request_, code):
    assert refusal(target.prediction.GetModelMetadata, request_)[0] is code


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (status_request("nope"), NOT_FOUND, "Could not find any versions of model nope"),
        (status_request(version=9), NOT_FOUND, "Could not find version 9 of model vae"),
        (get_model_status_pb2.GetModelStatusRequest(), INVALID, "Missing ModelSpec"),
    ],
)
def test_status(target, request_, code, words):
    assert refusal(target.model.GetModelStatus, request_) == (code, words)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (classification_pb2.ClassificationRequest(model_spec={"name": "animals"}), INVALID),  # no examples
        (classification_pb2.ClassificationRequest(model_spec={"name": "animals", "signature_name": "nope"}), INVALID),
        (classification_pb2.ClassificationRequest(model_spec={"name": "animals", "signature_name": "sum"}), INVALID),
        (classification_pb2.ClassificationRequest(model_spec={"name": "nope"}), NOT_FOUND),
        (regression_pb2.RegressionRequest(model_spec={"name": "animals"}), INVALID),  # a signature to classify
    ],
)
def test_examples(target, request_, code):
    if request_.model_spec.signature_name:
        request_.input.example_list.examples.add().features.feature["x"].float_list.value.extend([1, 2])
    rpc = target.prediction.Classify if "Classif" in type(request_).__name__ else target.prediction.Regress
    assert refusal(rpc, request_)[0] is code


def test_multi_inference(target):
    request = inference_pb2.MultiInferenceRequest(input=input_pb2.Input(example_list=input_pb2.ExampleList()))
    request.input.example_list.examples.add().features.feature["x"].float_list.value.extend([1, 2])
    for model in ("animals", "vae"):
        request.tasks.add(model_spec={"name": model}, method_name="tensorflow/serving/classify")
    assert refusal(target.prediction.MultiInference, request)[0] is INVALID


def test_batches(target):
    if not target.batching:
        pytest.skip("without batching")
    scalar = predict_request("double", value=np.float32(1))
    uneven = predict_request("score", x=X, seed=SEEDS)
    large = predict_request("generate", seed=np.zeros(MAX_BATCH + 1, np.int64))
    for request, words in ((scalar, "at least one dimension"), (uneven, "equal 0th-dimension size"), (large, "")):
        code, found = refusal(target.prediction.Predict, request)
        assert code is INVALID
        assert words in found


def test_without_batching_the_same_is_answered_or_refused_by_the_kernel(target):
    if target.batching:
        pytest.skip("with batching")
    assert target.predict("double", value=np.float32(1))["doubled"] == 2
    assert target.predict("generate", seed=np.zeros(MAX_BATCH + 1, np.int64))["z"].shape == (MAX_BATCH + 1, 2)
    code, words = refusal(target.prediction.Predict, predict_request("score", x=X, seed=SEEDS))
    assert code is INVALID
    assert "Incompatible shapes: [2] vs. [4]" in words
