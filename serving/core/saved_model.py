"""Loads what runs a SavedModel's signatures, whether TensorFlow 2 or 1 wrote it."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.core.executable import Runner
from serving.core.graph_session import GraphExecutable, load_session
from serving.wire import tensors

_TAGS = {"serve"}
_BINARY, _TEXT = "saved_model.pb", "saved_model.pbtxt"


@dataclass
class SavedModel:
    """A loaded SavedModel.

    Attributes:
        definitions: Its signatures' definitions, by name.
        runners: What runs each signature, with inputs and outputs in the order of their names.
        refused: Why a signature has no runner, in one line, by name.
        root: The object that keeps the variables alive.
    """

    definitions: dict[str, meta_graph_pb2.SignatureDef]
    root: Any
    runners: dict[str, Runner] = field(default_factory=dict)
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
    session = load_session(path, sorted(_TAGS))
    model = SavedModel(definitions, session)
    for name, definition in definitions.items():
        try:
            _check_kinds(definition)
            model.runners[name] = GraphExecutable(session, definition)
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


def input_specs(definition: meta_graph_pb2.SignatureDef) -> list[tf.TensorSpec]:
    """Returns the dtypes and shapes of a signature's inputs, in the order of their names."""
    infos = [definition.inputs[alias] for alias in sorted(definition.inputs)]
    return [tf.TensorSpec(tf.TensorShape(info.tensor_shape), info.dtype % tensors.REFERENCE) for info in infos]


def _check_kinds(definition: meta_graph_pb2.SignatureDef) -> None:
    for kind, infos in (("input", definition.inputs), ("output", definition.outputs)):
        for alias, info in infos.items():
            if info.WhichOneof("encoding") != "name":
                raise ValueError(f'{kind} "{alias}": expected a dense tensor, received {info.WhichOneof("encoding")}')
            if tensors.numpy_dtype(info.dtype % tensors.REFERENCE) is None:
                raise ValueError(f'{kind} "{alias}": expected a dtype that requests can carry, received {info.dtype}')
