"""SavedModels with named signatures, warm-up requests and atomic version directories."""

from keras_vae.export.saved_model import export_saved_model
from keras_vae.export.verify import ExportMismatchError

__all__ = ["ExportMismatchError", "export_saved_model"]
