"""Distribution strategies: creation, joining of worker processes, and errors if a worker is lost."""

import contextlib
import hashlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_vae.training.cluster import Cluster
from keras_vae.utils.arguments import lookup

NAMES = ("auto", "one", "mirrored", "multi-worker", "tpu")


def make(name: str = "auto", *, cluster: Cluster | None = None, tpu: str | None = None) -> tf.distribute.Strategy:
    """Create a strategy.

    A strategy for several workers must be created before any other use of TensorFlow in the process. The call waits for
    the other workers.

    Args:
        name: "one": one device, TensorFlow's default. "mirrored": all GPUs of this machine, or, without GPUs, all
            logical CPU devices. "multi-worker": the worker processes of `cluster`. "tpu": a TPU. "auto":
            "multi-worker" if there is a cluster of more than one worker, otherwise "tpu" if there is one or `tpu` names
            it, otherwise "mirrored" if there is more than one GPU, otherwise "one".
        cluster: The worker processes; by default those in the environment variable TF_CONFIG, if it is set.
        tpu: Name or address of the TPU; by default "local", the TPU of this machine.

    Returns:
        The strategy; build and compile the model under its `scope()`.

    Raises:
        ValueError: If the name is unknown, TF_CONFIG is invalid, or the device or cluster is missing.
        ConnectionError: If this worker cannot join the others.

    Example:
        >>> make("one").num_replicas_in_sync
        1
    """
    # Checks the name only.
    lookup(name, dict.fromkeys(NAMES), "strategy")
    if cluster is None and name in ("auto", "multi-worker"):
        cluster = Cluster.from_environment(os.environ)
    if name == "auto":
        name = _best(cluster, tpu)
    if name == "multi-worker":
        return _multi_worker(cluster)
    if name == "tpu":
        return _tpu(tpu or "local")
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Return whether this process is the one that writes files: the first of the workers, or the only process.

    Args:
        strategy: By default the one in whose scope this is called.
    """
    return worker_index(tf.distribute.get_strategy() if strategy is None else strategy) == 0


def worker_index(strategy: tf.distribute.Strategy) -> int:
    """Return the index of this process among the workers of the strategy; the chief is 0."""
    if worker_count(strategy) == 1:
        return 0
    resolver = strategy.cluster_resolver
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return int(resolver.task_id) + (chiefs if resolver.task_type == "worker" else 0)


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """Return the number of worker processes."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return max(1, sum(len(addresses) for addresses in strategy.cluster_resolver.cluster_spec().as_dict().values()))


def _best(cluster: Cluster | None, tpu: str | None) -> str:
    if cluster is not None and len(cluster.workers) > 1:
        return "multi-worker"
    if tpu is not None or tf.config.list_physical_devices("TPU"):
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"


def _multi_worker(cluster: Cluster | None) -> tf.distribute.Strategy:
    if cluster is None:
        raise ValueError(
            "strategy 'multi-worker': expected a cluster of workers, received none. Pass --workers "
            "host:port,host:port,... and --worker-index N, or set TF_CONFIG."
        )
    here = cluster.workers[cluster.index]
    others = [address for address in cluster.workers if address != here]
    print(
        f"worker {cluster.index} of {len(cluster.workers)}, {here}; waiting for {', '.join(others) or 'no others'}",
        file=sys.stderr,
        flush=True,
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        with _interruptible():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise ValueError(
            f"strategy 'multi-worker': expected no earlier use of TensorFlow, received {error}. Create the strategy "
            "first."
        ) from None
    except tf.errors.OpError as error:
        reason = " ".join(str(error.message).split())[:300]
        raise ConnectionError(
            f"worker {cluster.index}: expected to listen at {here} and join the others, received an error ({reason}). "
            "Check that the port is free, and that all workers have the same list, each with its own index."
        ) from None


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt the wait for other workers, and restore the SIGTERM handler, which TensorFlow replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler runs only after the wait
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _tpu(name: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    # The type depends on what is missing: the driver, the device, the name or the network.
    except Exception as error:
        found = ", ".join(device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices())
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"strategy 'tpu': expected a TPU {name!r}, received {found} ({reason}). Install tensorflow-tpu instead of "
            "tensorflow on a TPU VM; elsewhere, use another --strategy."
        ) from error


# Raised by TensorFlow in the remaining workers, depending on which worker was lost, and when.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)
_TASK = re.compile(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)")


class WorkerLostError(ConnectionError):
    """Raised if another worker has ended or cannot be reached, so that training cannot continue."""


def agree(strategy: tf.distribute.Strategy, facts: dict[str, str], advice: str) -> None:
    """Raise an error unless all workers have the same facts. Every worker must call it. No effect with one worker.

    Args:
        strategy: The strategy of the workers.
        facts: Values that must be equal, by name. All workers pass the same names in the same order.
        advice: What to do, the last sentence of the error message.

    Raises:
        ValueError: If a fact differs. The message names the workers.
    """
    if worker_count(strategy) == 1:
        return
    row = tf.constant([[worker_index(strategy), *map(_digest, facts.values())]], tf.int64)
    rows = strategy.gather(strategy.experimental_distribute_values_from_function(lambda _: row), axis=0).numpy()
    for number, name in enumerate(facts, 1):
        others = sorted({int(row[0]) for row in rows if row[number] != rows[0, number]})
        if others:
            raise ValueError(
                f"the workers have different {name}: expected those of worker {rows[0, 0]}, received others in worker "
                f"{', '.join(map(str, others))} (this worker has {facts[name][:300]}). {advice}"
            )


def fingerprints(paths: Iterable[Path]) -> str:
    """Return the files' names with hashes of their contents."""
    return ", ".join(f"{p.name} ({hashlib.sha256(p.read_bytes()).hexdigest()[:16]})" for p in paths) or "none"


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Wait until every worker has reached this call."""
    agree(strategy, {}, "")


@contextlib.contextmanager
def lost_worker_errors(strategy: tf.distribute.Strategy, resumes: Callable[[], str]) -> Iterator[None]:
    """Convert TensorFlow's errors about a lost worker to a WorkerLostError with a one-line message.

    TensorFlow detects missing heartbeats of a process that has ended or cannot be reached within about ten seconds.

    Args:
        strategy: The strategy of the workers.
        resumes: Returns where training continues, such as "from epoch 7".

    Raises:
        WorkerLostError: If a worker was lost.
    """
    try:
        yield
    except _LOST as error:
        if worker_count(strategy) == 1:
            raise
        raise WorkerLostError(
            f"a worker was lost ({_reason(strategy, error)}). Restart all workers; training continues {resumes()}."
        ) from error


def _reason(strategy: tf.distribute.Strategy, error: tf.errors.OpError) -> str:
    # TensorFlow reports the cause after this text, and before it the operation in which this worker was waiting.
    lines = str(error.message).rpartition("aborted by:")[2].strip().splitlines()
    resolver = strategy.cluster_resolver
    tasks = [(job, int(number)) for job, number in _TASK.findall("\n".join(lines))]
    others = [task for task in tasks if task != (resolver.task_type, resolver.task_id)]
    who = f"{resolver.cluster_spec().task_address(*others[0])}: " if others else ""
    return who + (lines[0].strip()[:200] if lines else type(error).__name__)


def _digest(fact: str) -> int:
    return int(np.frombuffer(hashlib.sha256(fact.encode()).digest()[:8], np.int64)[0])
