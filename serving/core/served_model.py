"""`ServedModel`: a model's versions that answer, and the state of every version seen."""

import gc
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from serving.core.errors import ModelLoadError
from serving.core.servable import Servable
from serving.core.versions import Policy, find_versions, fingerprint

_log = logging.getLogger(__name__)

_Status = get_model_status_pb2.ModelVersionStatus


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often to retry a version that fails to load.

    Attributes:
        most: The attempts after the first.
        interval: The seconds between two attempts.
    """

    most: int = 5
    interval: float = 60.0


@dataclass
class _Failure:
    """A version that could not be loaded, and its files at the time."""

    contents: tuple
    error: ModelLoadError
    attempts: int
    again_at: float


class ServedModel:
    """Serves versions found under a base path.

    One thread at a time may call `refresh`; any thread may call the other methods.
    """

    def __init__(
        self,
        name: str,
        base_path: Path,
        load: Callable[[int, Path], Servable] = Servable,
        policy: Policy | None = None,
        retries: Retries | None = None,
        standing_in: "ServedModel | None" = None,
    ) -> None:
        """Starts without versions; `refresh` loads them.

        Args:
            name: The model's name in requests.
            base_path: The directory that holds one directory per version.
            load: Loads a version, given its number and directory; raises `ModelLoadError`.
            policy: Which versions to serve, the latest if None; may be replaced between two calls of `refresh`.
            retries: When to retry a version that failed; the defaults if None.
            standing_in: A model at another base path, whose versions answer until one of this model is loaded.
        """
        self.name = name
        self.base_path = base_path
        self.policy = policy or Policy()
        self.labels: Mapping[str, int] = {}
        self._load = load
        self._retries = retries or Retries()
        self._serving: dict[int, Servable] = dict(standing_in._serving) if standing_in is not None else {}
        self._standing_in = set(self._serving)
        self._failures: dict[int, _Failure] = {}
        self._statuses: dict[int, get_model_status_pb2.ModelVersionStatus] = (
            dict(standing_in._statuses) if standing_in is not None else {}
        )
        self._past_batches: Counter[int] = Counter()
        self._counting = threading.Lock()

    def refresh(self) -> list[ModelLoadError]:
        """Loads the versions that the policy asks for, and retires the others.

        A version is retired only after its replacement is loaded. One that failed to load is retried after a while, or
        when its files have changed, as during a slow copy. Requests that started on a retired version finish on it.

        Returns:
            Why versions that the policy asks for are not served.
        """
        try:
            present = find_versions(self.base_path)
        except OSError as error:
            return [
                ModelLoadError(
                    f"cannot read the base path of model {self.name}, {self.base_path}: {error.strerror}",
                    grpc.StatusCode.NOT_FOUND,
                )
            ]
        problems = self._missing(present)
        self._announce(present)
        served: set[int] = set()
        for version in self.policy.candidates(present):
            if self.policy.is_enough(len(served)):
                break
            problem = self._try(version, present[version])
            if problem is None:
                served.add(version)
            else:
                problems.append(problem)
        self._failures = {version: failure for version, failure in self._failures.items() if version in present}
        if served:  # otherwise keep those that serve
            self._retire(self._serving.keys() - served)
        return problems

    def stop(self) -> None:
        """Retires all versions."""
        self._retire(set(self._serving))

    def servable(self, version: int | None = None) -> Servable | None:
        """Returns a version that is being served, the newest one for None; None if there is none."""
        serving = self._serving
        if version is not None:
            return serving.get(version)
        return serving[max(serving)] if serving else None

    def servables(self) -> list[Servable]:
        """Returns the versions being served."""
        return list(self._serving.values())

    def batch_sizes(self) -> Counter[int]:
        """Returns how often a batch of each size has run, including on retired versions: a count never decreases."""
        with self._counting:
            return sum((servable.batch_sizes() for servable in self.servables()), self._past_batches)

    def statuses(self) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Returns the status of every version seen, newest first."""
        return [status for _, status in sorted(self._statuses.items(), reverse=True)]

    def _missing(self, present: Mapping[int, Path]) -> list[ModelLoadError]:
        if not present:
            return [
                ModelLoadError(
                    f"no version of model {self.name} under {self.base_path}:"
                    f" expected a directory named by an integer, such as {self.base_path / '1'}, received none",
                    grpc.StatusCode.NOT_FOUND,
                )
            ]
        return [
            ModelLoadError(
                f"no version {version} of model {self.name} under {self.base_path}, which its policy asks for",
                grpc.StatusCode.NOT_FOUND,
            )
            for version in sorted((self.policy.versions or frozenset()) - present.keys())
        ]

    def _announce(self, present: Mapping[int, Path]) -> None:
        """Reports the versions that will be loaded, which happens one after the other, as START."""
        wanted = itertools.islice(self.policy.candidates(present), self.policy.latest)
        for version in wanted:
            if version not in self._serving and version not in self._failures:
                self._set_status(version, _Status.START)

    def _try(self, version: int, path: Path) -> ModelLoadError | None:
        """Loads a version unless it is served already; returns why it is not served."""
        if version in self._serving and version not in self._standing_in:
            return None
        contents = fingerprint(path)
        before = self._failures.get(version)
        if before is not None and before.contents == contents:
            if before.attempts > self._retries.most or time.monotonic() < before.again_at:
                return before.error
            attempts = before.attempts + 1
        else:
            attempts = 1
        if version not in self._serving:
            self._set_status(version, _Status.LOADING)
        try:
            servable = self._load(version, path)
        except ModelLoadError as error:
            again_at = time.monotonic() + self._retries.interval
            self._failures[version] = _Failure(contents, error, attempts, again_at)
            if version not in self._serving:
                self._set_status(version, _Status.END, error.code, str(error))
            return error
        self._failures.pop(version, None)
        self._standing_in.discard(version)
        # Replaced, not mutated: a thread may be reading the old dict.
        self._serving = {**self._serving, version: servable}
        self._set_status(version, _Status.AVAILABLE)
        _log.info("serving version %d of model %s", version, self.name)
        return None

    def _retire(self, versions: set[int]) -> None:
        if not versions:
            return
        retired = [self._serving[version] for version in versions]
        for version in sorted(versions):
            self._set_status(version, _Status.UNLOADING)
        with self._counting:
            self._past_batches = sum((servable.batch_sizes() for servable in retired), self._past_batches)
            self._serving = {version: one for version, one in self._serving.items() if version not in versions}
        del retired  # or the collection below would find them in use
        gc.collect()  # a loaded model has reference cycles, and may be large
        for version in sorted(versions):
            self._set_status(version, _Status.END)
            _log.info("retired version %d of model %s", version, self.name)

    def _set_status(
        self, version: int, state: int, code: grpc.StatusCode = grpc.StatusCode.OK, message: str = ""
    ) -> None:
        status = _Status(version=version, state=state)
        status.status.error_code = code.value[0]
        status.status.error_message = message
        self._statuses = {**self._statuses, version: status}
