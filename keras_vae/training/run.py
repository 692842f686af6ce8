"""Run directories: everything that a training run writes and needs to resume."""

import contextlib
import inspect
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from filelock import FileLock, Timeout

from keras_vae import data, models
from keras_vae.families import Family, Standardized
from keras_vae.families.registry import as_likelihood
from keras_vae.models.catalog import CONDITIONAL
from keras_vae.objectives import Objective
from keras_vae.priors import Prior
from keras_vae.training.callbacks import Pictures, Progress, clear_log_errors
from keras_vae.training.checkpoint import Checkpoint, HistoryFile, checkpoints, restore
from keras_vae.training.monitor import Monitor
from keras_vae.training.run_config import RunConfig
from keras_vae.training.strategy import agree, fingerprints, is_chief, lost_worker_errors, wait_for_all
from keras_vae.utils.arguments import counted, positive_integer, seed_number
from keras_vae.utils.files import make_folder, sweep, whole
from keras_vae.utils.imports import import_object, is_import_path
from keras_vae.utils.model_file import load_model

# Numbers of test examples that are monitored during training, and that are plotted.
_HELD, _SHOWN = 500, 16


class Run:
    """A directory with `config.json`, `model.keras`, `history.json`, `checkpoints/` and `logs/`.

    Args:
        directory: The directory of the run, which is created by `train`.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.config_path = self.directory / "config.json"
        self.model_path = self.directory / "model.keras"
        self.history_path = self.directory / "history.json"
        self.checkpoint_dir = self.directory / "checkpoints"
        self.log_dir = self.directory / "logs"
        self.lock_path = self.directory / ".lock"  # the file remains after the run, but not the lock

    def train(
        self,
        config: RunConfig,
        epochs: int,
        data_dir: str | None = None,
        strategy: tf.distribute.Strategy | None = None,
    ) -> Any:
        """Train for `epochs` epochs in total, continuing after the last finished one.

        All batches and noise are functions of the seed and the step, so a resumed run uses the same data and noise as
        an uninterrupted one. This sets the global seed of Keras. With `config.deterministic`, results on one device are
        reproducible bit for bit; TensorFlow's op determinism then remains enabled for the whole process. After an
        interrupt (Ctrl-C), `model.keras` is a usable model.

        Args:
            config: The settings.
            epochs: Total number of epochs, including those of earlier calls.
            data_dir: Folder of TensorFlow Datasets.
            strategy: A strategy from `keras_vae.training.strategy.make`. Defaults to that of the current scope. With
                several workers, all of them call this with a shared directory, and only the first one writes.

        Returns:
            The trained `keras_vae.VAE`.

        Raises:
            ValueError: If the directory contains a run with other settings or is in use, data or settings are invalid,
                or the loss is not finite.
            OSError: If a file cannot be written. The last checkpoint is kept.
            WorkerLostError: If another worker has ended or cannot be reached.
        """
        positive_integer(epochs, "Run.train: epochs")
        seed_number(config.seed, "RunConfig")
        make_folder(self.directory)
        strategy = tf.distribute.get_strategy() if strategy is None else strategy
        chief = is_chief(strategy)
        with self._alone() if chief else contextlib.nullcontext(), lost_worker_errors(strategy, self._resumes):
            self._refuse_other_settings(config)
            keras.utils.set_random_seed(config.seed)
            if config.deterministic:
                tf.config.experimental.enable_op_determinism()
            parts = _own_parts(config)
            examples, pipeline = _data(config, parts["likelihood"], data_dir)
            self._agree(strategy, config, epochs, examples)
            with strategy.scope():
                restored = restore(self.checkpoint_dir)
                model, epoch = restored or (_new_model(config, {**parts, **pipeline}, examples["train"]), 0)
            if epoch and chief:
                resuming, done = (
                    f"Resuming after epoch {epoch} of {epochs}",
                    f"Trained already, for {counted(epoch, 'epoch')}",
                )
                state = resuming if epoch < epochs else f"{done}; {epochs} were requested"
                print(f"{self.directory}: {state}", file=sys.stderr)
            batches, steps = data.epochs(examples["train"], "train", start_epoch=epoch, **pipeline)
            test = data.load(examples["test"], "test", **pipeline)
            if chief:
                config.write(
                    self.config_path
                )  # only now, so that an invalid command does not set the settings of the run
            if epoch < epochs:
                self._fit(model, batches, steps, epoch, epochs, test, chief)
            if chief:
                model.save(self.model_path)
            wait_for_all(strategy)  # otherwise other workers would report the chief as lost
        return model

    def _fit(self, model: Any, batches: Any, steps: int, epoch: int, epochs: int, test: Any, chief: bool) -> None:
        held = next(test.unbatch().batch(_HELD).as_numpy_iterator())
        x, y = held if isinstance(held, tuple) else (held, None)
        with self._usable_model(model) if chief else contextlib.nullcontext(), clear_log_errors(self.log_dir):
            model.fit(
                batches,
                steps_per_epoch=steps,
                initial_epoch=epoch,
                epochs=epochs,
                validation_data=test,
                verbose=0,  # Progress reports instead
                callbacks=self._callbacks(epoch, x, y, chief),
            )

    def load_model(self) -> Any:
        """Load `model.keras`.

        Raises:
            FileNotFoundError: If no epoch has finished yet.
            ValueError: If the file is damaged.
        """
        if not self.model_path.exists():
            raise FileNotFoundError(
                f"{self.directory}: expected a run with model.keras, received none. Run keras-vae train --run "
                f"{self.directory} first."
            )
        if self.config_path.exists():
            _own_parts(RunConfig.read(self.config_path))
        return load_model(self.model_path, advice="Run keras-vae train again to rewrite the file.")

    def _refuse_other_settings(self, config: RunConfig) -> None:
        if self.config_path.exists():
            changed = RunConfig.read(self.config_path).differences(config)
            if changed:
                raise ValueError(
                    f"{self.directory}: expected the settings of this run, received others ({'; '.join(changed)}). Use "
                    "the same settings to continue it (on the command line, leave the flags out), or another run "
                    "directory."
                )

    def _callbacks(self, epoch: int, x: np.ndarray, y: np.ndarray | None, chief: bool) -> list[Any]:
        # Callbacks that evaluate the model run on all workers.
        everywhere = [Monitor(x, self.log_dir / "latents" if chief else None, condition=y)]
        if not chief:
            return everywhere
        condition = None if y is None else y[:_SHOWN]
        return [
            *everywhere,  # first, so that the history includes its values
            HistoryFile(self.history_path, epoch),
            keras.callbacks.TensorBoard(self.log_dir, write_graph=False),
            *([Pictures(self.log_dir / "pictures", x[:_SHOWN], condition=condition)] if x.ndim == 4 else []),
            Checkpoint(self.checkpoint_dir),
            Progress(),  # last: reports an epoch after it is saved
        ]

    def _agree(self, strategy: Any, config: RunConfig, epochs: int, examples: dict[str, data.Examples]) -> None:
        """Raise an error if workers have different settings or files, before they build the model."""
        facts = {
            "settings": repr(config),
            "numbers of epochs": str(epochs),
            "numbers of examples": ", ".join(f"{split} {len(part.images)}" for split, part in examples.items()),
            "checkpoints": fingerprints(checkpoints(self.checkpoint_dir)),
        }
        agree(strategy, facts, "Use the same command on all workers, with --run on a shared file system.")

    def _resumes(self) -> str:
        newest = checkpoints(self.checkpoint_dir)
        return f"from epoch {int(newest[0].stem.removeprefix('epoch-')) + 1}" if newest else "from the beginning"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # flock releases it when the process ends, for any reason.
        lock = FileLock(self.lock_path, blocking=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(
                f"{self.directory}: expected a run directory that is not in use, received one that another process "
                "uses. Wait for it to end, or use another run directory."
            ) from None
        try:
            sweep(self.directory)
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _usable_model(self, model: Any) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            newest = checkpoints(self.checkpoint_dir)
            if newest:
                with whole(self.model_path) as unfinished:
                    shutil.copyfile(newest[0], unfinished)
            else:
                model.save(self.model_path)
            raise


def _own_parts(config: RunConfig) -> dict[str, Any]:
    """Return likelihood, prior and objective; user-defined ones are imported, so that Keras can load them."""
    found = {name: getattr(config, name) for name in ("likelihood", "prior", "objective")}
    return {name: import_object(v) if v is not None and is_import_path(v) else v for name, v in found.items()}


def _made(name: str, path: str | None, factory: Any, kind: type, *args: Any) -> Any:
    """Return what a user's class or function makes.

    Raises:
        ValueError: If it fails, or makes something else.
    """
    call = f"{path}({', '.join(map(repr, args))})"
    expected = f"{name}: expected {call} to return a keras_vae {kind.__name__}, received"
    try:
        found = factory(*args)
    except Exception as error:  # the user's code may raise anything
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{expected} {cause}. Check its arguments.") from error
    if not isinstance(found, kind):
        raise ValueError(f"{expected} {found!r:.80}. Return a {kind.__name__}.")
    return found


def _data(config: RunConfig, likelihood: Any, data_dir: str | None) -> tuple[dict[str, data.Examples], dict[str, Any]]:
    """Return the examples by split, and the settings of the input pipeline."""
    examples = {
        split: data.read(config.data, split, image_size=config.image_size, data_dir=data_dir)
        for split in ("train", "test")
    }
    conditional = config.model in CONDITIONAL
    labels = examples["train"].labels
    if conditional and labels is not None and labels.ndim != 1:
        raise ValueError(
            f"model {config.model!r}: expected one label per image, received {labels.shape[1]} factors per image from "
            f"{config.data!r}. Use data with one label per image, or an unconditional model."
        )
    settings = {name: getattr(config, name) for name in ("batch_size", "preprocess", "seed")}
    if inspect.isfunction(likelihood):
        likelihood = _made("likelihood", config.likelihood, likelihood, Family, examples["train"].images.shape[1:])
    elif inspect.isclass(likelihood) and not issubclass(likelihood, Family):
        raise ValueError(
            f"likelihood: expected a class derived from keras_vae.families.Family, received {config.likelihood}, which "
            f"is {likelihood!r}. Derive it from Family."
        )
    return examples, {**settings, "likelihood": likelihood, "with_labels": conditional}


def _new_model(config: RunConfig, parts: dict[str, Any], examples: data.Examples) -> Any:
    conditional = config.model in CONDITIONAL
    values = examples.images / np.float32(255) if examples.images.dtype == np.uint8 else examples.images
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        likelihood = parts["likelihood"]
        if config.standardize:
            family = as_likelihood(likelihood, examples.images.shape[1:], scale=config.scale)
            likelihood = Standardized(family).adapt(values)
        settings: dict[str, Any] = {
            "latent_size": config.latent_size,
            "likelihood": likelihood,
            "network": config.network,
            "hidden": config.hidden,
            "scale": None if config.standardize else config.scale,
            "seed": config.seed,
        }
        if config.prior is not None:
            settings["prior"] = _made("prior", config.prior, parts["prior"], Prior, config.latent_size)
        if config.objective is not None:
            objective = _made("objective", config.objective, parts["objective"], Objective)
            model = models.vae(examples.images.shape[1:], objective=objective, **settings)
        else:
            model = models.make(
                config.model,
                examples.images.shape[1:],
                num_samples=config.num_samples,
                classes=int(examples.labels.max()) + 1 if conditional and examples.labels is not None else None,
                examples=values,
                **settings,
            )
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    return model
