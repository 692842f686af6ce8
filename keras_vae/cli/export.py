"""`keras-vae export` and `keras-vae bundle`: from a model on disk to the files that servers start from."""

from pathlib import Path

from keras_vae.cli.options import Bundle, Export
from keras_vae.cli.stored_models import load
from keras_vae.export import ExportMismatchError
from serving import deploy


def export(path: str, to: str, options: Export) -> None:
    """Export, and show how to serve the result."""
    model, _ = load(path)
    try:
        version = Path(model.export(to, score_samples=options.score_samples))
    except ExportMismatchError as error:
        raise ValueError(f"the export was discarded: {error}") from error
    print(f"{version}: written, loaded back and compared")
    print(f"next: keras-vae serve --model_name={version.parent.name} --model_base_path={version.parent} --port=8500")


def bundle(base_path: str, options: Bundle) -> None:
    """Write the bundle, and show how to use it."""
    path = deploy.bundle(
        base_path,
        options.to,
        version=options.version,
        name=options.name,
        max_batch_size=options.max_batch_size,
        image=options.image,
        storage_uri=options.storage_uri,
        overwrite=options.overwrite,
    )
    print(f"{path}: written; its README.md says how to use it")
    print(f"next: docker compose --file {path / 'docker-compose.yaml'} up --detach --wait, or kubectl apply -k {path}")
