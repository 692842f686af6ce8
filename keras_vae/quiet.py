"""Importing TensorFlow without its start-up chatter, for the command line."""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow and look for devices, keeping what C++ prints on the way off the terminal.

    TensorFlow 2.21 logs a dozen lines about oneDNN and missing GPUs before any log level applies. If the import
    fails, all of it is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as noise:
        terminal = os.dup(2)
        os.dup2(noise.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            noise.seek(0)
            os.write(terminal, noise.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
