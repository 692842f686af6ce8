"""Dynamic batching: TensorFlow's own batching operation runs requests of different clients as one batch."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from serving.core.deadline import Deadline
from serving.core.errors import invalid_argument
from serving.core.executable import Executable, Runner, fit, known_sizes

# One pool of batch threads for all models, as in TensorFlow Serving; each signature has its own queue. The pool pads to
# the sizes it was made with, so other parameters in the same process need another pool.
_POOL = "serving/{}"


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How requests are batched; the defaults are TensorFlow Serving's.

    Attributes:
        max_batch_size: The rows of the largest batch, and of the largest request.
        batch_timeout_micros: How long a request waits for others, in microseconds.
        max_enqueued_batches: How many batches may wait; a request beyond them ends with UNAVAILABLE.
        num_batch_threads: How many batches run at a time.
        allowed_batch_sizes: A batch is padded to the next of these; the last must be `max_batch_size`.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"batching: {name}: expected a positive number, received {getattr(self, name)}.")
        if self.batch_timeout_micros < 0:
            raise ValueError(
                f"batching: batch_timeout_micros: expected 0 or more, received {self.batch_timeout_micros}."
            )
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] != self.max_batch_size):
            raise ValueError(
                "batching: allowed_batch_sizes: expected increasing positive sizes that end with max_batch_size"
                f" ({self.max_batch_size}), received {list(sizes)}."
            )


def can_batch(inputs: Sequence[tf.TensorSpec], outputs: Sequence[tf.TensorShape]) -> bool:
    """Returns whether rows of different requests may run as one batch, and its outputs be split again.

    Requests whose rows have different shapes would fail each other, so every size but the first must be known.
    """
    return (
        bool(inputs)
        and all(spec.shape.rank and spec.shape[0] is None and spec.shape[1:].is_fully_defined() for spec in inputs)
        and all(shape.rank is None or (shape.rank and shape[0] is None) for shape in outputs)
    )


class BatchedExecutable:
    """Runs a signature on batches of several callers' rows, as a `Runner`.

    Where no request waits for others (a timeout of 0), rows that find a batch thread idle run immediately, outside the
    queue, which costs as much as a small model. Batches form of what comes while all are busy.
    """

    def __init__(self, alone: Runner, specs: Sequence[tf.TensorSpec], batching: Batching, queue: str) -> None:
        """Traces the batch.

        Args:
            alone: Runs one caller's rows.
            specs: The dtypes and shapes of its inputs.
            batching: How to batch.
            queue: The name of the queue in which its rows wait; no other function may use it.
        """
        self._max = batching.max_batch_size
        self._alone = alone
        self.traceable, self.output_shapes = alone.traceable, alone.output_shapes
        self._sizes = [known_sizes(spec.shape) for spec in specs]
        self._allowed = frozenset(batching.allowed_batch_sizes)
        self._idle = threading.Semaphore(batching.num_batch_threads if not batching.batch_timeout_micros else 0)
        self._counting = threading.Lock()
        self._immediate: Counter[int] = Counter()
        self._counts: tf.Variable | None = None
        self._together: Executable | None = None
        if can_batch(specs, self.output_shapes):
            self._counts = tf.Variable(tf.zeros([self._max + 1], tf.int64), trainable=False)
            self._together = _together(self.traceable, specs, batching, queue, self._counts)

    def __call__(
        self, inputs: Sequence[np.ndarray], wanted: Sequence[int], deadline: Deadline | None = None
    ) -> list[np.ndarray]:
        """Runs the rows, in one batch with others that wait at the time; see `Runner`.

        Rows of another shape than the signature's run on their own, and so can be stopped.

        Raises:
            RequestError: If the arrays are not a batch, or too large a one.
            tf.errors.OpError: If a kernel refuses these rows, or too many batches wait.
        """
        rows = self._check(inputs)
        if self._together is None or not rows or not fit(self._sizes, inputs):
            return self._alone(inputs, wanted, deadline)
        if (not self._allowed or rows in self._allowed) and self._idle.acquire(blocking=False):
            try:
                return self._alone(inputs, wanted, deadline)
            finally:
                self._idle.release()
                with self._counting:
                    self._immediate[rows] += 1
        try:
            return self._together(inputs, wanted)
        except tf.errors.UnavailableError:
            raise
        except tf.errors.OpError:
            # Another caller's row may have failed the batch. On their own, these rows fail only if they are at fault.
            return self._alone(inputs, wanted, deadline)

    def batch_sizes(self) -> Counter[int]:
        """Returns how often a batch of each size has run, including padding."""
        if self._counts is None:
            return Counter()
        counts = self._counts.numpy()
        with self._counting:
            immediate = self._immediate.copy()
        return immediate + Counter({size: int(counts[size]) for size in counts.nonzero()[0].tolist()})

    def _check(self, inputs: Sequence[np.ndarray]) -> int:
        """Returns the number of rows."""
        if any(array.ndim == 0 for array in inputs):
            raise invalid_argument("Batching Run() input tensors must have at least one dimension")
        sizes = {len(array) for array in inputs}
        if len(sizes) > 1:
            raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
        size = max(sizes, default=0)
        if size > self._max:
            raise invalid_argument(f"Task size {size} is larger than maximum input batch size {self._max}")
        return size


def _together(
    function: Callable[..., Sequence[Any]],
    specs: Sequence[tf.TensorSpec],
    batching: Batching,
    queue: str,
    counts: tf.Variable,
) -> Executable:
    def run_batch(*tensors: tf.Tensor) -> list[tf.Tensor]:
        counts.scatter_add(tf.IndexedSlices(tf.ones([1], tf.int64), tf.shape(tensors[0])[:1]))
        return list(function(*tensors))

    batch = tf.function(run_batch, autograph=False).get_concrete_function(*specs)

    def enqueue(*tensors: tf.Tensor) -> list[tf.Tensor]:
        return tf.raw_ops.BatchFunction(
            in_tensors=list(tensors),
            captured_tensors=batch.captured_inputs,
            f=batch,
            Tout=[output.dtype for output in batch.outputs],
            num_batch_threads=batching.num_batch_threads,
            max_batch_size=batching.max_batch_size,
            batch_timeout_micros=batching.batch_timeout_micros,
            max_enqueued_batches=batching.max_enqueued_batches,
            allowed_batch_sizes=list(batching.allowed_batch_sizes),
            shared_name=_POOL.format(batching),
            batching_queue=queue,
            enable_large_batch_splitting=False,
        )

    return Executable(enqueue, specs, keep=batch)
