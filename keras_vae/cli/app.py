"""The commands. TensorFlow is imported only after parsing a command that needs it."""

import dataclasses
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, ArgumentCollection, CycloptsError, Group, Parameter, Token

from keras_vae import __version__
from keras_vae.cli.checks import check_demo, check_evaluate, check_explore, check_images, check_model, check_train
from keras_vae.cli.errors import UsageError, in_flags, one_line
from keras_vae.cli.options import Bundle, Demo, Evaluate, Explore, Export, Generate, Images, Train
from keras_vae.models.catalog import CATALOG
from keras_vae.training.run_config import RunConfig
from keras_vae.utils.arguments import known_name
from keras_vae.utils.files import version_path
from keras_vae.utils.flag_types import flag_names

# Errors that a user can fix: one line, no traceback.
_PLAIN_ERRORS = (ValueError, OSError)

_FLAGS = Parameter(name="*")
_Model = Annotated[str, Parameter(help="A run directory (uses its model.keras) or a .keras file.")]

app = App(
    name="keras-vae",
    help="Train, measure, export and serve variational autoencoders.",
    help_epilogue="First run: keras-vae demo. Then: keras-vae train --help",
    help_format="markdown",
    version=f"keras-vae {__version__}",
    default_parameter=Parameter(negative="", allow_repeating=True),  # the last one takes effect
    group_parameters=Group("Options", sort_key=5),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 for success, 1 for an error, 2 for a usage error, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["serve"]:
        return serve(*words[1:])
    name = " ".join(["keras-vae", *(word for word in words[:1] if word in app)])
    try:
        _check_command(words)
        app(words)
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except (CycloptsError, UsageError) as error:
        text = one_line(error) if isinstance(error, CycloptsError) else str(error)
        print(
            f"{name}: error: {text.rstrip('.')}{'' if text.endswith('?') else '.'} See {name} --help", file=sys.stderr
        )
        return 2
    except _PLAIN_ERRORS as error:
        print(f"{name}: error: {in_flags(str(error), _ARGUMENTS)}", file=sys.stderr)
        return 1
    return 0


# Errors of the library contain Python arguments.
_ARGUMENTS = {**flag_names(RunConfig), "data_dir": "--data-dir", "split": "--split"}


def _check_command(words: Sequence[str]) -> None:
    names = [name for name in app if not name.startswith("-")]
    if not words:
        raise UsageError(f"expected a command, one of {', '.join(names)}, received none")
    if not words[0].startswith("-"):
        try:
            known_name(words[0], names, "command")
        except ValueError as error:
            raise UsageError(error) from None


def _run(module: str, *arguments: Any, name: str = "run") -> None:
    _import_tensorflow()
    getattr(importlib.import_module(f"keras_vae.cli.{module}"), name)(*arguments)


def _settings_of_run(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take the settings of an existing run for which no flag is given: cyclopts calls it after reading the flags."""
    by_flag = {name: argument for argument in arguments for name in argument.names}
    given = by_flag["--run"].tokens
    path = Path(given[-1].value) / "config.json" if given else None
    if path is None or not path.is_file():
        return
    stored = dataclasses.asdict(RunConfig.read(path))
    for setting, flag in flag_names(RunConfig).items():
        if by_flag[flag].tokens or stored[setting] is None:
            continue
        values = stored[setting] if isinstance(stored[setting], tuple) else (stored[setting],)
        for index, value in enumerate(values):
            by_flag[flag].append(Token(keyword=flag, value=str(value), source=str(path), index=index))


@app.command(help_epilogue="Example: keras-vae demo", sort_key=0)
def demo(options: Annotated[Demo, _FLAGS] = Demo()) -> None:
    """Train, evaluate, export, serve and generate on real digits."""
    check_demo(options.out)
    _run("demo", options)


@app.command(
    help_epilogue="Example: keras-vae train --run runs/first --epochs 20", sort_key=1, config=[_settings_of_run]
)
def train(options: Annotated[Train, _FLAGS]) -> None:
    """Train a model into a run directory, or continue a run, which keeps its settings."""
    check_train(options)
    _run("train", options)


@app.command(help_epilogue="Example: keras-vae models", sort_key=2)
def models() -> None:
    """List the ready-made models with their papers."""
    width = max(map(len, CATALOG))
    for name, (paper, sentence) in CATALOG.items():
        print(f"{name:{width}}  {sentence} ({paper})")
    print("\nnext: keras-vae train --model iwae --run runs/iwae")


@app.command(help_epilogue="Example: keras-vae evaluate runs/first --num-samples 5000", sort_key=3)
def evaluate(model: _Model, /, options: Annotated[Evaluate, _FLAGS] = Evaluate()) -> None:
    """Report bound and log-likelihood, in nats per example, or, with --report, most measures on one page."""
    check_evaluate(model, options)
    _run("evaluate", model, options)


@app.command(help_epilogue="Example: keras-vae sample runs/first --n 64 --seed 0", sort_key=4)
def sample(model: _Model, /, options: Annotated[Images, _FLAGS] = Images()) -> None:
    """Generate images with a model on disk."""
    check_images(options)
    check_model(model)
    _run("images", model, options, name="sample")


@app.command(help_epilogue="Example: keras-vae export runs/first models/digits/1", sort_key=5)
def export(
    model: _Model,
    to: Annotated[str, Parameter(help="Base path and version, such as models/digits/1.")],
    /,
    options: Annotated[Export, _FLAGS] = Export(),
) -> None:
    """Write a SavedModel for TensorFlow Serving."""
    try:
        version_path(to)
    except ValueError as error:
        raise UsageError(error) from None
    check_model(model)
    _run("stored_models", model, to, options, name="export")


@app.command(help_epilogue="Example: keras-vae bundle models/digits --to bundles/digits", sort_key=6)
def bundle(
    base_path: Annotated[str, Parameter(help="Base path of the export, such as models/digits.")],
    /,
    options: Annotated[Bundle, _FLAGS],
) -> None:
    """Write the files to deploy an export: TensorFlow Serving in Docker, on Kubernetes or on KServe."""
    _run("stored_models", base_path, options, name="bundle")


@app.command(help_flags=[], version_flags=[], sort_key=7)
def serve(*flags: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Serve an export over gRPC on this machine."""
    # The server parses the flags, which are those of TensorFlow Serving.
    return importlib.import_module("serving.main").main(flags, prog="keras-vae serve")


@app.command(help_epilogue="Example: keras-vae explore runs/first", sort_key=9)
def explore(
    target: Annotated[str, Parameter(help="A run directory, a .keras file, an export, or HOST:PORT of a server.")],
    /,
    options: Annotated[Explore, _FLAGS] = Explore(),
) -> None:
    """Serve a page to explore the latents in a browser: sliders, a map, interpolation, your own images."""
    check_explore(target, options)
    _run("explore", target, options)


@app.command(
    help_epilogue="Example: keras-vae generate --server 127.0.0.1:8500 --model digits --n 64 --out samples.png",
    sort_key=8,
)
def generate(options: Annotated[Generate, _FLAGS]) -> None:
    """Generate images over gRPC with a running server: keras-vae serve or TensorFlow Serving."""
    check_images(options.images)
    _run("images", options, name="generate")


def _import_tensorflow() -> None:
    """Import TensorFlow and list its devices without the log messages of its C++ code.

    TensorFlow 2.21 logs a dozen lines about oneDNN and missing GPUs before any log level applies. They are printed if
    the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as noise:
        terminal = os.dup(2)
        os.dup2(noise.fileno(), 2)
        try:
            importlib.import_module("tensorflow").config.list_physical_devices()
        except BaseException:
            noise.seek(0)
            os.write(terminal, noise.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
