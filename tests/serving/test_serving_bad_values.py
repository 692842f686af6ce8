"""An exported model refuses NaN, values outside the support and rows that do not match, in one clear line."""

import grpc
import numpy as np
import pytest
from serving_testing import Stubs, predict_request, refusal

import keras_vae as kv
import serving
from serving.core.batching import Batching

X, Z = np.zeros([6, 4], np.float32), np.zeros([6, 2], np.float32)
Y, SEEDS = np.arange(6) % 3, np.arange(6)
BINARY = "refuses this data: x: expected every value exactly 0 or 1 for a Bernoulli likelihood, received {}. For gray"
FINITE = "refuses this data: z: expected every value finite, received {}. Pass latents"
LABEL = "condition: expected every label an integer from 0 to 2, received 3. Use numpy.argmax"


def spoiled(array, value):
    found = array.copy()
    found[(5, 1)[: found.ndim]] = value
    return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    vae = kv.models.vae((4,), latent_size=2, hidden=[3], condition=kv.conditions.Label(3), seed=0)
    return vae.export(tmp_path_factory.mktemp("refusals") / "vae" / "1", score_samples=2)


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "batching"])
def stubs(request, exported):
    batching = Batching() if request.param else None
    with serving.Server(model_name="vae", model_base_path=exported.parent, port=0, batching=batching) as server:
        with serving.Client(f"127.0.0.1:{server.port}", model="vae", timeout=60) as client:
            client.wait_until_ready(60)
        stubs = Stubs(server.port)
        with stubs.channel:
            yield stubs


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.5])
def test_bad_values(stubs, value):
    shown = str(value)
    requests = [
        (predict_request(name, x=spoiled(X, value), condition=Y, **more), BINARY.format(shown))
        for name, more in (("encode", {}), ("reconstruct", {}), ("score", {"seed": SEEDS}))
    ]
    if not np.isfinite(value):
        requests.append((predict_request("decode", z=spoiled(Z, value), condition=Y), FINITE.format(shown)))
    for request, expected in requests:
        code, details = refusal(stubs.predict, request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert expected in details
        assert details.endswith(".")
        assert not {"\n", "node", "[[", "assertion"} & set(details.split()) | ({"\n"} & set(details))


def test_bad_conditions(stubs):
    for name, inputs in {
        "encode": {"x": X},
        "decode": {"z": Z},
        "generate": {"seed": SEEDS},
        "draw": {"seed": SEEDS},
        "reconstruct": {"x": X},
        "score": {"x": X, "seed": SEEDS},
    }.items():
        code, details = refusal(stubs.predict, predict_request(name, condition=spoiled(Y, 3), **inputs))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details.startswith(LABEL)
        assert "\n" not in details


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("encode", {"x": X, "condition": Y[:4]}),
        ("encode", {"x": X[:1], "condition": Y}),
        ("decode", {"z": Z, "condition": Y[:1]}),
        ("reconstruct", {"x": X, "condition": Y[:4]}),
        ("generate", {"seed": SEEDS, "condition": Y[:4]}),
        ("draw", {"seed": SEEDS[:4], "condition": Y}),
        ("score", {"x": X, "seed": SEEDS[:4], "condition": Y}),
        ("score", {"x": X[:4], "seed": SEEDS, "condition": Y[:4]}),
        ("score", {"x": X, "seed": SEEDS, "condition": Y[:1]}),
    ],
)
def test_rows_that_do_not_match(stubs, request, name, inputs):
    code, details = refusal(stubs.predict, predict_request(name, **inputs))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    if request.node.callspec.params["stubs"]:  # as TensorFlow Serving words it
        assert details == "Batching Run() input tensors must have equal 0th-dimension size"
    else:
        assert "expected one per row, " in details
        assert " rows, received " in details
        assert details.endswith("per row.")
        assert "\n" not in details
