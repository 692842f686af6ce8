"""`Models`: all models that are served, as a `ModelServerConfig` lists them."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import grpc
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.core.errors import ModelLoadError, RequestError
from serving.core.model_list import check_list
from serving.core.servable import Servable
from serving.core.served_model import Retries, ServedModel
from serving.core.versions import read_policy

_log = logging.getLogger(__name__)


class Models:
    """The models by name. Any thread may call any method; requests never wait while a model loads."""

    def __init__(
        self,
        load: Callable[[str, int, Path], Servable],
        retries: Retries | None = None,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        """Starts without models; `configure` sets them.

        Args:
            load: Loads a servable, given a model's name, a version and its directory; raises `ModelLoadError`.
            retries: When to retry a version that failed to load; the defaults if None.
            allow_labels_for_unavailable: Whether a new label may name a version that is not served yet.
        """
        self._load = load
        self._retries = retries or Retries()
        self._allow_labels = allow_labels_for_unavailable
        self._changing = threading.Lock()
        self._models: dict[str, ServedModel] = {}
        # Those being loaded or retired, whose states can be asked for meanwhile.
        self._in_change: dict[str, ServedModel] = {}
        self._config = model_server_config_pb2.ModelServerConfig()
        self._gone: dict[str, list[get_model_status_pb2.ModelVersionStatus]] = {}
        self._complaints: set[str] = set()

    def get(self, name: str) -> ServedModel | None:
        """Returns a model that is served now."""
        return self._models.get(name)

    def names(self) -> list[str]:
        """Returns the names of the models served now."""
        return sorted(self._models)

    def statuses(self, name: str) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Returns the status of every version seen of a model, newest first, even if it is no longer served."""
        model = self._in_change.get(name) or self._models.get(name)
        return model.statuses() if model is not None else self._gone.get(name, [])

    def all_available(self) -> bool:
        """Returns whether each model has a version that answers."""
        return all(model.servable() is not None for model in self._models.values())

    def batch_sizes(self) -> dict[str, Counter[int]]:
        """Returns, by model, how often a batch of each size has run."""
        return {name: model.batch_sizes() for name, model in self._models.items()}

    def configure(self, config: model_server_config_pb2.ModelServerConfig) -> list[ModelLoadError]:
        """Serves the models listed, and no others.

        A version that is served keeps answering until its replacement is loaded.

        Args:
            config: The list of models.

        Returns:
            Why versions that the list asks for are not served.

        Raises:
            RequestError: If the list is invalid; then nothing changes.
        """
        with self._changing:
            check_list(config, self._config)
            labels = {entry.name: self._labels(entry) for entry in config.model_config_list.config}
            models: dict[str, ServedModel] = {}
            problems: list[ModelLoadError] = []
            for entry in config.model_config_list.config:
                model = self._models.get(entry.name)
                if model is None or model.base_path != Path(entry.base_path):
                    model = self._new(entry, standing_in=model)
                model.policy = read_policy(entry.model_version_policy)
                self._in_change = {**models, entry.name: model}
                problems += model.refresh()
                model.labels = labels[entry.name]
                models[entry.name] = model
            before, self._models = self._models, models
            self._config = config
            self._in_change = {name: before[name] for name in before.keys() - models.keys()}
            for name, model in self._in_change.items():
                model.stop()
                self._gone[name] = model.statuses()
            self._in_change = {}
        self._report(problems)
        return problems

    def refresh(self) -> list[ModelLoadError]:
        """Looks for versions that have come or gone; see `ServedModel.refresh`.

        Returns:
            Why versions that the list asks for are not served.
        """
        with self._changing:
            problems = [problem for model in self._models.values() for problem in model.refresh()]
        self._report(problems)
        return problems

    def _new(self, entry: model_server_config_pb2.ModelConfig, standing_in: ServedModel | None) -> ServedModel:
        def load(version: int, path: Path) -> Servable:
            return self._load(entry.name, version, path)

        return ServedModel(entry.name, Path(entry.base_path), load, retries=self._retries, standing_in=standing_in)

    def _labels(self, entry: model_server_config_pb2.ModelConfig) -> dict[str, int]:
        model = self._models.get(entry.name)
        for label, version in entry.version_labels.items():
            is_moved = model is not None and model.labels.get(label, version) != version
            is_served = model is not None and model.servable(version) is not None
            if not is_served and (is_moved or not self._allow_labels):
                raise RequestError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {entry.name},"
                    " which is not currently available for inference",
                )
        return dict(entry.version_labels)

    def _report(self, problems: list[ModelLoadError]) -> None:
        # Otherwise a lasting problem would be logged at every look.
        complaints = {str(problem) for problem in problems}
        for complaint in sorted(complaints - self._complaints):
            _log.error("%s", complaint)
        self._complaints = complaints
