"""An export refuses wrong shapes itself, in one clear line: in a session, and in our server, alone and in a batch."""

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from serving.core.batching import Batching
from serving.core.errors import RequestError, kernel_message
from serving.core.graph_session import GraphExecutable, load_session
from serving.core.servable import Servable

X = np.zeros((2, 4, 4, 1), np.float32)
SEEDS = np.arange(2)
Y = np.zeros(2, np.int64)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = kv.models.vae((4, 4, 1), latent_size=3, hidden=[8], condition=kv.conditions.Label(3), seed=1)
    return model.export(tmp_path_factory.mktemp("models") / "digits" / "1", score_samples=4)


@pytest.fixture(scope="module")
def run_in(exported):
    """Runs a signature as TensorFlow Serving does, by this server, and by this server in batches."""
    alone, batched = Servable(1, exported), Servable(1, exported, Batching(max_batch_size=8))
    session = load_session(exported, ["serve"])
    definitions = alone.signature_map.signature_def

    def by(servable):
        return lambda name, inputs: servable.signature(name).run(
            {key: tf.make_tensor_proto(value) for key, value in inputs.items()}
        )

    def in_session(name, inputs):
        runner = GraphExecutable(session, definitions[name])
        return runner([inputs[key] for key in sorted(inputs)], range(len(definitions[name].outputs)))

    return {"session": in_session, "alone": by(alone), "batched": by(batched)}


def _refusal(run, name, inputs):
    with pytest.raises((RequestError, tf.errors.InvalidArgumentError)) as caught:
        run(name, inputs)
    return caught.value.details if isinstance(caught.value, RequestError) else kernel_message(caught.value)


WRONG = [
    ("encode", {"x": X[..., 0], "condition": Y}, "x: expected shape [?,4,4,1], received [2,4,4]."),
    ("encode", {"x": X[None], "condition": Y[:1]}, "x: expected shape [?,4,4,1], received [1,2,4,4,1]."),
    ("reconstruct", {"x": X[:, :3], "condition": Y}, "x: expected shape [?,4,4,1], received [2,3,4,1]."),
    ("decode", {"z": np.zeros(3, np.float32), "condition": Y[[0, 0, 0]]}, "z: expected shape [?,3], received [3]."),
    ("generate", {"seed": SEEDS[:, None], "condition": Y}, "seed: expected shape [?], received [2,1]."),
    ("draw", {"seed": SEEDS, "condition": Y[:, None]}, "condition: expected shape [?], received [2,1]."),
    ("score", {"x": X[..., 0], "seed": SEEDS, "condition": Y}, "x: expected shape [?,4,4,1], received [2,4,4]."),
]
SCALARS = [
    ("generate", {"seed": np.int64(1), "condition": Y[:1]}, "seed: expected shape [?], received []."),
    ("score", {"x": X, "seed": SEEDS, "condition": Y[0]}, "condition: expected shape [?], received []."),
]


@pytest.mark.parametrize("way", ["session", "alone", "batched"])
@pytest.mark.parametrize(("name", "inputs", "words"), WRONG)
def test_a_wrong_shape(run_in, way, name, inputs, words):
    assert _refusal(run_in[way], name, inputs) == f"{words} Send rows of that shape."


@pytest.mark.parametrize("way", ["session", "alone"])
@pytest.mark.parametrize(("name", "inputs", "words"), SCALARS)
def test_a_scalar(run_in, way, name, inputs, words):
    assert _refusal(run_in[way], name, inputs) == f"{words} Send rows of that shape."


@pytest.mark.parametrize("way", ["session", "alone"])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("short", ["seed", "condition"])
def test_unequal_lengths_of_score(run_in, way, rows, short):
    inputs = {"x": X[:rows], "seed": SEEDS[:rows], "condition": Y[:rows]} | {short: np.zeros(3, np.int64)}
    words = _refusal(run_in[way], "score", inputs)
    assert f"expected one per row, {rows} rows, received 3. Pass one" in words
    assert ("seeds:" if short == "seed" else "condition:") in words


@pytest.mark.parametrize("way", ["alone", "batched"])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_right_shapes_are_answered_alike(run_in, way, rows):
    inputs = {"x": X[:rows], "seed": SEEDS[:rows], "condition": Y[:rows]}
    (wanted,) = run_in["session"]("score", inputs)
    assert wanted.shape == (rows,)
    found = run_in[way]("score", inputs)["log_likelihood_bound"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
