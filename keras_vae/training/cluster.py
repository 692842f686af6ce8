"""The worker processes that train one model together: who they are, and which of them this one is."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

_ADDRESS = re.compile(r"[^\s:,/]+:(\d{1,5})|\[[0-9a-fA-F:.%]+\]:(\d{1,5})")
_WANTED = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Worker processes, by address, and this process's place among them.

    Args:
        workers: Their addresses, `"host:port"`, the same list in the same order for all. The first is the chief.
        index: This process's place in the list, from 0.

    Raises:
        ValueError: If there is no worker, an address is none or comes twice, or the index is out of range.

    Example:
        >>> Cluster.from_text("10.0.0.1:12345,10.0.0.2:12345", 1)
        Cluster(workers=('10.0.0.1:12345', '10.0.0.2:12345'), index=1)
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        if not self.workers:
            raise ValueError("the cluster has no workers; wanted their addresses, host:port")
        for address in self.workers:
            match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
            if match is None or not 0 < int(match[1] or match[2]) < 2**16:
                raise ValueError(f"a worker's address is {address!r}; wanted host:port, such as 10.0.0.1:12345")
        twice = [address for address in self.workers if self.workers.count(address) > 1]
        if twice:
            raise ValueError(f"the worker {twice[0]} is in the cluster twice; each needs an address of its own")
        if not 0 <= self.index < len(self.workers):
            raise ValueError(
                f"this worker's index is {self.index}, of {len(self.workers)} workers; "
                f"wanted 0 to {len(self.workers) - 1}"
            )

    @classmethod
    def from_text(cls, workers: str, index: int) -> "Cluster":
        """Read `host:port,host:port,…`.

        Raises:
            ValueError: As the constructor.
        """
        return cls(tuple(part.strip() for part in workers.split(",") if part.strip()), index)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Cluster | None":
        """Read TF_CONFIG, in which a chief comes before the workers.

        Returns:
            The cluster, or None if TF_CONFIG is not set or names no cluster.

        Raises:
            ValueError: If it cannot be understood, names processes that are neither chief nor worker, or as the
                constructor.
        """
        text = environment.get("TF_CONFIG", "").strip()
        if not text:
            return None
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"TF_CONFIG is not JSON ({error}): {text[:200]!r}; wanted {_WANTED}") from None
        try:
            return cls._from_config(config)
        except ValueError as error:
            raise ValueError(f"TF_CONFIG: {error}; received {text[:500]}") from None

    @classmethod
    def _from_config(cls, config: Any) -> "Cluster | None":
        if not isinstance(config, dict):
            raise ValueError(f"wanted {_WANTED}")
        jobs = config.get("cluster") or {}
        if not jobs:
            return None
        if not isinstance(jobs, dict) or not all(isinstance(addresses, list) for addresses in jobs.values()):
            raise ValueError(f"its cluster must hold lists of addresses; wanted {_WANTED}")
        task = config.get("task")
        if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
            raise ValueError('it does not say which worker this is; wanted "task": {"type": "worker", "index": 0}')
        for job in (*jobs, task["type"]):
            if job not in ("chief", "worker"):
                raise ValueError(f"it names {job!r}; every process here trains, so wanted only 'worker' (and 'chief')")
        addresses = jobs.get(task["type"], [])
        index = str(task["index"])
        if not index.isdecimal() or int(index) >= len(addresses):
            raise ValueError(
                f"this is the {task['type']} of index {task['index']!r}, but it lists {len(addresses)} of that type"
            )
        chiefs = jobs.get("chief", [])
        if len(chiefs) > 1:
            raise ValueError(f"it lists {len(chiefs)} chiefs; wanted one, or none: worker 0 is then the chief")
        before = len(chiefs) if task["type"] == "worker" else 0
        return cls((*chiefs, *jobs.get("worker", [])), before + int(index))
