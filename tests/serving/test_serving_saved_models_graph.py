"""SavedModels in the manner of TensorFlow 1 are served with all they may hold."""

import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_saved_models import (
    CLASSIFY,
    LABELS,
    REGRESS,
    WEIGHTS,
    animals,
    example,
    run,
    run_refusal,
    save_graph,
    signature,
)
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.core.batching import Batching
from serving.core.deadline import Deadline
from serving.core.errors import RequestError, kernel_message
from serving.core.inference import classify, regress
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
        "echo": signature({"x": x}, {"x": x}),
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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unfed", "You must feed a value for placeholder tensor 'keep' with dtype float"),
        ("echo", "x:0 is both fed and fetched."),
    ],
)
def test_what_a_session_refuses_is_refused_in_its_words(oddities, name, words):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run(oddities, name, x=X)
    assert kernel_message(caught.value) == words


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


def _parsing(vocabulary):
    """Half plus two as TensorFlow Serving's own test model has it, and a table, in signatures of each method."""
    vocabulary.write_text("low\nhigh")

    def graph():
        serialized = v1.placeholder(tf.string, name="tf_example")
        single = v1.placeholder(tf.string, [], name="single")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        x = tf.identity(_parse_as_tensorflow_1(serialized), name="x")
        half = v1.get_variable("a", initializer=0.5, use_resource=False)
        y = tf.add(half * x, v1.get_variable("b", initializer=2.0, use_resource=True), name="y")
        table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(str(vocabulary), tf.string, -2, tf.int64, -1), num_oov_buckets=1
        )
        names = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([0, 1], ["low", "high"], tf.int64), "?")
        words = v1.placeholder(tf.string, [None], name="words")
        return {
            "serving_default": signature({"x": x}, {"y": y}),
            "parse": signature({"inputs": serialized}, {"y": y}),
            "parse_one": signature({"inputs": single}, {"y": tf.io.parse_example(single, features)["x"] * half}),
            "regress": signature({"inputs": serialized}, {"outputs": y}, REGRESS),
            "classify": signature(
                {"inputs": serialized}, {"classes": names.lookup(tf.cast(y > 3, tf.int64)), "scores": y}, CLASSIFY
            ),
            "words": signature({"words": words}, {"ids": table.lookup(words)}),
        }

    return graph


def _parse_as_tensorflow_1(serialized):
    """Parses by the operation of TensorFlow 1, which infers that its input has rank 1."""
    (x,) = tf.raw_ops.ParseExample(
        serialized=serialized,
        names=[],
        sparse_keys=[],
        dense_keys=["x"],
        dense_defaults=[tf.constant([], tf.float32)],
        sparse_types=[],
        dense_shapes=[[1]],
    ).dense_values
    return x


@pytest.fixture(scope="module", params=[None, Batching(max_batch_size=8, batch_timeout_micros=1000)])
def parsing(request, parsing_path):
    return Servable(1, parsing_path, request.param)


@pytest.fixture(scope="module")
def parsing_path(tmp_path_factory):
    """An export whose placeholder is as TensorFlow wrote it before version 1.0: of no axes, which meant any shape."""
    root = tmp_path_factory.mktemp("parsing")
    path = save_graph(root / "1", _parsing(root / "words.txt"))
    message = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    graph = message.meta_graphs[0].graph_def
    graph.versions.producer = 21
    (placeholder,) = (node for node in graph.node if node.name == "tf_example")
    placeholder.attr["shape"].shape.Clear()
    for name in ("parse", "regress", "classify"):
        message.meta_graphs[0].signature_def[name].inputs["inputs"].tensor_shape.Clear()
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    return path


EXAMPLES = [example(2.0).SerializeToString(), example(-1.0).SerializeToString()]


def test_a_placeholder_without_axes_into_a_parser(parsing):
    np.testing.assert_array_equal(run(parsing, "parse", inputs=EXAMPLES)["y"], np.float32([[3], [1.5]]))


def test_a_scalar_into_a_parser(parsing_path):
    servable = Servable(1, parsing_path)
    np.testing.assert_array_equal(run(servable, "parse_one", inputs=EXAMPLES[0])["y"], np.float32([1]))


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3, 1)])
def test_any_shape_is_fed_as_a_session_is_fed(parsing, shape):
    x = np.ones(shape, np.float32)
    np.testing.assert_array_equal(run(parsing, x=x)["y"], 0.5 * x + 2)


def test_a_table_of_a_vocabulary(parsing):
    assert run(parsing, "words", words=[b"high", b"low", b"none"])["ids"].tolist() == [1, 0, 2]


def test_classify_and_regress_on_a_graph(parsing):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.signature_name = "classify"
    request.input.example_list.examples.extend([example(4.0), example(-1.0)])
    classes = classify(parsing, request).result.classifications
    assert [(one.classes[0].label, one.classes[0].score) for one in classes] == [("high", 4.0), ("low", 1.5)]
    request = regression_pb2.RegressionRequest(input=request.input)
    request.model_spec.signature_name = "regress"
    assert [one.value for one in regress(parsing, request).result.regressions] == [4.0, 1.5]


def test_a_deadline_stops_a_graph(tmp_path):
    def endless():
        x = v1.placeholder(tf.int32, [None], name="x")
        (end,) = tf.while_loop(lambda i: i < 2**31 - 1, lambda i: [i + x[0] * 0], [x[0]])
        return {"serving_default": signature({"x": x}, {"end": end})}

    servable = Servable(1, save_graph(tmp_path / "1", endless))
    inputs = {"x": tf.make_tensor_proto(np.int32([1]))}
    with pytest.raises(RequestError, match=r"^Deadline Exceeded$"):
        servable.signature("").run(inputs, deadline=Deadline(time.monotonic() + 0.2))
