"""What the client makes of inputs before it sends them, and what it refuses to send."""

import numpy as np
import pytest
from serving_testing import EVENT, X

from serving.client.fit_inputs import fit_inputs
from serving.client.specs import SignatureSpec, TensorSpec


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int64, np.uint8, np.bool_, list])
def test_casts_what_loses_nothing(client, kind):
    whole = np.array([[1, 0, 1]])
    x = whole.tolist() if kind is list else whole.astype(kind)
    np.testing.assert_array_equal(client.encode(x).mean, client.encode(whole.astype(np.float32)).mean)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint64, list])
def test_casts_integers(client, kind):
    seeds = [1, 2] if kind is list else np.array([1, 2], kind)
    np.testing.assert_array_equal(client.generate(seeds=seeds).z, client.generate(seeds=range(1, 3)).z)


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("encode", {"x": np.full([1, EVENT], 1e300)}),
        ("encode", {"x": np.full([1, EVENT], 2**24 + 1)}),
        ("encode", {"x": np.full([1, EVENT], 1j)}),
        ("encode", {"x": [["a", "b", "c"]]}),
        ("generate", {"seed": np.array([1.0])}),
        ("generate", {"seed": np.array([2**63], np.uint64)}),
    ],
)
def test_refuses_a_cast_with_loss(client, signature, inputs):
    with pytest.raises(ValueError, match="cannot be cast without loss"):
        client.predict(signature, inputs)


def test_infinity_and_nan_are_cast(client):
    mean = client.encode(np.array([[np.inf, 0.0, 0.0], [np.nan, 0.0, 0.0]])).mean
    assert np.isposinf(mean[0]).all()
    assert np.isnan(mean[1]).all()


def test_zeros_at_the_end_of_bytes_are_kept(client):
    assert client.predict("join", {"words": [b"a\0", b"\0"]})["joined"].tolist() == [b"a\0-a\0", b"\0-\0"]


def test_strings(client):
    for words in (["a", "é"], np.array([b"a", "é".encode()]), np.array(["a", b"\xc3\xa9"], object)):
        answer = client.predict("join", {"words": words})
        assert answer["joined"].tolist() == [b"a-a", b"\xc3\xa9-\xc3\xa9"]
        assert answer["count"] == 2
    for wrong in ([1, 2], np.array(["a", None], object)):
        with pytest.raises(ValueError, match="expected strings"):
            client.predict("join", {"words": wrong})


@pytest.mark.parametrize("shape", [(EVENT,), (2, EVENT + 1), (2, EVENT, 1), ()])
def test_a_wrong_shape_is_named(client, shape):
    with pytest.raises(ValueError, match="shape") as caught:
        client.encode(np.zeros(shape))
    sent = ",".join(map(str, shape))
    assert str(caught.value) == (
        f"model 'vae', signature 'encode', input 'x': expected shape [?,{EVENT}], received [{sent}]."
    )


def test_what_is_no_array_is_refused(client):
    with pytest.raises(ValueError, match=r"input 'x': expected float32 .* received a value NumPy cannot convert"):
        client.encode([[1, 2, 3], [4]])


def test_wrong_names_are_refused(client):
    with pytest.raises(ValueError, match=r"'score': expected the inputs \['seed', 'x'\], received \['x'\]"):
        client.predict("score", {"x": X})


def test_what_is_no_list_of_seeds(client):
    assert client.generate([]).mean.shape == (0, EVENT)
    for seeds in ("abc", 1.5, b"1"):
        with pytest.raises(ValueError, match=r"^generate: seeds: expected integers, one per row, received"):
            client.generate(seeds)
    with pytest.raises(
        ValueError, match="expected int8, received values from 300 to 300 that cannot be cast"
    ) as caught:
        fit_inputs({"x": [300]}, None, SignatureSpec({"x": TensorSpec(np.dtype(np.int8), (None,))}, {}), "asked")
    assert "\n" not in str(caught.value)
