"""`keras-vae train`."""

import inspect
import sys
from typing import Any

from keras_vae.cli.errors import UsageError
from keras_vae.cli.options import Train
from keras_vae.families import Family
from keras_vae.training import Run, RunConfig, read_history, strategy
from keras_vae.training.cluster import Cluster
from keras_vae.utils.arguments import counted
from keras_vae.utils.imports import import_object, is_import_path


def run(options: Train) -> None:
    """Train, and print the result."""
    _check_own_parts(options.config)
    directory = Run(options.run)
    devices = _strategy(options)
    try:
        directory.train(options.config, options.epochs, options.data_dir, devices)
    except KeyboardInterrupt:
        if directory.model_path.exists():
            print(f"\nStopped. {directory.model_path} is usable. Repeat the command to resume.", file=sys.stderr)
        raise
    if not strategy.is_chief(devices):
        return
    history = read_history(directory.history_path)
    if history:
        last = history[-1]
        figure = f"test bound {last['val_bound']:.2f} nats per example after {counted(int(last['epoch']), 'epoch')}"
        print(f"{directory.model_path}: {figure}")
    print(f"next: keras-vae evaluate {directory.directory}")


def _check_own_parts(config: RunConfig) -> None:
    own = {"--likelihood": config.likelihood, "--prior": config.prior, "--objective": config.objective}
    for flag, text in own.items():
        if text is None or not is_import_path(text):
            continue
        try:
            found = import_object(text)
        except ValueError as error:
            raise UsageError(f"{flag}: {error}") from error
        if not (inspect.isclass(found) or inspect.isfunction(found) or isinstance(found, Family)):
            raise UsageError(f"{flag}: expected a class or a function, received {text}, which is {found!r}")


def _strategy(options: Train) -> Any:
    cluster = None
    if options.workers is not None and options.worker_index is not None:
        cluster = Cluster.from_text(options.workers, options.worker_index)
    return strategy.make(options.strategy, cluster=cluster, tpu=options.tpu)
