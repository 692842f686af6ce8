"""Choosing the strategy that a run trains under, and starting and joining worker processes."""

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
    """Make a strategy.

    Make one for several workers before any other use of TensorFlow in the process: TensorFlow allows no other
    order. It waits there for the other workers.

    Args:
        name: "one": one device, TensorFlow's default. "mirrored": all GPUs of this machine, or, where there is none,
            all logical CPU devices. "multi-worker": the worker processes of `cluster`. "tpu": a TPU. "auto":
            "multi-worker" if there is a cluster of more than one worker, else "tpu" if there is one or `tpu` names
            it, else "mirrored" if there is more than one GPU, else "one".
        cluster: The worker processes; by default those in the environment variable TF_CONFIG, if it is set.
        tpu: The TPU's name or address; by default "local", that of this machine.

    Returns:
        The strategy; build and compile the model under its `scope()`.

    Raises:
        ValueError: If the name is unknown, TF_CONFIG cannot be understood, or there is no such device or cluster.
        ConnectionError: If this worker cannot join the others.

    Example:
        >>> make("one").num_replicas_in_sync
        1
    """
    # Not `lookup(...)`'s value: the names stand for themselves.
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
    """Return this process's place among the strategy's workers, the chief's being 0."""
    if worker_count(strategy) == 1:
        return 0
    resolver = strategy.cluster_resolver
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return int(resolver.task_id) + (chiefs if resolver.task_type == "worker" else 0)


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """Return how many worker processes there are."""
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
            "the strategy multi-worker needs to know the workers; give --workers host:port,host:port,… and "
            "--worker-index N, or set TF_CONFIG"
        )
    here = cluster.workers[cluster.index]
    others = [address for address in cluster.workers if address != here]
    print(
        f"worker {cluster.index} of {len(cluster.workers)}, {here}; waiting for {', '.join(others) or 'no other'}",
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
        with _signals_heeded():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise ValueError(
            f"the strategy multi-worker must be made before any other use of TensorFlow in the process ({error})"
        ) from None
    except tf.errors.OpError as error:
        reason = " ".join(str(error.message).split())[:300]
        raise ConnectionError(
            f"worker {cluster.index} cannot listen at {here} or join the others ({reason}). See whether the port is "
            "free here, and whether all workers were given the same list, each with its own index"
        ) from None


@contextlib.contextmanager
def _signals_heeded() -> Iterator[None]:
    """Let Ctrl-C end the wait for the others, and keep what SIGTERM did before: TensorFlow's workers ignore it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler comes only after the wait
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
    # Which one depends on what is missing: the driver, the device, the name or the network.
    except Exception as error:
        found = ", ".join(device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices())
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"there is no TPU {name!r} to be reached from here; TensorFlow found {found} ({reason}). On a TPU VM "
            "install tensorflow-tpu in place of tensorflow; elsewhere give another --strategy"
        ) from error


# What TensorFlow raises in the survivors: the sort depends on who was lost, and at what moment.
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
    """Another worker has ended or cannot be reached, and training cannot go on without it."""


def agree(strategy: tf.distribute.Strategy, facts: dict[str, str], cure: str) -> None:
    """Compare facts over all workers; every worker must call it. With one worker it does nothing.

    Args:
        strategy: The workers'.
        facts: What must be the same, by name; all workers give the same names in the same order.
        cure: The end of the error's sentence.

    Raises:
        ValueError: If a fact differs; it names the workers.
    """
    if worker_count(strategy) == 1:
        return
    row = tf.constant([[worker_index(strategy), *map(_digest, facts.values())]], tf.int64)
    rows = strategy.gather(strategy.experimental_distribute_values_from_function(lambda _: row), axis=0).numpy()
    for number, name in enumerate(facts, 1):
        others = sorted({int(row[0]) for row in rows if row[number] != rows[0, number]})
        if others:
            raise ValueError(
                f"the workers see different {name}: worker {', '.join(map(str, others))} and worker {rows[0, 0]} do "
                f"not agree; here it is {facts[name][:300]}. {cure}"
            )


def fingerprints(paths: Iterable[Path]) -> str:
    """Return the files' names with hashes of their contents."""
    return ", ".join(f"{p.name} ({hashlib.sha256(p.read_bytes()).hexdigest()[:16]})" for p in paths) or "none"


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Wait until every worker has come here."""
    agree(strategy, {}, "")


@contextlib.contextmanager
def loss_told(strategy: tf.distribute.Strategy, resumes: Callable[[], str]) -> Iterator[None]:
    """Turn what TensorFlow says in the block when a worker is lost into one line.

    TensorFlow notices a process that has ended, or is out of reach, by its missing heartbeats: in about ten seconds.

    Args:
        strategy: The workers'.
        resumes: Says from where training goes on.

    Raises:
        WorkerLostError: If a worker was lost.
    """
    try:
        yield
    except _LOST as error:
        if worker_count(strategy) == 1:
            raise
        raise WorkerLostError(
            f"a worker was lost ({_reason(strategy, error)}); start all workers again: training goes on {resumes()}"
        ) from error


def _reason(strategy: tf.distribute.Strategy, error: tf.errors.OpError) -> str:
    # After this mark TensorFlow tells what happened; before it, in which operation this worker was waiting.
    lines = str(error.message).rpartition("aborted by:")[2].strip().splitlines()
    resolver = strategy.cluster_resolver
    tasks = [(job, int(number)) for job, number in _TASK.findall("\n".join(lines))]
    others = [task for task in tasks if task != (resolver.task_type, resolver.task_id)]
    who = f"{resolver.cluster_spec().task_address(*others[0])}: " if others else ""
    return who + (lines[0].strip()[:200] if lines else type(error).__name__)


def _digest(fact: str) -> int:
    return int(np.frombuffer(hashlib.sha256(fact.encode()).digest()[:8], np.int64)[0])
