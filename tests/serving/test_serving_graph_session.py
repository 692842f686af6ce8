"""Where a graph runs: short work in the calling thread, long work where its deadline stops it."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.core import graph_session
from serving.core.graph_session import GraphExecutable, load_session


class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def double(self, x):
        return {"y": 2 * x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def loop(self, x):
        return {"y": tf.while_loop(lambda step, _: step < 3, lambda step, y: (step + 1, 2 * y), (0, x))[1]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What runs each signature of a model."""
    path = tmp_path_factory.mktemp("model")
    model = Model()
    tf.saved_model.save(model, str(path), {"double": model.double, "loop": model.loop})
    session = load_session(path, ["serve"])
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    return {name: GraphExecutable(session, meta_graph.signature_def[name]) for name in ("double", "loop")}


def places(runner, monkeypatch, seconds):
    """Runs once for each number of seconds that a call is to take, and tells which ran in the calling thread."""
    found = []
    inner = runner._run

    def run(options, *rest):
        found.append(options is graph_session._IN_THIS_THREAD)
        return inner(options, *rest)

    clock = itertools.chain.from_iterable((0.0, taken) for taken in seconds)
    with monkeypatch.context() as patch:
        patch.setattr(graph_session.time, "perf_counter", lambda: next(clock))
        patch.setattr(runner, "_run", run)
        for _ in seconds:
            runner([np.float32([1.0])], [0])
    return found


def test_short_work_runs_here_and_long_work_returns_when_it_is_short_again(run, monkeypatch):
    taken = [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert places(run["double"], monkeypatch, taken) == [True, True, True, True, True, False, False, True]


def test_loops_run_where_a_deadline_stops_them(run, monkeypatch):
    assert places(run["loop"], monkeypatch, [0.0, 0.0]) == [False, False]
    np.testing.assert_array_equal(run["loop"]([np.float32([1.0])], [0])[0], [8.0])
