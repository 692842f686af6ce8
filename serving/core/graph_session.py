"""SavedModels, run as TensorFlow Serving runs them: a session is fed tensors by name, and others are fetched."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.saved_model import loader_impl

from serving.core import denormals
from serving.core.deadline import Deadline
from serving.core.executable import undecodable

_v1 = tf.compat.v1
_MILLISECONDS = 1000
# Seconds. Work that takes as long may leave the calling thread, which costs some 50 microseconds.
_LONG = 0.02
_LONG_CALLS = 3
# Seconds. gRPC's number for no deadline is more than TensorFlow's field holds.
_FOREVER = 1e9
_LOOPS = {"While", "StatelessWhile", "For", "Enter", "RefEnter"}


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
        # Where the user asks for threads, independent operations run at the same time.
        self._may_run_here = (
            denormals.AVAILABLE
            and tf.config.threading.get_inter_op_parallelism_threads() <= 1
            and not _loops(session.graph, [tensor.name for tensor in fetches])
        )
        self._long_in_a_row = 0

    def __call__(
        self, inputs: Sequence[np.ndarray], wanted: Sequence[int], deadline: Deadline | None = None
    ) -> list[np.ndarray]:
        """Runs the part of the graph between these inputs and the outputs wanted; see `Runner`.

        Short work without loops runs in the calling thread, where nothing stops it. A deadline stops other work; a
        client that leaves does not, as in TensorFlow Serving.
        """
        feeds = dict(zip(self._feeds, inputs, strict=True))
        fetches = [self._fetches[index] for index in wanted]
        begun = time.perf_counter()
        try:
            # One long call alone may have waited for a processor, or for TensorFlow to prepare the graph.
            if self._may_run_here and self._long_in_a_row < _LONG_CALLS:
                with denormals.flushed():
                    return self._run(_IN_THIS_THREAD, feeds, fetches)
            return self._run_until(deadline, feeds, fetches)
        finally:
            self._long_in_a_row = self._long_in_a_row + 1 if time.perf_counter() - begun > _LONG else 0

    def _run_until(
        self, deadline: Deadline | None, feeds: dict[Any, np.ndarray], fetches: list[Any]
    ) -> list[np.ndarray]:
        """Runs on TensorFlow's threads, until the deadline."""
        left = None if deadline is None or deadline.at is None else deadline.at - time.monotonic()
        if left is None or left > _FOREVER:
            return self._run(None, feeds, fetches)
        options = _buffer(timeout_in_ms=max(1, int(_MILLISECONDS * left)))
        try:
            return self._run(options, feeds, fetches)
        finally:
            pywrap_tf_session.TF_DeleteBuffer(options)

    def _run(self, options: Any, feeds: dict[Any, np.ndarray], fetches: list[Any]) -> list[np.ndarray]:
        try:
            found = pywrap_tf_session.TF_SessionRun_wrapper(self._session._session, options, feeds, fetches, [], None)
        except UnicodeDecodeError as error:
            raise undecodable(error) from None
        # A scalar comes as a number of NumPy's, or as bytes.
        return [np.array(value, object) if isinstance(value, bytes) else np.asarray(value) for value in found]

    def traceable(self, *operands: tf.Tensor) -> Sequence[tf.Tensor]:
        """Runs the signature from a `tf.function`."""
        everything = range(len(self._fetches))

        def run(*arrays: np.ndarray) -> list[np.ndarray]:
            return self(arrays, everything)

        return tf.numpy_function(run, list(operands), self._output_dtypes)


def _tensors(graph: tf.Graph, infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> list[tf.Tensor]:
    return [graph.get_tensor_by_name(infos[alias].name) for alias in sorted(infos)]


def _buffer(**options: Any) -> Any:
    return pywrap_tf_session.TF_NewBufferFromString(_v1.RunOptions(**options).SerializeToString())


_IN_THIS_THREAD = _buffer(inter_op_thread_pool=-1)


def _loops(graph: tf.Graph, outputs: Sequence[str]) -> bool:
    """Returns whether there is a loop among the operations that tensors depend on, and the functions these call."""
    definition = graph.as_graph_def()
    functions = {function.signature.name: function.node_def for function in definition.library.function}
    nodes = {node.name: node for node in definition.node}
    waiting = [nodes[name.partition(":")[0]] for name in outputs]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.op in _LOOPS:
            return True
        inputs = {name.lstrip("^").partition(":")[0] for name in node.input} & nodes.keys() - seen
        called = {func.name for value in node.attr.values() for func in (value.func, *value.list.func) if func.name}
        waiting += [nodes[name] for name in inputs]
        waiting += [inner for name in called - seen for inner in functions.get(name, ())]
        seen |= inputs | called
    return False
