"""Predict: exact answers, the output filter, and every refusal in TensorFlow Serving's words."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_testing import EVENT, LATENT, SEEDS, X, predict_request, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT

INPUTS = {
    "encode": {"x": X},
    "decode": {"z": X[:, :LATENT]},
    "generate": {"seed": SEEDS},
    "reconstruct": {"x": X},
    "score": {"x": X, "seed": SEEDS[:2]},
    "total": {"table": np.ones([3, 5], np.float32)},
    "join": {"words": np.array([b"a", b"\xff\x00"], object)},
}


@pytest.mark.parametrize("signature", INPUTS)
def test_answers_equal_the_call_in_process(stubs, exports, signature):
    function = tf.saved_model.load(str(exports[1])).signatures[signature]
    wanted = function(**{name: tf.constant(value) for name, value in INPUTS[signature].items()})
    response = stubs.predict(predict_request(signature, **INPUTS[signature]), timeout=30)
    assert response.outputs.keys() == wanted.keys()
    for name, tensor in wanted.items():
        answer = tf.make_ndarray(response.outputs[name])
        assert answer.dtype == tensor.dtype.as_numpy_dtype
        np.testing.assert_array_equal(answer, tensor.numpy(), strict=True)


def test_spec_carries_what_was_resolved(stubs):
    spec = stubs.predict(predict_request("", seed=SEEDS), timeout=30).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("vae", 5, "serving_default")


def test_serves_the_version_asked_for(stubs):
    request = predict_request("", seed=SEEDS)
    request.model_spec.version.value = 5
    assert stubs.predict(request, timeout=30).model_spec.version.value == 5


def test_both_encodings_of_a_tensor_mean_the_same(stubs):
    typed = predict_request("encode")
    typed.inputs["x"].dtype = tf.float32.as_datatype_enum
    for size in X.shape:
        typed.inputs["x"].tensor_shape.dim.add(size=size)
    typed.inputs["x"].float_val.extend(X.ravel().tolist())
    answers = [stubs.predict(request, timeout=30) for request in (typed, predict_request("encode", x=X))]
    assert answers[0].outputs["mean"] == answers[1].outputs["mean"]


def test_empty_batch(stubs):
    response = stubs.predict(predict_request("encode", x=X[:0]), timeout=30)
    assert tf.make_ndarray(response.outputs["mean"]).shape == (0, LATENT)


def test_nan_is_answered_with_nan(stubs):
    response = stubs.predict(predict_request("encode", x=np.full([1, EVENT], np.nan, np.float32)), timeout=30)
    assert np.isnan(tf.make_ndarray(response.outputs["mean"])).all()


def test_accepts_a_request_above_the_default_limit(stubs):
    x = np.ones([6 * 2**20 // (4 * EVENT), EVENT], np.float32)
    request = predict_request("score", x=x, seed=np.zeros(len(x), np.int64))
    assert request.ByteSize() > 6 * 10**6
    bound = tf.make_ndarray(stubs.predict(request, timeout=60).outputs["log_likelihood_bound"])
    np.testing.assert_array_equal(bound, np.full(len(x), -EVENT, np.float32))


def test_output_filter(stubs):
    request = predict_request("encode", x=X)
    request.output_filter.append("scale")
    assert set(stubs.predict(request, timeout=30).outputs) == {"scale"}


@pytest.mark.parametrize(
    ("filter_", "words"),
    [
        (
            ["nope"],
            "output tensor alias not found in signature: nope Outputs expected to be in the set {mean,scale}.",
        ),
        (["mean", "mean"], "duplicate output tensor alias: mean"),
    ],
)
def test_output_filter_refused(stubs, filter_, words):
    request = predict_request("encode", x=X)
    request.output_filter.extend(filter_)
    assert refusal(stubs.predict, request) == (INVALID, words)


def _versioned(model: str, version: int):
    request = predict_request("", model, seed=SEEDS)
    request.model_spec.version.value = version
    return request


def _labelled():
    request = predict_request("", seed=SEEDS)
    request.model_spec.version_label = "stable"
    return request


def _without_spec():
    request = predict_request("", seed=SEEDS)
    request.ClearField("model_spec")
    return request


NOT_FOUND = grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("request_", "code", "details"),
    [
        (predict_request("", "nope"), NOT_FOUND, "Servable not found for request: Latest(nope)"),
        (_versioned("vae", 9), NOT_FOUND, "Servable not found for request: Specific(vae, 9)"),
        (_versioned("vae", 1), NOT_FOUND, "Servable not found for request: Specific(vae, 1)"),
        (_versioned("vae", 0), NOT_FOUND, "Servable not found for request: Specific(vae, 0)"),
        (_versioned("vae", -5), NOT_FOUND, "Servable not found for request: Specific(vae, -5)"),
        (_without_spec(), INVALID, "Missing ModelSpec"),
        (predict_request("", "", seed=SEEDS), INVALID, "ModelSpec has no name specified."),
        (_labelled(), INVALID, "Unrecognized servable version label: stable"),
        (
            predict_request("nope", seed=SEEDS),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "nope" not found.',
        ),
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
        (
            predict_request("encode"),
            INVALID,
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            predict_request("encode", image=X),
            INVALID,
            "Signature input alias: x(feed name: encode_x:0) not found in request and no default value provided."
            " Inputs expected to be in the request {image}, or default input alias set: ",
        ),
        (
            predict_request("encode", x=X.astype(np.float64)),
            INVALID,
            "Expects arg[0] to be float but double is provided",
        ),
        (
            predict_request("encode", x="a string"),
            INVALID,
            "Expects arg[0] to be float but string is provided",
        ),
        (
            predict_request("score", x=X.astype(np.int32), seed=SEEDS[:2]),
            INVALID,
            "Expects arg[1] to be float but int32 is provided",
        ),
    ],
)
def test_refused_in_tensorflow_servings_words(stubs, request_, code, details):
    assert refusal(stubs.predict, request_) == (code, details)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            predict_request("multiply", table=np.ones([2, 7], np.float32)),
            "Matrix size-incompatible: In[0]: [2,7], In[1]: [3,2]",
        ),
        (predict_request("score", x=X, seed=SEEDS), "Incompatible shapes: [2] vs. [4]"),
    ],
)
def test_kernels_refuse_in_their_own_words(stubs, request_, words):
    code, details = refusal(stubs.predict, request_)
    assert code is INVALID
    assert details.startswith(words)
    assert "inference_signature" not in details


def test_a_long_name_does_not_overflow_the_headers(stubs):
    code, details = refusal(stubs.predict, predict_request("é" * 100_000))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details.startswith('Serving signature key "éé')
    assert details.endswith("...")


def test_the_unexpected_is_internal_logged_and_survived(stubs, server, monkeypatch, caplog):
    signature = server.models.get("vae").servable().signature("encode")

    def fail(*_):
        raise KeyError("a secret of the server")

    with monkeypatch.context() as patch:
        patch.setattr(signature, "_runner", fail)
        code, details = refusal(stubs.predict, predict_request("encode", x=X))
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in details
    assert "a secret of the server" in caplog.text
    assert stubs.predict(predict_request("encode", x=X), timeout=30).outputs
