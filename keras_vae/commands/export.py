"""`keras-vae export`."""

from argparse import Namespace
from pathlib import Path

from keras_vae.commands import stored
from keras_vae.export import ExportMismatchError


def run(options: Namespace) -> None:
    """Export, and show how to serve the result."""
    model, _ = stored.load(options.model)
    try:
        path = model.export(options.to, score_samples=options.score_samples)
    except ExportMismatchError as error:
        raise ValueError(f"the export was discarded: {error}") from error
    base = Path(path).parent
    print(f"{path}: written, loaded back and compared")
    print(f"next: keras-vae serve --model_name={base.name} --model_base_path={base} --port=8500")
