"""A run directory: everything one training leaves behind, and what it needs to go on."""

import contextlib
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
from keras_vae.models.catalog import CONDITIONAL
from keras_vae.training.callbacks import Pictures, Progress, clear_log_errors
from keras_vae.training.checkpoint import Checkpoint, HistoryFile, checkpoints, restore
from keras_vae.training.monitor import Monitor
from keras_vae.training.run_config import RunConfig
from keras_vae.training.strategy import agree, fingerprints, is_chief, loss_told, wait_for_all
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.files import make_folder, sweep, whole
from keras_vae.utils.imports import import_object, is_import_path
from keras_vae.utils.model_file import load_model

# Test examples that are watched while a model trains, and how many of them are drawn.
_HELD, _SHOWN = 500, 16


class Run:
    """A directory with `config.json`, `model.keras`, `history.json`, `checkpoints/` and `logs/`.

    Args:
        directory: The run's; it need not exist yet.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.config_path = self.directory / "config.json"
        self.model_path = self.directory / "model.keras"
        self.history_path = self.directory / "history.json"
        self.checkpoint_dir = self.directory / "checkpoints"
        self.log_dir = self.directory / "logs"
        self.lock_path = self.directory / ".lock"  # stays when the run has ended; a lock on it does not

    def train(
        self,
        config: RunConfig,
        epochs: int,
        data_dir: str | None = None,
        strategy: tf.distribute.Strategy | None = None,
    ) -> Any:
        """Train for `epochs` epochs in all, going on from the last finished one.

        Each batch and all noise are functions of the seed and the step, so a run that was interrupted sees
        what an undisturbed one sees; Keras's global seed is set. With `config.deterministic` it ends with the same
        bits, on one device; TensorFlow's op determinism then stays on for the whole process. An interrupt (Ctrl-C)
        leaves a usable model in `model.keras`.

        Args:
            config: The settings.
            epochs: Epochs in all, those of an earlier start included.
            data_dir: Where TensorFlow Datasets keeps its data.
            strategy: Where to train, as `keras_vae.training.strategy.make` makes it; by default the one in whose
                scope this is called. Of several workers all call this, with a directory that all share, and the
                first of them alone writes.

        Returns:
            The trained `keras_vae.VAE`.

        Raises:
            ValueError: If the directory holds a run with other settings or is in use, data or settings are
                refused, or the loss stops being finite.
            OSError: If something cannot be written; the last checkpoint is kept.
            WorkerLostError: If another worker ended or cannot be reached.
        """
        positive_integer(epochs, "epochs")
        make_folder(self.directory)
        strategy = tf.distribute.get_strategy() if strategy is None else strategy
        chief = is_chief(strategy)
        with self._alone() if chief else contextlib.nullcontext(), loss_told(strategy, self._resumes):
            self._refuse_other_settings(config)
            keras.utils.set_random_seed(config.seed)
            if config.deterministic:
                tf.config.experimental.enable_op_determinism()
            examples, pipeline = _data(config, data_dir)
            self._agree(strategy, config, epochs, examples)
            with strategy.scope():
                restored = restore(self.checkpoint_dir)
                model, epoch = restored if restored else (_new_model(config, examples["train"]), 0)
            if epoch and chief:
                resuming, done = f"Resuming after epoch {epoch} of {epochs}", f"Trained already, for {epoch} epochs"
                state = resuming if epoch < epochs else f"{done}; {epochs} were asked for"
                print(f"{self.directory}: {state}", file=sys.stderr)
            batches, steps = data.epochs(examples["train"], "train", start_epoch=epoch, **pipeline)
            test = data.load(examples["test"], "test", **pipeline)
            if chief:
                config.write(self.config_path)  # only now: a command with a mistake in it must not fix the settings
            if epoch < epochs:
                self._fit(model, batches, steps, epoch, epochs, test, chief)
            if chief:
                model.save(self.model_path)
            wait_for_all(strategy)  # the chief's end would look like a loss to the others
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
                verbose=0,  # Progress shows it better
                callbacks=self._callbacks(epoch, x, y, chief),
            )

    def load_model(self) -> Any:
        """Load `model.keras`.

        Raises:
            FileNotFoundError: If no epoch has been finished yet.
            ValueError: If the file is damaged.
        """
        if not self.model_path.exists():
            raise FileNotFoundError(
                f"{self.directory} holds no model.keras; train first: keras-vae train --run {self.directory}"
            )
        return load_model(self.model_path, cure="The run's train command writes it anew from the last checkpoint")

    def _refuse_other_settings(self, config: RunConfig) -> None:
        if self.config_path.exists():
            changed = RunConfig.read(self.config_path).differences(config)
            if changed:
                raise ValueError(
                    f"{self.directory} holds a run with other settings ({'; '.join(changed)}). Use the same "
                    "settings to continue it, or another run directory"
                )

    def _callbacks(self, epoch: int, x: np.ndarray, y: np.ndarray | None, chief: bool) -> list[Any]:
        # Those that evaluate the model need all workers.
        everywhere = [Monitor(x, self.log_dir / "latents" if chief else None, condition=y)]
        if not chief:
            return everywhere
        shown = x[:_SHOWN], None if y is None else y[:_SHOWN]
        return [
            *everywhere,  # first: what Monitor finds goes into the history
            HistoryFile(self.history_path, epoch),
            keras.callbacks.TensorBoard(self.log_dir, write_graph=False),
            *([Pictures(self.log_dir / "pictures", *shown)] if x.ndim == 4 else []),
            Checkpoint(self.checkpoint_dir),
            Progress(),  # last: an epoch that it has shown is safe
        ]

    def _agree(self, strategy: Any, config: RunConfig, epochs: int, examples: dict[str, data.Examples]) -> None:
        """Refuse workers that were told, or that see, different things; before the model is made by all together."""
        facts = {
            "settings": repr(config),
            "numbers of epochs": str(epochs),
            "numbers of examples": ", ".join(f"{split} {len(part.images)}" for split, part in examples.items()),
            "checkpoints": fingerprints(checkpoints(self.checkpoint_dir)),
        }
        agree(strategy, facts, "Give all the same command, and --run on a file system that all share")

    def _resumes(self) -> str:
        newest = checkpoints(self.checkpoint_dir)
        return f"from epoch {int(newest[0].stem.removeprefix('epoch-')) + 1}" if newest else "from the beginning"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # Held by flock, so it ends with the process that holds it, however that ends.
        lock = FileLock(self.lock_path, blocking=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(
                f"{self.directory} is in use by another process. Wait for it to end, or use another run directory"
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


def _data(config: RunConfig, data_dir: str | None) -> tuple[dict[str, data.Examples], dict[str, Any]]:
    """Return the examples by split, and the settings of the pipeline."""
    examples = {
        split: data.read(config.data, split, image_size=config.image_size, data_dir=data_dir)
        for split in ("train", "test")
    }
    conditional = config.model in CONDITIONAL
    labels = examples["train"].labels
    if conditional and labels is not None and labels.ndim != 1:
        raise ValueError(
            f"{config.model} is conditional on one label for each image; received {labels.shape[1]} factors for each "
            f"from {config.data!r}. Choose a set with one label, or a model without a condition"
        )
    settings = {name: getattr(config, name) for name in ("batch_size", "preprocess", "seed")}
    return examples, {**settings, "likelihood": _part(config.likelihood), "with_labels": conditional}


def _part(name: str | None) -> Any:
    """Return what `package.module:Name` names, and any other name as it is."""
    return import_object(name) if name is not None and is_import_path(name) else name


def _new_model(config: RunConfig, examples: data.Examples) -> Any:
    gray = examples.images / np.float32(255) if examples.images.dtype == np.uint8 else examples.images
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        settings: dict[str, Any] = {
            "latent_size": config.latent_size,
            "likelihood": _part(config.likelihood),
            "network": config.network,
            "hidden": config.hidden,
            "scale": config.scale,
            "seed": config.seed,
        }
        if config.prior is not None:
            settings["prior"] = _part(config.prior)(config.latent_size)
        if config.objective is not None:
            model = models.vae(examples.images.shape[1:], objective=_part(config.objective)(), **settings)
        else:
            model = models.make(
                config.model,
                examples.images.shape[1:],
                num_samples=config.num_samples,
                classes=None if examples.labels is None else int(examples.labels.max()) + 1,
                examples=gray,
                **settings,
            )
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    return model
