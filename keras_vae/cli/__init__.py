"""The command line: `keras-vae`."""

from keras_vae.cli.app import main
from keras_vae.cli.errors import UsageError

__all__ = ["UsageError", "main"]
