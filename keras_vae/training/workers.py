"""What several workers must agree on, and what happens when one of them is lost."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_vae.training.strategy import worker_count, worker_index

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
