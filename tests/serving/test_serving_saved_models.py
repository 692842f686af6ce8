"""Which SavedModel is loaded, and all kinds of TensorFlow 2 signatures."""

import shutil

import grpc
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from serving_saved_models import WEIGHTS, animals, run, run_refusal, save_graph
from tensorflow.core.protobuf import saved_model_pb2

from serving.core.servable import ModelLoadError, Servable

INVALID = grpc.StatusCode.INVALID_ARGUMENT
X = np.array([[1, 2], [-1, 0.5]], np.float32)


@pytest.fixture(scope="module")
def animals_path(tmp_path_factory):
    root = tmp_path_factory.mktemp("animals")
    return save_graph(root / "1", lambda: animals(root / "labels.txt"))


@pytest.mark.parametrize("tags", [[["serve", "gpu"], ["serve"]], [["serve"], ["serve", "tpu"]]])
def test_the_graph_tagged_serve_and_nothing_else_is_served(tmp_path, tags):
    path = save_graph(tmp_path / "1", lambda: animals(tmp_path / "labels.txt"), tags)
    servable = Servable(1, path)
    names = {name for name in servable.signature_map.signature_def if not name.startswith("__")}
    assert bool(names) == (tags[0] == ["serve"])


def test_no_graph_tagged_serve(tmp_path):
    path = save_graph(tmp_path / "1", lambda: animals(tmp_path / "labels.txt"), [["serve", "gpu"], ["train"]])
    with pytest.raises(
        ModelLoadError, match=r"supplied tags: \{ serve \}; it has \[\['gpu', 'serve'\], \['train'\]\]"
    ) as caught:
        Servable(1, path)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


def test_text_format(animals_path, tmp_path):
    path = shutil.copytree(animals_path, tmp_path / "1")
    message = _read(path)
    (path / "saved_model.pb").unlink()
    (path / "saved_model.pbtxt").write_text(str(message))
    np.testing.assert_array_equal(run(Servable(1, path), "predict", x=X)["scores"], X @ WEIGHTS)
    (path / "saved_model.pbtxt").write_text("no: SavedModel")
    _assert_unloadable(path, grpc.StatusCode.DATA_LOSS, "cannot be parsed")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, grpc.StatusCode.NOT_FOUND, "Could not find SavedModel .pb or .pbtxt"),
        (b"\xff\xff", grpc.StatusCode.DATA_LOSS, "cannot be parsed"),
        (b"", grpc.StatusCode.NOT_FOUND, "Could not find meta graph def"),
    ],
)
def test_no_saved_model(tmp_path, content, code, words):
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    _assert_unloadable(tmp_path, code, words)


def test_lost_variables(animals_path, tmp_path):
    path = shutil.copytree(animals_path, tmp_path / "1")
    shutil.rmtree(path / "variables")
    _assert_unloadable(path, grpc.StatusCode.NOT_FOUND, "variables")


def _read(path):
    return saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())


def _assert_unloadable(path, code, words):
    with pytest.raises(ModelLoadError) as caught:
        Servable(1, path)
    assert caught.value.code is code
    assert words in str(caught.value)


def _signature(**specs):
    return tf.function(input_signature=[tf.TensorSpec(*spec, name=name) for name, spec in specs.items()])


DTYPES = {
    "bool": np.array([True, False]),
    "uint8": np.array([0, 255], np.uint8),
    "int8": np.array([-128, 127], np.int8),
    "int16": np.array([-5, 5], np.int16),
    "uint16": np.array([0, 65535], np.uint16),
    "int32": np.array([-5, 5], np.int32),
    "uint32": np.array([0, 2**32 - 1], np.uint32),
    "int64": np.array([-(2**62), 5], np.int64),
    "uint64": np.array([0, 2**64 - 1], np.uint64),
    "float16": np.array([-0.5, 2], np.float16),
    "bfloat16": np.array([-0.5, 2], ml_dtypes.bfloat16),
    "float64": np.array([1 / 3, -np.inf]),
    "complex64": np.array([1 + 2j, -1j], np.complex64),
    "complex128": np.array([1 + 2j, 1 / 3 - 1j]),
}


DEFAULT_FACTOR = tf.constant(3.0)


def _modern():
    """A signature for each way in which TensorFlow 2's may differ."""
    signatures = {
        f"same_{name}": _signature(x=([None], value.dtype))(lambda x: {"x": x}) for name, value in DTYPES.items()
    }
    return signatures | {
        "strings": _signature(words=([None], tf.string))(lambda words: {"upper": tf.strings.upper(words)}),
        "any_rank": _signature(x=(None, tf.float32))(lambda x: {"twice": 2 * x, "rank": tf.rank(x)}),
        "scalars": _signature(a=([], tf.float32), b=([], tf.int32))(lambda a, b: {"sum": a + tf.cast(b, tf.float32)}),
        "nothing": tf.function(input_signature=[])(lambda: {"answer": tf.constant(42)}),
        "ragged": tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])(
            lambda x: {"sums": tf.reduce_sum(x, 1)}
        ),
        "optional": _signature(x=([None], tf.float32), factor=([], tf.float32))(
            lambda x, factor=DEFAULT_FACTOR: {"y": x * factor}
        ),
    }


@pytest.fixture(scope="module")
def modern_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("modern") / "1"
    tf.saved_model.save(tf.Module(), str(path), _modern())
    return path


@pytest.fixture(scope="module")
def modern(modern_path):
    return Servable(1, modern_path)


def test_a_model_of_tensorflow_2_with_a_second_graph(modern_path, tmp_path):
    path = shutil.copytree(modern_path, tmp_path / "1")
    message = _read(path)
    second = message.meta_graphs.add()
    second.CopyFrom(message.meta_graphs[0])
    second.meta_info_def.tags.append("gpu")
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    assert run(Servable(1, path), "strings", words=[b"ab"])["upper"].tolist() == [b"AB"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(modern, dtype):
    np.testing.assert_array_equal(run(modern, f"same_{dtype}", x=DTYPES[dtype])["x"], DTYPES[dtype], strict=True)


def test_strings(modern):
    assert run(modern, "strings", words=[b"ab", b"\xff"])["upper"].tolist() == [b"AB", b"\xff"]


@pytest.mark.parametrize("shape", [[], [2], [1, 2, 3]])
def test_unknown_rank(modern, shape):
    answer = run(modern, "any_rank", x=np.ones(shape, np.float32))
    np.testing.assert_array_equal(answer["twice"], np.full(shape, 2, np.float32))
    assert answer["rank"] == len(shape)


def test_scalars(modern):
    assert run(modern, "scalars", a=np.float32(0.5), b=np.int32(2))["sum"] == 2.5


def test_no_inputs(modern):
    assert run(modern, "nothing") == {"answer": 42}
    assert run_refusal(modern, "nothing", x=X)[0] is INVALID


def test_a_ragged_input_is_asked_for_by_its_parts(modern):
    answer = run(modern, "ragged", x=np.float32([1, 2, 3]), x_1=np.int64([0, 1, 3]))
    np.testing.assert_array_equal(answer["sums"], np.array([1, 5], np.float32))


def test_an_input_with_a_default_may_be_left_out(modern):
    x = np.float32([1, 2])
    np.testing.assert_array_equal(run(modern, "optional", x=x)["y"], 3 * x)
    np.testing.assert_array_equal(run(modern, "optional", x=x, factor=np.float32(0.5))["y"], x / 2)


def test_beside_a_default_names_are_checked_in_tensorflow_servings_words(modern):
    x = np.float32([1, 2])
    code, details = run_refusal(modern, "optional", factor=np.float32(3))
    assert (code, details.partition("(feed name: ")[0]) == (INVALID, "Signature input alias: x")
    assert details.endswith("expected to be in the request {factor}, or default input alias set: factor")
    code, details = run_refusal(modern, "optional", x=x, facto=np.float32(3))
    assert code is INVALID
    assert details == "Inputs contains invalid name. Used request inputs: x, request input: facto,x"


def test_tensorflows_own_operations_are_no_signatures(modern):
    code, _ = run_refusal(modern, "__saved_model_init_op")
    assert code is INVALID
