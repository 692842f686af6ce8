"""The backend of Keras, read without importing Keras, which fails on a backend that is not installed."""

import json
import os
import sys
from pathlib import Path


def require_tensorflow() -> None:
    """Check that Keras uses TensorFlow, or will.

    Raises:
        ImportError: If it uses another backend, or the environment or Keras's settings file choose one.

    Example:
        >>> require_tensorflow()
    """
    imported = sys.modules.get("keras")
    if imported is not None and hasattr(imported, "backend"):
        found, advice = imported.backend.backend(), "Set KERAS_BACKEND=tensorflow before Keras is imported."
        received = repr(found)
    elif os.environ.get("KERAS_BACKEND"):
        found = os.environ["KERAS_BACKEND"]
        received, advice = f"KERAS_BACKEND={found}", "Set KERAS_BACKEND=tensorflow, or unset it."
    else:
        file = _settings_file()
        found = _backend_in(file)
        received, advice = f"{found!r} in {file}", "Set KERAS_BACKEND=tensorflow, or change the file."
    if found != "tensorflow":
        raise ImportError(f"keras_vae: expected the Keras backend 'tensorflow', received {received}. {advice}")


def _settings_file() -> Path:
    """Return where Keras looks for its settings."""
    if "KERAS_HOME" in os.environ:
        return Path(os.environ["KERAS_HOME"]).expanduser() / "keras.json"
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras" / "keras.json"


def _backend_in(file: Path) -> str:
    try:
        settings = json.loads(file.read_text())
    except (OSError, ValueError):  # Keras ignores such a file
        return "tensorflow"
    return settings.get("backend", "tensorflow") if isinstance(settings, dict) else "tensorflow"
