"""SavedModels in the manner of TensorFlow 1 are served with all they may hold."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_saved_models import LABELS, WEIGHTS, animals, example, run, run_refusal, save_graph, signature

from serving.core.servable import Servable

v1 = tf.compat.v1
X = np.array([[1, 2], [-1, 0.5]], np.float32)
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def animals_path(tmp_path_factory):
    root = tmp_path_factory.mktemp("animals")
    path = save_graph(root / "saved", lambda: animals(root / "labels.txt"))
    (root / "labels.txt").unlink()
    # As when a model is copied to where it is served.
    return path.rename(root / "1")


@pytest.fixture(scope="module")
def animals_servable(animals_path):
    return Servable(1, animals_path)


def test_variables_and_a_tensor_fed_in_the_middle_of_the_graph(animals_servable):
    answer = run(animals_servable, "predict", x=X)
    np.testing.assert_array_equal(answer["scores"], X @ WEIGHTS)
    np.testing.assert_array_equal(answer["again"], X @ WEIGHTS)
    np.testing.assert_array_equal(answer["x"], X)


def test_predict_on_a_classification_with_a_table_filled_from_an_asset(animals_servable):
    answer = run(animals_servable, inputs=[example(*x).SerializeToString() for x in X])
    np.testing.assert_array_equal(answer["scores"], X @ WEIGHTS)
    assert answer["classes"].tolist() == [[label.encode() for label in LABELS]] * 2


def test_the_definitions_are_the_saved_models_own(animals_path, animals_servable):
    with tf.Graph().as_default(), v1.Session() as session:
        meta_graph = v1.saved_model.load(session, ["serve"], str(animals_path))
    assert dict(animals_servable.signature_map.signature_def) == dict(meta_graph.signature_def)


def _oddities():
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    keep = v1.placeholder(tf.float32, [], name="keep")
    optional = v1.placeholder_with_default(3.0, [], name="optional")
    sparse = v1.sparse_placeholder(tf.float32, [None, 2], name="sparse")
    weights = v1.get_variable("weights", initializer=WEIGHTS, use_resource=False)
    counter = v1.get_variable("counter", initializer=0, use_resource=False)
    resource = v1.get_variable("resource", initializer=[4.0, 5.0], use_resource=True)
    _, doubled = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2), [0, x])
    positive = v1.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)
    return {
        "serving_default": signature({"x": x}, {"y": 2 * x}),
        "variables": signature({}, {"weights": weights, "resource": resource.read_value()}),
        "count": signature({}, {"count": v1.assign_add(counter, 1)}),
        "control_flow": signature({"x": x}, {"doubled": doubled, "positive": positive}),
        "names": signature({"self": x, "odd name/0:0": keep}, {"an output:0": x * keep}),
        "default": signature({"x": x}, {"y": x * optional}),
        "unfed": signature({"x": x}, {"y": x * keep}),
        "twice": signature({"x": x, "again": x}, {"y": x}),
        "sparse_in": signature({"sparse": sparse}, {"sum": v1.sparse_reduce_sum(sparse)}),
        "sparse_out": signature({"x": x}, {"sparse": tf.sparse.from_dense(x)}),
        "resource": signature({}, {"resource": resource.handle}),
    }


@pytest.fixture(scope="module")
def oddities_path(tmp_path_factory):
    v1.disable_control_flow_v2()
    try:
        return save_graph(tmp_path_factory.mktemp("oddities") / "1", _oddities)
    finally:
        v1.enable_control_flow_v2()


@pytest.fixture(scope="module")
def oddities(oddities_path):
    return Servable(1, oddities_path)


def test_signatures_that_cannot_be_run_are_refused_and_the_others_served(oddities):
    np.testing.assert_array_equal(run(oddities, x=X)["y"], 2 * X)
    for name, words in {
        "unfed": "placeholder",
        "twice": "more than once",
        "sparse_in": 'input "sparse": expected a dense tensor, received coo_sparse',
        "sparse_out": 'output "sparse": expected a dense tensor, received coo_sparse',
        "resource": 'output "resource": expected a dtype that requests can carry, received 20',
    }.items():
        code, details = run_refusal(oddities, name, x=X)
        assert code is INVALID
        assert details.startswith(f'Signature "{name}" cannot be run: ')
        assert words in details
        assert "\n" not in details


def test_variables_as_outputs(oddities):
    answer = run(oddities, "variables")
    np.testing.assert_array_equal(answer["weights"], WEIGHTS)
    np.testing.assert_array_equal(answer["resource"], np.array([4, 5], np.float32))


def test_state_is_kept_between_requests_and_not_shared_between_versions(oddities, oddities_path):
    another = Servable(2, oddities_path)
    assert [int(run(oddities, "count")["count"]) for _ in range(3)] == [1, 2, 3]
    assert int(run(another, "count")["count"]) == 1


def test_control_flow_of_tensorflow_1(oddities):
    answer = run(oddities, "control_flow", x=-X)
    np.testing.assert_array_equal(answer["doubled"], -8 * X)
    np.testing.assert_array_equal(answer["positive"], X)


def test_names_that_are_none_in_python(oddities):
    answer = run(oddities, "names", **{"self": X, "odd name/0:0": np.float32(3)})
    np.testing.assert_array_equal(answer["an output:0"], 3 * X)


def test_a_placeholder_with_a_default_need_not_be_an_input(oddities):
    np.testing.assert_array_equal(run(oddities, "default", x=X)["y"], 3 * X)


def test_tables_of_two_versions_are_two(tmp_path):
    def build(word):
        def graph():
            table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [word]), "?")
            key = v1.placeholder(tf.int32, [None], name="key")
            return {"serving_default": signature({"key": key}, {"word": table.lookup(key)})}

        return graph

    versions = [Servable(n, save_graph(tmp_path / str(n), build(word))) for n, word in ((1, "old"), (2, "new"))]
    assert [run(version, key=np.int32([1, 2]))["word"].tolist() for version in versions] == [
        [b"old", b"?"],
        [b"new", b"?"],
    ]
