"""Wrong calls that are found before TensorFlow is imported, and before any work is done."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from keras_vae.cli.errors import UsageError
from keras_vae.cli.options import Evaluate, Explore, Images, Train

# In a folder of `keras-vae demo`, which the next demo may replace.
DEMO_MARKER = ".keras-vae-demo"


def check_train(options: Train) -> None:
    """Check flags of `keras-vae train` that exclude or need each other.

    Raises:
        UsageError: If they do not go together.
    """
    config = options.config
    if config.objective is not None and config.model != "vae":
        raise UsageError(f"--objective: expected --model vae, received --model {config.model}")
    if config.objective is not None and config.num_samples is not None:
        raise UsageError(f"--samples: expected none with --objective, received {config.num_samples}")
    if (options.workers is None) != (options.worker_index is None):
        given, missing = ("--workers", "--worker-index") if options.workers else ("--worker-index", "--workers")
        raise UsageError(
            f"--workers and --worker-index: expected both or neither, received {given} without {missing}. Pass "
            "both, or set TF_CONFIG"
        )
    if options.workers is not None and options.strategy not in ("auto", "multi-worker"):
        raise UsageError(f"--workers: expected --strategy multi-worker, received --strategy {options.strategy}")
    if options.tpu is not None and options.strategy not in ("auto", "tpu"):
        raise UsageError(f"--tpu: expected --strategy tpu, received --strategy {options.strategy}")


def check_evaluate(model: str, options: Evaluate) -> None:
    """Check the paths of `keras-vae evaluate`.

    Raises:
        UsageError: If a file cannot be written.
        FileNotFoundError: If there is no such model.
    """
    if options.report is not None:
        _check_file("--report", options.report, (".html",))
    if options.json is not None:
        _check_file("--json", options.json)
    check_model(model)


def check_images(options: Images) -> None:
    """Check the path of `keras-vae sample` and `keras-vae generate`.

    Raises:
        UsageError: If the file cannot be written.
    """
    _check_file("--out", options.out, (".png", ".npy"))


def check_model(path: str) -> None:
    """Check that there is a file or a directory.

    Raises:
        FileNotFoundError: If not.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: expected a run directory or a .keras file, received none. Check the path.")


def check_explore(target: str, options: Explore) -> None:
    """Check what `keras-vae explore` is to show.

    Raises:
        UsageError: If --model is missing for a server, or given for anything else.
        FileNotFoundError: If there is no such file or directory.
    """
    exists, address = Path(target).exists(), re.fullmatch(r"[^/\\]+:\d{1,5}", target) is not None
    if not exists and not address:
        raise FileNotFoundError(
            f"{target}: expected a run directory, a .keras file, an export or HOST:PORT, received none. Check the path."
        )
    if exists and options.model is not None:
        raise UsageError(f"--model: expected none for a path, received {options.model}")
    if not exists and options.model is None:
        raise UsageError(f"--model: expected the name of the model that {target} serves, received none")


def check_demo(out: str) -> None:
    """Check that the folder of a demo can be replaced.

    Raises:
        UsageError: If the folder contains other files.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out: expected a folder, received the file {out}")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DEMO_MARKER).exists():
        raise UsageError(
            f"--out: expected a new or empty folder, or one of an earlier demo, received {out} with other files"
        )


def _check_file(flag: str, path: str, suffixes: Sequence[str] = ()) -> None:
    """Check that a file can be written, by writing another one next to it."""
    if suffixes and Path(path).suffix not in suffixes:
        raise UsageError(f"{flag}: expected a name that ends in {' or '.join(suffixes)}, received {path}")
    folder = Path(path).parent
    if not folder.is_dir():
        raise UsageError(f"{flag}: expected an existing folder, received {path}. Create {folder} first")
    if Path(path).is_dir():
        raise UsageError(f"{flag}: expected the name of a file, received the folder {path}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"{flag}: expected a folder that can be written to, received {folder} ({error.strerror}). Use another "
            "folder"
        ) from error
