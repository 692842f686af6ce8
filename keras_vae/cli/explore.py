"""`keras-vae explore`: a page in the browser for a model in memory, an export, or a served model."""

import dataclasses
import re
from pathlib import Path

import grpc
import numpy as np

from keras_vae import data
from keras_vae.cli.options import Explore
from keras_vae.cli.stored_models import load
from keras_vae.data.examples import Examples
from keras_vae.explore import Explorer, ExploreServer, ExportSource, InputSpec, ModelSource, Source, SourceError
from keras_vae.training import RunConfig
from keras_vae.utils.files import newest_version
from serving import Client, ServingError

_DIGITS = (28, 28, 1)
_REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE)


def run(target: str, options: Explore) -> None:
    """Print the URL of the page, and serve it until Ctrl-C."""
    try:
        explorer = explorer_of(target, options)
    except SourceError as error:
        raise ValueError(str(error)) from error
    server = ExploreServer(explorer, options.host, options.port)
    print(f"{explorer.name}: {server.url}", flush=True)
    print("Open this URL in a browser. Ctrl-C ends the server.", flush=True)
    server.run()


def explorer_of(target: str, options: Explore) -> Explorer:
    """Return what answers the page of a run, a `.keras` file, an export, or HOST:PORT.

    Raises:
        ValueError: If it is none of these, or cannot be loaded.
        SourceError: If a server does not answer.
    """
    path, config = Path(target), None
    source: Source
    if not path.exists():
        assert options.model is not None, "checked before"
        source = ServedSource(Client(target, model=options.model), options.model, target)
    elif newest_version(path) is not None:
        source = ExportSource(path)
    else:
        model, config = load(target)
        place = path.resolve()
        if path.is_dir():
            source = ModelSource(model, place.name, f"the run {target}")
        else:
            source = ModelSource(model, place.stem, f"the model {target}")
    examples, why_none = _examples(source, config, options.data_dir)
    return Explorer(source, examples, why_none)


def _examples(source: Source, config: RunConfig | None, data_dir: str | None) -> tuple[Examples | None, str | None]:
    """Return the test data of the run, or digits for a model of such images; or None, and why."""
    x = source.specs.get("encode", {}).get("x")
    if config is None and (x is None or x.shape != _DIGITS):
        return None, "held-out data is known for run directories and for images of 28 × 28 × 1 alone"
    name = "mnist_5k" if config is None else config.data
    image_size = None if config is None else config.image_size
    try:
        examples = data.read(name, "test", image_size=image_size, data_dir=data_dir)
        return dataclasses.replace(examples, name=f"{name} (test)"), None
    except (ValueError, OSError) as error:
        return None, f"the test data of {name} cannot be read: {' '.join(str(error).split())}"


class ServedSource:
    """A model behind TensorFlow Serving's protocol: `keras-vae serve`, or TensorFlow Serving.

    Args:
        client: A client of the model.
        name: The model's name.
        address: The server's HOST:PORT.

    Raises:
        SourceError: If the server does not answer.
    """

    likelihood: str | None = None

    def __init__(self, client: Client, name: str, address: str) -> None:
        self.name, self.origin = name, f"the model {name} served on {address}"
        self._client = client
        try:
            signatures = client.metadata()
        except ServingError as error:
            raise SourceError(_plain(error)) from error
        self.specs = {
            key: {
                name: InputSpec(spec.dtype, tuple(spec.shape[1:]))  # type: ignore[arg-type]
                for name, spec in signature.inputs.items()
                if spec.shape is not None
            }
            for key, signature in signatures.items()
        }

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a signature."""
        try:
            return self._client.predict(signature, inputs)
        except ServingError as error:
            if error.code in _REFUSED:
                raise ValueError(
                    re.sub("^keras_vae refuses this data: ", "", " ".join(error.details.split()))
                ) from error
            raise SourceError(_plain(error)) from error

    def classes(self) -> int | None:
        """Return None: trying labels until one is refused could fail other clients' rows of a batch."""
        return None

    def kl(self, x: np.ndarray, condition: np.ndarray | None) -> dict[str, np.ndarray | None]:
        """Return nothing: a server has no densities."""
        return {}

    def followed(self, z: dict[str, np.ndarray], moved: str, condition: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return z unchanged: no signature is the prior of one group given another."""
        return z


def _plain(error: ServingError) -> str:
    return " ".join(str(error).split())
