"""Graphs of TensorFlow 1, run as TensorFlow Serving runs them: a session is fed tensors by name, and others fetched."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.saved_model import loader_impl

from serving.core.deadline import Deadline
from serving.core.executable import undecodable

_v1 = tf.compat.v1
_MILLISECONDS = 1000


def load_session(path: Path, tags: Sequence[str]) -> Any:
    """Loads a SavedModel's graph with its variables and tables.

    Args:
        path: The SavedModel's directory.
        tags: The tags of the graph.

    Returns:
        The session.

    Raises:
        tf.errors.OpError: If TensorFlow cannot restore it.
        ValueError: If TensorFlow cannot build the graph.
    """
    with tf.Graph().as_default() as graph:
        session = _v1.Session(
            graph=graph,
            config=_v1.ConfigProto(
                intra_op_parallelism_threads=tf.config.threading.get_intra_op_parallelism_threads(),
                inter_op_parallelism_threads=tf.config.threading.get_inter_op_parallelism_threads(),
            ),
        )
        try:
            # Without the deprecation notice of the public function.
            loader_impl.SavedModelLoader(str(path)).load(session, list(tags))
        except ValueError as error:
            if "not a valid checkpoint" in str(error):
                raise tf.errors.NotFoundError(None, None, str(error)) from error
            raise
    return session


class GraphExecutable:
    """A signature of a graph, as a `serving.core.executable.Runner`.

    `Session.run` takes longer to look up names than a small model needs to run; this calls what it calls.
    """

    def __init__(self, session: Any, definition: meta_graph_pb2.SignatureDef) -> None:
        """Finds the signature's tensors.

        Args:
            session: The session, as `load_session` returns it.
            definition: The signature; its inputs and outputs are taken in the order of their names.

        Raises:
            KeyError, ValueError: If the graph lacks a tensor, or two inputs are the same tensor.
        """
        self._session = session
        feeds, fetches = (_tensors(session.graph, part) for part in (definition.inputs, definition.outputs))
        self._feeds = [tensor._as_tf_output() for tensor in feeds]
        self._fetches = [tensor._as_tf_output() for tensor in fetches]
        self.output_shapes = [tensor.shape for tensor in fetches]
        self._output_dtypes = [tensor.dtype.base_dtype for tensor in fetches]
        seen = set()
        for tensor in feeds:
            if tensor.name in seen:
                raise ValueError(f'Endpoint "{tensor.name}" fed more than once.')
            seen.add(tensor.name)

    def __call__(
        self, inputs: Sequence[np.ndarray], wanted: Sequence[int], deadline: Deadline | None = None
    ) -> list[np.ndarray]:
        """Runs the part of the graph between these inputs and the outputs wanted; see `Runner`.

        As in TensorFlow Serving, a deadline stops the graph, and a client that leaves does not.
        """
        feeds = dict(zip(self._feeds, inputs, strict=True))
        fetches = [self._fetches[index] for index in wanted]
        options = None
        if deadline is not None and deadline.at is not None:
            left = max(1, int(_MILLISECONDS * (deadline.at - time.monotonic())))
            options = pywrap_tf_session.TF_NewBufferFromString(_v1.RunOptions(timeout_in_ms=left).SerializeToString())
        try:
            return pywrap_tf_session.TF_SessionRun_wrapper(self._session._session, options, feeds, fetches, [], None)
        except UnicodeDecodeError as error:
            raise undecodable(error) from None
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)

    def traceable(self, *operands: tf.Tensor) -> Sequence[tf.Tensor]:
        """Runs the signature from a `tf.function`."""
        everything = range(len(self._fetches))

        def run(*arrays: np.ndarray) -> list[np.ndarray]:
            return self(arrays, everything)

        return tf.numpy_function(run, list(operands), self._output_dtypes)


def _tensors(graph: tf.Graph, infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> list[tf.Tensor]:
    return [graph.get_tensor_by_name(infos[alias].name) for alias in sorted(infos)]
