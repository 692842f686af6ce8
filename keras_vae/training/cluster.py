"""The cluster: addresses of the worker processes that train one model, and the index of this one."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

_ADDRESS = re.compile(r"[^\s:,/]+:(\d{1,5})|\[[0-9a-fA-F:.%]+\]:(\d{1,5})")
_EXPECTED = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Addresses of the worker processes, and the index of this process.

    Args:
        workers: Addresses, `"host:port"`, the same list in the same order for all. The first is the chief.
        index: Index of this process in the list, from 0.

    Raises:
        ValueError: If there is no worker, an address is invalid or repeated, or the index is out of range.

    Example:
        >>> Cluster.from_text("10.0.0.1:12345,10.0.0.2:12345", 1)
        Cluster(workers=('10.0.0.1:12345', '10.0.0.2:12345'), index=1)
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        if not self.workers:
            raise ValueError("the cluster has no workers: expected addresses host:port, received none")
        for address in self.workers:
            match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
            if match is None or not 0 < int(match[1] or match[2]) < 2**16:
                raise ValueError(
                    "the address of a worker is invalid: expected host:port, such as 10.0.0.1:12345, received "
                    f"{address!r}"
                )
        twice = [address for address in self.workers if self.workers.count(address) > 1]
        if twice:
            raise ValueError(f"the cluster has a worker twice: expected different addresses, received {twice[0]} twice")
        if not 0 <= self.index < len(self.workers):
            raise ValueError(
                f"the index of this worker is out of range: expected 0 to {len(self.workers) - 1}, received "
                f"{self.index}"
            )

    @classmethod
    def from_text(cls, workers: str, index: int) -> "Cluster":
        """Read `host:port,host:port,…`.

        Raises:
            ValueError: As for the constructor.
        """
        return cls(tuple(part.strip() for part in workers.split(",") if part.strip()), index)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Cluster | None":
        """Read TF_CONFIG, in which a chief comes before the workers.

        Returns:
            The cluster, or None if TF_CONFIG is not set or names no cluster.

        Raises:
            ValueError: If it is invalid, names processes that are neither chief nor worker, or as for the constructor.
        """
        text = environment.get("TF_CONFIG", "").strip()
        if not text:
            return None
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"TF_CONFIG is not JSON ({error}): expected {_EXPECTED}, received {text[:200]!r}"
            ) from None
        try:
            return cls._from_config(config)
        except ValueError as error:
            raise ValueError(f"TF_CONFIG is invalid: {error}; received {text[:500]}") from None

    @classmethod
    def _from_config(cls, config: Any) -> "Cluster | None":
        if not isinstance(config, dict):
            raise ValueError(f"expected {_EXPECTED}")
        jobs = config.get("cluster") or {}
        if not jobs:
            return None
        if not isinstance(jobs, dict) or not all(isinstance(addresses, list) for addresses in jobs.values()):
            raise ValueError(f"its cluster has no lists of addresses: expected {_EXPECTED}")
        task = config.get("task")
        if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
            raise ValueError('the task of this worker is missing: expected "task": {"type": "worker", "index": 0}')
        for job in (*jobs, task["type"]):
            if job not in ("chief", "worker"):
                raise ValueError(
                    f"it has the job {job!r}: expected only 'worker' and 'chief', because every process trains"
                )
        addresses = jobs.get(task["type"], [])
        index = str(task["index"])
        if not index.isdecimal() or int(index) >= len(addresses):
            raise ValueError(
                f"the index of the task is out of range: expected the index of one of {len(addresses)} {task['type']} "
                f"addresses, not {task['index']!r}"
            )
        chiefs = jobs.get("chief", [])
        if len(chiefs) > 1:
            raise ValueError(f"it has {len(chiefs)} chiefs: expected one, or none: then worker 0 is the chief")
        before = len(chiefs) if task["type"] == "worker" else 0
        return cls((*chiefs, *jobs.get("worker", [])), before + int(index))
