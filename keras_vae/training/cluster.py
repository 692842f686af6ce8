"""Clusters: the addresses of the worker processes that train one model, and the index of this process."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from keras_vae.utils.arguments import one_line

_ADDRESS = re.compile(r"[^\s:,/]+:(\d{1,5})|\[[0-9a-fA-F:.%]+\]:(\d{1,5})")
_EXPECTED = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The addresses of the worker processes, and the index of this process.

    Args:
        workers: Addresses, `"host:port"`, in the same order for all workers. The first one is the chief.
        index: The index of this process in the list, from 0.

    Raises:
        ValueError: If there are no workers, an address is invalid or repeated, or the index is out of range.

    Example:
        >>> Cluster.from_text("10.0.0.1:12345,10.0.0.2:12345", 1)
        Cluster(workers=('10.0.0.1:12345', '10.0.0.2:12345'), index=1)
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        if not self.workers:
            raise ValueError("cluster: expected addresses host:port, received none. Pass one per worker.")
        for address in self.workers:
            match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
            if match is None or not 0 < int(match[1] or match[2]) < 2**16:
                raise ValueError(
                    f"worker address: expected host:port, received {address!r}. Use 10.0.0.1:12345, for example."
                )
        twice = [address for address in self.workers if self.workers.count(address) > 1]
        if twice:
            raise ValueError(
                f"cluster: expected different addresses, received {twice[0]} twice. Use another port for one of them."
            )
        if not 0 <= self.index < len(self.workers):
            raise ValueError(
                f"worker index: expected an integer from 0 to {len(self.workers) - 1}, received {self.index}. Pass the "
                "position of this worker in the list."
            )

    @classmethod
    def from_text(cls, workers: str, index: int) -> "Cluster":
        """Parse `host:port,host:port,...`.

        Raises:
            ValueError: As for the constructor.
        """
        return cls(tuple(part.strip() for part in workers.split(",") if part.strip()), index)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Cluster | None":
        """Parse TF_CONFIG. A chief precedes the workers.

        Returns:
            The cluster, or None if TF_CONFIG is not set or has no cluster.

        Raises:
            ValueError: If it is invalid, contains jobs other than chief and worker, or as for the constructor.
        """
        text = environment.get("TF_CONFIG", "").strip()
        if not text:
            return None
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"TF_CONFIG: expected {_EXPECTED}, received {text[:200]!r} ({error}). Set it to valid JSON."
            ) from None
        try:
            return cls._from_config(config)
        except ValueError as error:
            raise ValueError(f"TF_CONFIG: {error} TF_CONFIG is {text[:500]}") from None

    @classmethod
    def _from_config(cls, config: Any) -> "Cluster | None":
        if not isinstance(config, dict):
            raise ValueError(f"expected {_EXPECTED}, received a {type(config).__name__}. Set it to a JSON object.")
        jobs = config.get("cluster") or {}
        if not jobs:
            return None
        if not isinstance(jobs, dict) or not all(isinstance(addresses, list) for addresses in jobs.values()):
            raise ValueError(
                f"cluster: expected lists of addresses, received {one_line(jobs)}. Use {_EXPECTED}, for example."
            )
        task = config.get("task")
        if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
            raise ValueError(
                f'task: expected {{"type": "worker", "index": 0}}, received {one_line(task)}. Add the task.'
            )
        for job in (*jobs, task["type"]):
            if job not in ("chief", "worker"):
                raise ValueError(
                    f"job: expected 'worker' or 'chief', received {one_line(job)}. "
                    "Remove it, because every process trains."
                )
        addresses = jobs.get(task["type"], [])
        index = str(task["index"])
        if not index.isdecimal() or int(index) >= len(addresses):
            raise ValueError(
                f"task index: expected the index of one of {len(addresses)} {task['type']} addresses, received "
                f"{task['index']!r}. Use one from 0."
            )
        chiefs = jobs.get("chief", [])
        if len(chiefs) > 1:
            raise ValueError(
                f"chief: expected at most one address, received {len(chiefs)}. Move the others to 'worker'."
            )
        before = len(chiefs) if task["type"] == "worker" else 0
        return cls((*chiefs, *jobs.get("worker", [])), before + int(index))
