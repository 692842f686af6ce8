"""Exporting SavedModels with named signatures, warm-up requests and atomic version directories."""

from keras_vae.export.saved_model import ExportMismatchError, export_saved_model

__all__ = ["ExportMismatchError", "export_saved_model"]
