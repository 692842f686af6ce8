"""A served model: the version that answers, and the state of every version seen."""

import logging
from pathlib import Path

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from serving.core.servable import ModelLoadError, Servable
from serving.core.versions import find_versions, fingerprint

_log = logging.getLogger(__name__)

_Status = get_model_status_pb2.ModelVersionStatus


class ServedModel:
    """Serves the latest version found under a base path.

    One thread at a time may call `refresh`; the rest may be called from any.
    """

    def __init__(self, name: str, base_path: Path) -> None:
        """Names the model; `refresh` loads it.

        Args:
            name: The name clients ask for.
            base_path: The directory that holds one directory a version.
        """
        self.name = name
        self.base_path = base_path
        self._current: Servable | None = None
        self._failed: tuple = ()
        self._statuses: dict[int, get_model_status_pb2.ModelVersionStatus] = {}

    def refresh(self) -> None:
        """Loads the latest version, if it is not served already, and retires the one before it.

        A version that failed to load is tried again only once its files have changed, as they do while a
        slow copy is still going on. Requests that began on the version before keep it until they end.

        Raises:
            ModelLoadError: If there is no version, or the latest cannot be loaded; the version served
                before, if any, still is.
        """
        version, path = self._latest()
        if self._current is not None and self._current.version == version:
            return
        contents = (version, fingerprint(path))
        if contents == self._failed:
            return
        self._set_status(version, _Status.LOADING)
        try:
            servable = Servable(version, path)
        except ModelLoadError as error:
            self._failed = contents
            self._set_status(version, _Status.END, error.code, str(error))
            raise
        retired, self._current = self._current, servable
        self._set_status(version, _Status.AVAILABLE)
        if retired is not None:
            self._set_status(retired.version, _Status.END)
        _log.info("serving version %d of model %s", version, self.name)

    def servable(self, version: int | None = None) -> Servable | None:
        """Returns the version asked for, the current one for None, if it is being served."""
        current = self._current
        if current is None or version not in (None, current.version):
            return None
        return current

    def statuses(self) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Returns the status of every version seen, the newest first."""
        return [status for _, status in sorted(self._statuses.items(), reverse=True)]

    def _latest(self) -> tuple[int, Path]:
        try:
            versions = find_versions(self.base_path)
        except OSError as error:
            raise ModelLoadError(
                f"cannot read the base path of model {self.name}, {self.base_path}: {error.strerror}",
                grpc.StatusCode.NOT_FOUND,
            ) from error
        if not versions:
            raise ModelLoadError(
                f"no version of model {self.name} under {self.base_path}:"
                f" a version is a directory named by an integer, such as {self.base_path / '1'}",
                grpc.StatusCode.NOT_FOUND,
            )
        return max(versions.items())

    def _set_status(
        self, version: int, state: int, code: grpc.StatusCode = grpc.StatusCode.OK, message: str = ""
    ) -> None:
        status = _Status(version=version, state=state)
        status.status.error_code = code.value[0]
        status.status.error_message = message
        # Replaced, not changed, so that a thread reading the old one never sees it half done.
        self._statuses = {**self._statuses, version: status}
