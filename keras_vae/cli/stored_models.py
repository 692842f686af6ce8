"""Models on disk: loading the argument MODEL; `keras-vae export` and `keras-vae bundle`."""

from pathlib import Path
from typing import Any

from keras_vae.cli.checks import check_model
from keras_vae.cli.options import Bundle, Export
from keras_vae.export import ExportMismatchError
from keras_vae.families import LIKELIHOODS
from keras_vae.training import Run, RunConfig
from keras_vae.utils.model_file import load_model
from keras_vae.vae import VAE
from serving import deploy


def load(path: str) -> tuple[VAE, RunConfig | None]:
    """Load a model from a run directory, with the run's settings, or from a `.keras` file, with None.

    Raises:
        FileNotFoundError: If the file or directory does not exist.
        ValueError: If the file is damaged or does not contain a VAE, or a user-defined part cannot be imported.
    """
    check_model(path)
    place = Path(path)
    if place.is_dir():
        run = Run(place)
        return _checked(run.load_model(), run.model_path), RunConfig.read(run.config_path)
    return _checked(load_model(place, advice="Restore a copy of it."), place), None


def likelihood_of(model: VAE) -> Any:
    """Return the model's likelihood for `keras_vae.data.load`: its name, or a user-defined family."""
    family = model.decoder.family
    return next((name for name, known in LIKELIHOODS.items() if type(family) is known), family)


def export(path: str, to: str, options: Export) -> None:
    """Export, and print how to serve the result."""
    model, _ = load(path)
    try:
        version = Path(model.export(to, score_samples=options.score_samples))
    except ExportMismatchError as error:
        raise ValueError(f"the export was discarded: {error}") from error
    print(f"{version}: written and verified")
    print(f"next: keras-vae serve --model_name={version.parent.name} --model_base_path={version.parent} --port=8500")


def bundle(base_path: str, options: Bundle) -> None:
    """Write the bundle, and print how to use it."""
    path = deploy.bundle(
        base_path,
        options.to,
        version=options.version,
        name=options.name,
        max_batch_size=options.max_batch_size,
        callers=options.callers,
        image=options.image,
        storage_uri=options.storage_uri,
        overwrite=options.overwrite,
    )
    print(f"{path}: written; see its README.md")
    print(f"next: docker compose --file {path / 'docker-compose.yaml'} up --detach --wait, or kubectl apply -k {path}")


def _checked(model: Any, path: Path) -> VAE:
    if not isinstance(model, VAE):
        raise ValueError(f"{path}: expected a keras_vae.VAE, received a {type(model).__name__}. Use another file.")
    return model
