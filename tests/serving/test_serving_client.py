"""The client: what it asks for, and what it makes of answers and errors."""

import pickle

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_testing import EVENT, LATENT, SEEDS, X, publish, wait_for

import serving
from keras_vae.utils.seeds import rows_of
from serving.client.specs import TensorSpec, read_signatures
from serving.wire import tensors


@pytest.fixture(scope="module")
def model(exports):
    return tf.saved_model.load(str(exports[1]))


def test_methods_equal_the_calls_in_process(client, model):
    def call(signature, **inputs):
        outputs = model.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    generated = client.generate(seeds=SEEDS)
    wanted = call("generate", seed=SEEDS)
    np.testing.assert_array_equal(generated.mean, wanted["mean"], strict=True)
    np.testing.assert_array_equal(generated.z, wanted["z"], strict=True)
    encoded = client.encode(X)
    wanted = call("encode", x=X)
    np.testing.assert_array_equal(encoded.mean, wanted["mean"], strict=True)
    np.testing.assert_array_equal(encoded.scale, wanted["scale"], strict=True)
    decoded = client.decode(encoded.mean)
    np.testing.assert_array_equal(decoded, call("decode", z=encoded.mean)["mean"], strict=True)
    reconstructed = call("reconstruct", x=X)["mean"]
    np.testing.assert_array_equal(client.reconstruct(X), reconstructed, strict=True)
    for seeds in (None, [5, 3]):
        seed = np.array([0, 1] if seeds is None else seeds, np.int64)
        bound = call("score", x=X, seed=seed)["log_likelihood_bound"]
        np.testing.assert_array_equal(client.score(X, seeds=seeds), bound, strict=True)


def test_a_seed_gives_the_seeds_that_the_model_derives(client):
    for seed in (0, 6, 2**31 - 1):
        np.testing.assert_array_equal(client.generate(n=3, seed=seed).z, client.generate(rows_of(seed, 3)).z)
    np.testing.assert_array_equal(client.generate(n=2).z, client.generate(n=3, seed=0).z[:2])
    assert client.generate(n=0).mean.shape == (0, EVENT)
    first, second = (client.generate(n=100, seed=seed).z for seed in (0, 1))
    assert not np.any(np.all(first[1:] == second[:-1], axis=1))  # as consecutive seeds would be


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"n": 1, "seeds": [1]},
        {"n": -1},
        {"n": 1.5},
        {"n": True},
        {"n": 2, "seed": 2**31},
        {"n": 2, "seed": -1},
        {"n": 2, "seed": True},
        {"n": 2, "seed": 1.7},
        {"seeds": [1], "seed": 0},
        {"seeds": [2**63]},
        {"seeds": [0.5]},
    ],
)
def test_generate_refuses(client, arguments):
    with pytest.raises(ValueError, match=r"generate: (n: |seed: )?expected|without loss"):
        client.generate(**arguments)


def test_a_number_of_examples_in_place_of_seeds_is_deprecated(client):
    with pytest.warns(DeprecationWarning, match="Pass n=16") as caught:
        answer = client.generate(2, seed=5)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(answer.z, client.generate(n=2, seed=5).z)


def test_outputs_by_name_and_in_order(client):
    answer = client.generate(SEEDS)
    mean, z = answer
    assert list(answer.keys()) == ["mean", "z"]
    assert len(answer) == 2
    assert dict(answer)["mean"] is mean is answer["mean"] is answer.mean
    assert answer.z is z
    assert repr(answer) == f"Outputs(mean: float32 [{len(SEEDS)},{EVENT}], z: float32 [{len(SEEDS)},{LATENT}])"
    assert dict(pickle.loads(pickle.dumps(answer))).keys() == {"mean", "z"}
    with pytest.raises(AttributeError, match="unknown output 'scale'"):
        answer.scale  # noqa: B018


def test_draws_and_groups(client, tmp_path):
    with pytest.raises(serving.ServingError, match="draw"):
        client.generate(SEEDS, draws=True)

    class Drawing(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "seed")])
        def generate(self, seed):
            x = tf.cast(seed, tf.float32)
            return {"mean": x, "z/top": 2 * x, "z/bottom": 3 * x}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "seed")])
        def draw(self, seed):
            return {**self.generate(seed), "draw": 4 * tf.cast(seed, tf.float32)}

        @tf.function(input_signature=[tf.TensorSpec([None], name="z/top"), tf.TensorSpec([None], name="z/bottom")])
        def decode(self, top, bottom):
            return {"mean": bottom - top}

    drawing = Drawing()
    signatures = {name: getattr(drawing, name) for name in ("generate", "draw", "decode")}
    tf.saved_model.save(drawing, str(tmp_path / "1"), signatures)
    with (
        serving.Server(model_name="m", model_base_path=tmp_path, port=0) as server,
        serving.Client(f"127.0.0.1:{server.port}", "m", timeout=30) as other,
    ):
        answer = other.generate([1, 2])
        assert list(answer.keys()) == ["mean", "z/bottom", "z/top"]
        assert list(other.generate([1], draws=True).keys()) == ["mean", "draw", "z/bottom", "z/top"]
        assert other.generate([1], draws=True)["draw"].tolist() == [4.0]
        latents = {"top": answer["z/top"], "bottom": answer["z/bottom"]}
        assert other.decode(latents).tolist() == [1.0, 2.0]


def test_predict_filters_outputs(client):
    assert client.predict("encode", {"x": X}, ["scale"]).keys() == {"scale"}
    assert client.predict("encode", {"x": X}).keys() == {"mean", "scale"}


def test_answers_can_be_written_to(client):
    mean = client.encode(X).mean
    mean += 1


def test_metadata(client):
    signatures = client.metadata()
    assert signatures["score"].inputs == {
        "x": TensorSpec(np.dtype(np.float32), (None, EVENT)),
        "seed": TensorSpec(np.dtype(np.int64), (None,)),
    }
    assert signatures["decode"].outputs["logits"] == TensorSpec(np.dtype(np.float32), (None, EVENT))
    assert signatures["serving_default"] == signatures["generate"]
    assert str(signatures["decode"].inputs["z"]) == f"float32 [?,{LATENT}]"
    assert not any(name.startswith("__") for name in signatures)


def test_unknown_rank_takes_any_shape(stubs):
    from tensorflow_serving.apis import get_model_metadata_pb2

    signature_map = get_model_metadata_pb2.SignatureDefMap()
    info = signature_map.signature_def["any"].inputs["x"]
    info.dtype = tf.float32.as_datatype_enum
    info.tensor_shape.unknown_rank = True
    spec = read_signatures(signature_map)["any"].inputs["x"]
    assert spec.admits(())
    assert spec.admits((1, 2, 3))
    assert str(spec) == "float32 [...]"


def test_errors_say_what_was_asked(client, server):
    with pytest.raises(serving.ServingError) as caught:
        client.predict("nope", {"x": X})
    error = caught.value
    assert (error.code, error.model, error.signature) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "vae",
        "nope",
    )
    assert error.details == 'Serving signature key "nope" not found.'
    assert str(error) == (
        "model 'vae', signature 'nope': FAILED_PRECONDITION: Serving signature key \"nope\" not found. "
        "(sent x float32 [2,3]; expected one of the signatures decode, encode, generate, join, multiply, "
        "reconstruct, score, serving_default, total, wait)"
    )
    assert pickle.loads(pickle.dumps(error)).args == error.args
    with pytest.raises(serving.ServingError) as caught:
        client.predict("multiply", {"table": np.ones([2, 7])})
    assert str(caught.value).endswith("(sent table float32 [2,7]; expected table float32 [?,?])")
    assert isinstance(error.__cause__, grpc.RpcError)
    with (
        serving.Client(f"127.0.0.1:{server.port}", model="vae", version=4) as other,
        pytest.raises(serving.ServingError, match=r"NOT_FOUND: Servable.*Specific\(vae, 4\)"),
    ):
        other.encode(X)


def test_status_and_readiness(client, server):
    client.wait_until_ready(30)
    assert client.status() == {5: "AVAILABLE"}
    for model, version in (("vae", 4), ("nope", None)):
        with (
            serving.Client(f"127.0.0.1:{server.port}", model=model, version=version) as other,
            pytest.raises(serving.ServingError, match="NOT_FOUND: Could not find"),
        ):
            other.wait_until_ready(0.3)


def test_metadata_is_asked_for_once(client, monkeypatch):
    asked = []
    metadata = client._calls.connection.metadata
    monkeypatch.setattr(client._calls.connection, "metadata", lambda: asked.append(1) or metadata())
    client.encode(X)
    client.decode(X[:, :LATENT])
    assert len(asked) == 1
    with pytest.raises(serving.ServingError):
        client.predict("multiply", {"table": np.ones([2, 7])})
    client.encode(X)
    assert len(asked) == 2


def test_a_new_version_with_another_shape_is_understood(exports, tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, EVENT + 1], tf.float32, "x")])
        def encode(self, x):
            return {"mean": x, "scale": x}

    publish(exports[1], tmp_path / "vae", 1)
    server = serving.Server(
        model_name="vae", model_base_path=tmp_path / "vae", port=0, file_system_poll_wait_seconds=0.02
    )
    with server, serving.Client(f"127.0.0.1:{server.port}", model="vae", timeout=30) as client:
        client.encode(X)
        other = Other()
        tf.saved_model.save(other, str(tmp_path / "other"), {"encode": other.encode})
        publish(tmp_path / "other", tmp_path / "vae", 2)
        wait_for(lambda: client.status().get(2) == "AVAILABLE")
        assert client.encode(np.ones([2, EVENT + 1])).mean.shape == (2, EVENT + 1)
        with pytest.raises(ValueError, match=r"expected shape \[\?,4\], received \[2,3\]"):
            client.encode(X)


def test_reads_the_typed_fields_genuine_tensorflow_serving_answers_with(client, monkeypatch):
    written = []

    def write_typed(array, proto):
        proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
        for size in array.shape:
            proto.tensor_shape.dim.add(size=size)
        proto.float_val.extend(array.ravel().tolist())
        written.append(array)

    wanted = client.encode(X)
    predict = client._transport._procedures["Predict"]

    def retyped(request, timeout):
        response = predict(request, timeout=timeout)
        for proto in response.outputs.values():
            array = tf.make_ndarray(proto)
            proto.Clear()
            write_typed(array, proto)
        return response

    monkeypatch.setitem(client._transport._procedures, "Predict", retyped)
    answer = client.encode(X)
    np.testing.assert_array_equal(answer.mean, wanted.mean, strict=True)
    np.testing.assert_array_equal(answer.scale, wanted.scale, strict=True)
    assert len(written) == 2
    answer.mean[0] = 0  # these too can be written to


def test_the_request_carries_its_values_as_bytes(client, monkeypatch):
    sent = []
    predict = client._transport._procedures["Predict"]
    monkeypatch.setitem(
        client._transport._procedures,
        "Predict",
        lambda request, timeout: sent.append(request) or predict(request, timeout=timeout),
    )
    client.encode(X.astype(np.float64))
    assert sent[0].inputs["x"].tensor_content == X.tobytes()
    assert tensors.dtype_name(sent[0].inputs["x"].dtype) == "float"
