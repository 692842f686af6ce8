"""Shapes other than the signature's: answered where the graph answers, and refused in the kernel's own words."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_saved_models import run, run_refusal
from serving_testing import X, predict_request, refusal

from serving.core.batching import Batching
from serving.core.servable import Servable


def _signature(**specs):
    return tf.function(input_signature=[tf.TensorSpec(*spec, name=name) for name, spec in specs.items()])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("shapes") / "1"
    column = ([None, 1], tf.float32)
    signatures = {
        "half": _signature(x=column)(lambda x: {"y": 0.5 * x + 2.0}),
        # With the shape of the signature, this is a step that TensorFlow's optimizer removes.
        "column": _signature(x=column)(lambda x: {"y": tf.reshape(x, [-1, 1])}),
        "size": _signature(x=column)(lambda x: {"shape": tf.shape(x)}),
        "add": _signature(a=([None, 2], tf.float32), b=([None, 2], tf.float32))(lambda a, b: {"sum": a + b}),
        "wide": _signature(x=column)(lambda x: {"y": tf.tile(x, [1, 2**18])}),
        "scalar": _signature(x=([], tf.float32))(lambda x: {"y": x + 1.0}),
    }
    tf.saved_model.save(tf.Module(), str(path), signatures)
    return path


@pytest.fixture(scope="module")
def alone(path):
    return Servable(1, path)


@pytest.fixture(scope="module")
def batched(path):
    return Servable(1, path, Batching(max_batch_size=16, batch_timeout_micros=1000))


@pytest.fixture(params=["alone", "batched"])
def servable(request, alone, batched):
    return alone if request.param == "alone" else batched


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), (2, 3), (0,), (2, 2, 2)])
def test_a_graph_answers_shapes_other_than_its_signature(servable, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.testing.assert_array_equal(run(servable, "half", x=x)["y"], 0.5 * x + 2)
    np.testing.assert_array_equal(run(servable, "column", x=x)["y"], x.reshape(-1, 1))
    assert tuple(run(servable, "size", x=x)["shape"]) == shape


def test_a_scalar_is_answered_alone_and_no_batch(alone, batched):
    assert run(alone, "half", x=np.float32(3))["y"] == 3.5
    words = "Batching Run() input tensors must have at least one dimension"
    assert run_refusal(batched, "half", x=np.float32(3)) == (grpc.StatusCode.INVALID_ARGUMENT, words)
    assert run(alone, "scalar", x=np.float32([1, 2]))["y"].tolist() == [2, 3]


def test_unequal_rows_are_the_graphs_affair_alone_and_no_batch(alone, batched):
    a, b = np.ones([3, 2], np.float32), np.ones([1, 2], np.float32)
    np.testing.assert_array_equal(run(alone, "add", a=a, b=b)["sum"], a + b)
    words = "Batching Run() input tensors must have equal 0th-dimension size"
    assert run_refusal(batched, "add", a=a, b=b) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_an_answer_that_cannot_be_sent_is_refused_before_it_is_computed(servable):
    code, details = run_refusal(servable, "wide", x=np.ones([2048, 1], np.float32))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details.endswith("received 2048 rows that make 2147483648. Send at most 2047 rows per request.")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[:, :2], "Matrix size-incompatible: In[0]: [2,2], In[1]: [3,2]"),
        (X[0], "In[0] ndims must be >= 2"),
    ],
)
def test_what_the_graph_refuses_is_refused_in_its_words(stubs, x, words):
    code, details = refusal(stubs.predict, predict_request("encode", x=x))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(words)
