"""Loads the functions of a SavedModel's signatures, whether TensorFlow 2 or 1 wrote it."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.wire import tensors

_TAGS = {"serve"}
# Names of operations that TensorFlow itself runs while loading, listed among the signatures.
_INTERNAL_PREFIX = "__saved_model_"
# TensorFlow 1's variables have dtypes with this added.
_REF = 100
_BINARY, _TEXT = "saved_model.pb", "saved_model.pbtxt"

_Function = Callable[..., dict[str, tf.Tensor]]


@dataclass
class SavedModel:
    """A loaded SavedModel.

    Attributes:
        definitions: Its signatures' definitions, by name.
        functions: Each signature's function, from tensors by input name to tensors by output name.
        refused: Why a signature has no function, in one line, by name.
        root: The object that keeps the functions' variables alive.
    """

    definitions: dict[str, meta_graph_pb2.SignatureDef]
    root: Any
    functions: dict[str, _Function] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def load_saved_model(path: Path) -> SavedModel:
    """Loads a SavedModel's graph for serving: the one tagged `serve` only.

    Args:
        path: Its directory.

    Returns:
        The model. A signature that cannot be run does not affect the others.

    Raises:
        tf.errors.OpError: If there is no such SavedModel, or TensorFlow cannot restore it.
        ValueError: If TensorFlow cannot build its graph. TensorFlow's loader may raise others.
    """
    saved_model = _read(path)
    meta_graph = next((graph for graph in saved_model.meta_graphs if set(graph.meta_info_def.tags) == _TAGS), None)
    if meta_graph is None:
        found = [sorted(graph.meta_info_def.tags) for graph in saved_model.meta_graphs]
        raise tf.errors.NotFoundError(
            None, None, f"Could not find meta graph def matching supplied tags: {{ serve }}; it has {found}"
        )
    # Copied, because a part of the message would keep the whole graph in memory.
    definitions = {name: copy.deepcopy(definition) for name, definition in meta_graph.signature_def.items()}
    # This is how TensorFlow distinguishes the two formats.
    if len(saved_model.meta_graphs) == 1 and meta_graph.HasField("object_graph_def"):
        root = tf.saved_model.load(str(path), tags=sorted(_TAGS))
        build = _function
    else:
        root = _load_graph(path, meta_graph)
        build = _pruned
    model = SavedModel(definitions, root)
    for name, definition in definitions.items():
        try:
            _check_kinds(definition)
            model.functions[name] = build(root, name, definition)
        except Exception as error:
            # As in TensorFlow Serving, reported only to requests for this signature.
            model.refused[name] = " ".join(str(error).split())
    return model


def _read(path: Path) -> saved_model_pb2.SavedModel:
    try:
        if (path / _BINARY).exists():
            return saved_model_pb2.SavedModel.FromString((path / _BINARY).read_bytes())
        if (path / _TEXT).exists():
            return text_format.Parse((path / _TEXT).read_text(), saved_model_pb2.SavedModel())
    except (DecodeError, text_format.ParseError) as error:
        raise tf.errors.DataLossError(None, None, f"it cannot be parsed: {error}") from error
    raise tf.errors.NotFoundError(
        None, None, "Could not find SavedModel .pb or .pbtxt at supplied export directory path"
    )


def _check_kinds(definition: meta_graph_pb2.SignatureDef) -> None:
    for kind, infos in (("input", definition.inputs), ("output", definition.outputs)):
        for alias, info in infos.items():
            if info.WhichOneof("encoding") != "name":
                raise ValueError(f'{kind} "{alias}": expected a dense tensor, received {info.WhichOneof("encoding")}')
            if tensors.numpy_dtype(info.dtype % _REF) is None:
                raise ValueError(f'{kind} "{alias}": expected a dtype that requests can carry, received {info.dtype}')


def _function(root: Any, name: str, definition: meta_graph_pb2.SignatureDef) -> _Function:
    return root.signatures[name]


def _load_graph(path: Path, meta_graph: meta_graph_pb2.MetaGraphDef) -> Any:
    """Loads a graph with its variables and tables, but without signatures.

    With them, a single signature that cannot be run would prevent loading the others.
    """
    bare = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    bare.meta_graphs.add().CopyFrom(meta_graph)
    bare.meta_graphs[0].ClearField("object_graph_def")
    for name in list(meta_graph.signature_def):
        if not name.startswith(_INTERNAL_PREFIX):
            del bare.meta_graphs[0].signature_def[name]
    with tempfile.TemporaryDirectory(prefix="serving-") as directory:
        for child in path.absolute().iterdir():
            if child.name not in (_BINARY, _TEXT):
                Path(directory, child.name).symlink_to(child)
        Path(directory, _BINARY).write_bytes(bare.SerializeToString())
        return tf.saved_model.load(directory, tags=sorted(_TAGS))


def _pruned(root: Any, name: str, definition: meta_graph_pb2.SignatureDef) -> _Function:
    """Extracts a signature's part of a graph."""
    inputs, outputs = sorted(definition.inputs), sorted(definition.outputs)
    with root.graph.as_default():
        fetches = [_value(root.graph.get_tensor_by_name(definition.outputs[alias].name)) for alias in outputs]
    feeds = [root.graph.get_tensor_by_name(definition.inputs[alias].name) for alias in inputs]
    function = root.prune(feeds, fetches)

    def call(**operands: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(outputs, function(*(operands[alias] for alias in inputs)), strict=True))

    return call


def _value(tensor: tf.Tensor) -> tf.Tensor:
    # A function can return a variable's value only, and TensorFlow's optimizer would remove an identity.
    if tensor.dtype.as_datatype_enum > _REF and tensor.shape.rank is not None:
        return tf.raw_ops.EnsureShape(input=tensor, shape=tensor.shape)
    return tf.identity(tensor)
