"""The command line: `keras-vae`."""

from keras_vae.cli.app import main

__all__ = ["main"]
