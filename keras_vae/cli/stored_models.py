"""Models on disk, as the argument MODEL names them."""

from pathlib import Path
from typing import Any

from keras_vae.families import LIKELIHOODS
from keras_vae.training import Run, RunConfig
from keras_vae.utils.imports import import_object, is_import_path
from keras_vae.utils.model_file import load_model
from keras_vae.vae import VAE


def load(path: str) -> tuple[VAE, RunConfig | None]:
    """Load a model from a run directory, with the run's settings, or from a `.keras` file, without.

    Raises:
        FileNotFoundError: If there is no such file or directory.
        ValueError: If the file is damaged or does not hold a VAE, or a part of the user's own cannot be imported.
    """
    place = Path(path)
    if place.is_dir():
        run = Run(place)
        config = RunConfig.read(run.config_path) if run.config_path.exists() else None
        if config is not None:
            _import_parts(config)
        return _checked(run.load_model(), run.model_path), config
    if not place.exists():
        raise FileNotFoundError(f"{place} does not exist: expected a run directory or a .keras file")
    return _checked(load_model(place, cure="Put back a copy of it"), place), None


def likelihood_of(model: VAE) -> Any:
    """Return the model's likelihood as `keras_vae.data.load` takes it: by name, or the family of the user's own."""
    family = model.decoder.family
    return next((name for name, known in LIKELIHOODS.items() if type(family) is known), family)


def _import_parts(config: RunConfig) -> None:
    """Import the user's own parts of a run, so that Keras can load them."""
    for text in (config.likelihood, config.prior, config.objective):
        if text is not None and is_import_path(text):
            import_object(text)


def _checked(model: Any, path: Path) -> VAE:
    if not isinstance(model, VAE):
        raise ValueError(f"{path} holds a {type(model).__name__}: expected a keras_vae.VAE")
    return model
