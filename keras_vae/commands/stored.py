"""Models on disk, as the subcommands' argument names them."""

from pathlib import Path
from typing import Any

from keras_vae.families import LIKELIHOODS
from keras_vae.training import Run, RunConfig
from keras_vae.utils.model_file import load_model
from keras_vae.vae import VAE


def load(path: str) -> tuple[VAE, RunConfig | None]:
    """Load a model from a run directory, with the run's settings, or from a `.keras` file, without.

    Raises:
        FileNotFoundError: If there is no such file or directory.
        ValueError: If the file is damaged, or not a VAE's.
    """
    place = Path(path)
    if place.is_dir():
        run = Run(place)
        return _checked(run.load_model(), run.model_path), RunConfig.read(run.config_path)
    if not place.exists():
        raise FileNotFoundError(f"{place} does not exist; wanted a run directory or a .keras file")
    return _checked(load_model(place, cure="Put back a copy of it"), place), None


def likelihood_name(model: VAE) -> str:
    """Return the name of the model's likelihood, as in `--likelihood`.

    Raises:
        ValueError: If it has none.
    """
    family = type(model.decoder.family)
    for name, known in LIKELIHOODS.items():
        if family is known:
            return name
    raise ValueError(
        f"there is no preprocessing for data of the likelihood {family.__name__}; wanted one of "
        f"{', '.join(LIKELIHOODS)}. "
        "Evaluate it in Python: model.evaluate, keras_vae.evaluation.likelihood.log_likelihood"
    )


def _checked(model: Any, path: Path) -> VAE:
    if not isinstance(model, VAE):
        raise ValueError(f"{path} holds a {type(model).__name__}; wanted a keras_vae.VAE")
    return model
