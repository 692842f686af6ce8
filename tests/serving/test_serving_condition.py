"""The client and a model that takes a condition."""

import numpy as np
import pytest
import tensorflow as tf

import serving


class Conditional(tf.Module):
    """Answers with the condition it received."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, "seed"),
            tf.TensorSpec([None], tf.int64, "condition"),
        ]
    )
    def generate(self, seed, condition):
        return {"mean": tf.cast(condition, tf.float32), "z": tf.cast(seed, tf.float32)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, "x"),
            tf.TensorSpec([None, 3], tf.float32, "condition"),
        ]
    )
    def encode(self, x, condition):
        return {"mean": condition, "scale": x}


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    base = tmp_path_factory.mktemp("conditional")
    module = Conditional()
    tf.saved_model.save(module, str(base / "1"), {"generate": module.generate, "encode": module.encode})
    with (
        serving.Server(model_name="c", model_base_path=base, port=0) as server,
        serving.Client(f"127.0.0.1:{server.port}", model="c", timeout=30) as client,
    ):
        client.wait_until_ready(30)
        yield client


def test_one_condition_for_all_or_one_for_each(conditional):
    assert conditional.generate(n=3, condition=7).mean.tolist() == [7, 7, 7]
    assert conditional.generate(n=3, condition=[1, 2, 3]).mean.tolist() == [1, 2, 3]
    assert conditional.generate(seeds=[5], condition=[4]).mean.tolist() == [4]
    x = np.zeros([2, 2])
    assert conditional.encode(x, condition=[1, 2, 3]).mean.tolist() == [[1, 2, 3]] * 2
    assert conditional.encode(x, condition=[[1, 2, 3], [4, 5, 6]]).mean.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.generate(n=3, condition=[1, 2]), r"expected one condition, or 3 \(one per row\), received 2"),
        (lambda c: c.generate(n=3), r"expected the inputs \['condition', 'seed'\], received \['seed'\]"),
        (lambda c: c.generate(n=3, condition=1.5), "without loss"),
        (lambda c: c.encode(np.zeros([1, 2]), condition=7), "expected shape"),
        (lambda c: c.predict("generate", {"seed": [1], "condition": "seven"}), "expected shape"),
    ],
)
def test_other_conditions_are_refused_before_they_are_sent(conditional, call, message):
    with pytest.raises(ValueError, match=message):
        call(conditional)
