"""Reads how an export can be served from its files, without loading the model."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.wire import tensors
from serving.wire.protocol import format_shape

_TAG = "serve"
# Signatures with which a SavedModel initializes itself; no client asks for them.
_INTERNAL = "__saved_model"
_WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
_VERSION = re.compile(r"0|[1-9][0-9]*")


class RowBytes(NamedTuple):
    """The bytes of one row in a message; None where strings or unknown dimensions leave it open."""

    request: int | None
    answer: int | None


class Exported(NamedTuple):
    """One version of a model.

    Attributes:
        path: The SavedModel's directory.
        version: Its version.
        tensorflow_version: The TensorFlow that wrote it, such as `2.21.0`.
        size: The total size of its files, in bytes.
        has_warmup: Whether it carries requests to replay before it takes traffic.
        signatures: The bytes per row of each signature.
        unbatchable: Why requests cannot be batched; empty if they can.
    """

    path: Path
    version: int
    tensorflow_version: str
    size: int
    has_warmup: bool
    signatures: dict[str, RowBytes]
    unbatchable: str


def read_export(base_path: Path, version: int | None) -> Exported:
    """Reads a version of a model.

    Args:
        base_path: The directory that holds one directory per version.
        version: The version; the newest for None.

    Returns:
        What its files imply.

    Raises:
        OSError: If there is no such version, or it cannot be read.
        ValueError: If it is not a SavedModel for serving.
    """
    path = _find(base_path, version)
    graph = _meta_graph(path)
    definitions = {name: d for name, d in sorted(graph.signature_def.items()) if not name.startswith(_INTERNAL)}
    return Exported(
        path=path,
        version=int(path.name),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
        size=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        has_warmup=(path / _WARMUP_FILE).is_file(),
        signatures={name: RowBytes(_row_bytes(d.inputs), _row_bytes(d.outputs)) for name, d in definitions.items()},
        unbatchable=_obstacle(definitions),
    )


def _find(base_path: Path, version: int | None) -> Path:
    if not base_path.is_dir():
        raise FileNotFoundError(
            f"no base path: expected a directory that holds one directory per version, received {base_path}."
        )
    present = sorted(int(p.name) for p in base_path.iterdir() if _VERSION.fullmatch(p.name) and p.is_dir())
    if not present:
        raise FileNotFoundError(
            f"no version under {base_path}: expected directories such as {base_path / '1'}, received none."
            " Pass the model's base path."
        )
    if version not in (None, *present):
        raise FileNotFoundError(
            f"no version {version} under {base_path}: expected one of"
            f" {', '.join(map(str, present))}, received {version}."
        )
    return base_path / str(present[-1] if version is None else version)


def _meta_graph(path: Path) -> meta_graph_pb2.MetaGraphDef:
    file = path / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(file.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no SavedModel in {path}: expected saved_model.pb, which is missing. Export the model again."
        ) from None
    except DecodeError:
        raise ValueError(f"{file}: expected a SavedModel, received other bytes. Export the model again.") from None
    for graph in saved_model.meta_graphs:
        if _TAG in graph.meta_info_def.tags:
            return graph
    raise ValueError(f"{file}: expected a graph tagged {_TAG!r}, received none. Export the model for serving.")


def _row_bytes(infos: Mapping[str, Any]) -> int | None:
    total = 0
    for info in infos.values():
        dtype = tensors.numpy_dtype(info.dtype)
        inner = [dim.size for dim in info.tensor_shape.dim][1:]
        if dtype is None or dtype.hasobject or info.tensor_shape.unknown_rank or min(inner, default=0) < 0:
            return None
        total += math.prod(inner) * dtype.itemsize
    return total


def _obstacle(definitions: Mapping[str, meta_graph_pb2.SignatureDef]) -> str:
    for name, definition in definitions.items():
        for kind, infos in (("input", definition.inputs), ("output", definition.outputs)):
            for alias, info in sorted(infos.items()):
                shape = info.tensor_shape
                sizes = [dim.size for dim in shape.dim]
                known = None if shape.unknown_rank else [None if size < 0 else size for size in sizes]
                tensor = f"{kind} {alias} of signature {name} has shape {format_shape(known)}"
                if not sizes or sizes[0] >= 0:
                    return f"{tensor}, whose first dimension is not a free batch dimension"
                # Requests of different inner sizes could only be batched with padding, which alters answers.
                if kind == "input" and min(sizes[1:], default=0) < 0:
                    return f"{tensor}, whose unknown inner dimensions may differ between requests"
    return "" if definitions else "the model has no signature"
