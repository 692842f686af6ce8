"""What is answered over gRPC: numbers computed here by NumPy, and what model and version they are said to come from."""

import numpy as np
import pytest
import tensorflow as tf
from interchange_calls import SEEDS, WEIGHTS, X, arrays, metadata_request, predict_request, status_request
from prepare import ANIMALS, CLASSIFY, REGRESS
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
)

import serving

Z = np.stack([np.sin(SEEDS % 1000), np.cos(SEEDS % 1000)], axis=1)
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def truth(version: int) -> dict[str, dict[str, np.ndarray]]:
    weights = version * WEIGHTS
    codes = X @ weights
    return {
        "generate": {"z": Z, "mean": sigmoid(Z @ weights.T)},
        "encode": {"mean": codes, "scale": np.exp(-np.abs(codes))},
        "decode": {"mean": sigmoid(X[:, :2] @ weights.T)},
        "reconstruct": {"mean": sigmoid(codes @ weights.T)},
        "score": {"log_likelihood_bound": -(X**2).sum(axis=1) - SEEDS[:2]},
    }


INPUTS = {
    "generate": {"seed": SEEDS},
    "encode": {"x": X},
    "decode": {"z": X[:, :2]},
    "reconstruct": {"x": X},
    "score": {"x": X, "seed": SEEDS[:2]},
}


def check(answer: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert answer.keys() == wanted.keys()
    for name, array in wanted.items():
        assert answer[name].dtype == np.float32
        np.testing.assert_allclose(answer[name], array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("signature", INPUTS)
def test_answers_of_the_latest_version(target, signature):
    check(target.predict(signature, **INPUTS[signature]), truth(2)[signature])


@pytest.mark.parametrize(
    ("spec", "version"), [({"version": 1}, 1), ({"version": 2}, 2), ({"label": "stable"}, 1), ({"label": "canary"}, 2)]
)
def test_versions_and_labels(target, spec, version):
    answer = target.prediction.Predict(predict_request("encode", **spec, x=X), timeout=60)
    check(arrays(answer), truth(version)["encode"])
    assert answer.model_spec.version.value == version


def test_no_signature_name_means_the_default_and_the_answer_says_so(target):
    answer = target.prediction.Predict(predict_request(seed=SEEDS), timeout=60)
    check(arrays(answer), truth(2)["generate"])
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("vae", 2, "serving_default")


def test_output_filter(target):
    request = predict_request("encode", x=X)
    request.output_filter.append("scale")
    check(arrays(target.prediction.Predict(request, timeout=60)), {"scale": truth(2)["encode"]["scale"]})


def test_tensors_in_typed_fields(target):
    request = predict_request("score", seed=SEEDS[:2])
    x = request.inputs["x"]
    x.dtype = tf.float32.as_datatype_enum
    x.tensor_shape.CopyFrom(tf.TensorShape(X.shape).as_proto())
    x.float_val.extend(X.ravel().tolist())
    check(arrays(target.prediction.Predict(request, timeout=60)), truth(2)["score"])
    # One value stands for as many as there are.
    del x.float_val[1:]
    check(
        arrays(target.prediction.Predict(request, timeout=60)),
        {"log_likelihood_bound": -3 * X[0, 0] ** 2 - SEEDS[:2]},
    )


def test_strings(target):
    joined = target.predict("join", words=np.array([b"a", b"\xff\x00"], object))["joined"]
    assert joined.tolist() == [b"a-a", b"\xff\x00-\xff\x00"]


def test_a_request_of_6_mb(target):
    table = np.ones([2, 750_000], np.float32)
    np.testing.assert_array_equal(target.predict("row_sums", table=table)["sums"], [750_000] * 2)


def test_metadata(target):
    answer = target.prediction.GetModelMetadata(metadata_request("signature_def"), timeout=60)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("vae", 2)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert found.signature_def.keys() >= {*INPUTS, "serving_default"}
    score = found.signature_def["score"]
    assert score.inputs.keys() == {"x", "seed"}
    assert score.inputs["seed"].dtype == tf.int64.as_datatype_enum
    assert [dim.size for dim in score.inputs["x"].tensor_shape.dim] == [-1, 3]
    assert score.method_name == "tensorflow/serving/predict"


def test_status(target):
    for version, wanted in ((None, [2, 1]), (1, [1])):
        found = target.model.GetModelStatus(status_request(version=version), timeout=60).model_version_status
        # What was served once may be among them.
        available = [one for one in found if one.state == AVAILABLE]
        assert [one.version for one in available] == wanted
        assert {one.status.error_code for one in available} == {0}


def examples(*rows: list[float]) -> input_pb2.Input:
    given = input_pb2.Input(example_list=input_pb2.ExampleList())
    for row in rows:
        feature = given.example_list.examples.add().features.feature["x"]
        feature.float_list.value.extend(row)
    return given


# The features [1, 2] and [-1, 0.5] times [[1, 2, 3], [4, 5, 6]].
EXAMPLES = examples([1, 2], [-1, 0.5])
CLASSES = [list(zip(ANIMALS, scores, strict=True)) for scores in ([9, 12, 15], [1, 0.5, 0])]
SUMS = [3, -0.5]


def rows(result: classification_pb2.ClassificationResult) -> list[list[tuple[str, float]]]:
    return [[(one.label, one.score) for one in row.classes] for row in result.classifications]


def test_classify(target):
    request = classification_pb2.ClassificationRequest(model_spec={"name": "animals"}, input=EXAMPLES)
    answer = target.prediction.Classify(request, timeout=60)
    assert rows(answer.result) == CLASSES
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("animals", 7, "serving_default")


def test_regress(target):
    request = regression_pb2.RegressionRequest(model_spec={"name": "animals", "signature_name": "sum"}, input=EXAMPLES)
    answer = target.prediction.Regress(request, timeout=60)
    assert [one.value for one in answer.result.regressions] == SUMS


def test_multi_inference(target):
    request = inference_pb2.MultiInferenceRequest(input=EXAMPLES)
    request.tasks.add(model_spec={"name": "animals", "signature_name": "sum"}, method_name=REGRESS)
    request.tasks.add(model_spec={"name": "animals"}, method_name=CLASSIFY)
    sums, classes = target.prediction.MultiInference(request, timeout=60).results
    assert [one.value for one in sums.regression_result.regressions] == SUMS
    assert rows(classes.classification_result) == CLASSES


def test_predict_on_a_model_of_tensorflow_1(target):
    words = np.array([one.SerializeToString() for one in EXAMPLES.example_list.examples], object)
    answer = target.predict("serving_default", "animals", inputs=words)
    assert answer["classes"].tolist() == [[name.encode() for name in ANIMALS]] * 2
    np.testing.assert_array_equal(answer["scores"], [[score for _, score in row] for row in CLASSES])


def test_the_client(target):
    with serving.Client(target.server, model="vae", timeout=60) as client:
        client.wait_until_ready(60)
        assert {1: "AVAILABLE", 2: "AVAILABLE"}.items() <= client.status().items()
        assert client.metadata()["decode"].takes() == "z float32 [?,2]"
        wanted = truth(2)
        check(dict(client.generate(SEEDS)), wanted["generate"])
        check(dict(client.encode(X)), wanted["encode"])
        check({"mean": client.decode(X[:, :2])}, wanted["decode"])
        check({"mean": client.reconstruct(X)}, wanted["reconstruct"])
        check({"log_likelihood_bound": client.score(X, seeds=SEEDS[:2])}, wanted["score"])
        with pytest.raises(serving.ServingError, match='FAILED_PRECONDITION: Serving signature key "nope" not found'):
            client.predict("nope", {"x": X})
    with serving.Client(target.server, model="vae", version_label="stable", timeout=60) as client:
        check(dict(client.encode(X)), truth(1)["encode"])


def test_the_client_divides_what_is_large(target):
    with serving.Client(target.server, model="vae", timeout=60, max_message_bytes=1024) as client:
        seeds = np.arange(300)
        np.testing.assert_allclose(client.generate(seeds=seeds).z[:, 0], np.sin(seeds), atol=1e-5)
