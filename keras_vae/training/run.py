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

from keras_vae import data, models
from keras_vae.catalogue import CONDITIONAL
from keras_vae.checks import positive_integer
from keras_vae.files import UNFINISHED, whole
from keras_vae.locks import locked
from keras_vae.training.checkpoint import Checkpoint, checkpoints, restore
from keras_vae.training.history_file import HistoryFile
from keras_vae.training.monitor import Monitor
from keras_vae.training.pictures import Pictures
from keras_vae.training.progress import Progress
from keras_vae.training.run_config import RunConfig
from keras_vae.training.stop_on_nan import StopOnNaN

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

    def train(self, config: RunConfig, epochs: int, data_dir: str | None = None) -> Any:
        """Train for `epochs` epochs in all, going on from the last finished one.

        Each batch and all noise are functions of the seed and the step, so a run that was interrupted sees
        what an undisturbed one sees; Keras's global seed is set. An interrupt (Ctrl-C) leaves a usable
        model in `model.keras`.

        Args:
            config: The settings.
            epochs: Epochs in all, those of an earlier start included.
            data_dir: Where TensorFlow Datasets keeps its data.

        Returns:
            The trained `keras_vae.VAE`.

        Raises:
            ValueError: If the directory holds a run with other settings or is in use, data or settings are
                refused, or the loss stops being finite.
        """
        positive_integer(epochs, "epochs")
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._refuse_other_settings(config)
            keras.utils.set_random_seed(config.seed)
            examples, pipeline = _data(config, data_dir)
            restored = restore(self.checkpoint_dir)
            model, epoch = restored if restored else (_new_model(config, examples["train"]), 0)
            if epoch:
                state = f"Resuming after epoch {epoch} of" if epoch < epochs else f"Trained already: {epoch} epochs of"
                print(f"{self.directory}: {state} {epochs}", file=sys.stderr)
            batches, steps = data.epochs(examples["train"], "train", start_epoch=epoch, **pipeline)
            test = data.load(examples["test"], "test", **pipeline)
            config.write(self.config_path)  # only now: a command with a mistake in it must not fix the settings
            if epoch < epochs:
                self._fit(model, batches, steps, epoch, epochs, test)
            model.save(self.model_path)
        return model

    def _fit(self, model: Any, batches: Any, steps: int, epoch: int, epochs: int, test: Any) -> None:
        held = next(test.unbatch().batch(_HELD).as_numpy_iterator())
        x, y = held if isinstance(held, tuple) else (held, None)
        with self._usable_model(model):
            model.fit(
                batches,
                steps_per_epoch=steps,
                initial_epoch=epoch,
                epochs=epochs,
                validation_data=test,
                verbose=0,  # Progress shows it better
                callbacks=self._callbacks(epoch, x, y),
            )

    def load_model(self) -> Any:
        """Load `model.keras`.

        Raises:
            FileNotFoundError: If no epoch has been finished yet.
        """
        if not self.model_path.exists():
            raise FileNotFoundError(
                f"{self.directory} holds no model.keras; train first: keras-vae train --run {self.directory}"
            )
        return keras.saving.load_model(self.model_path)

    def _refuse_other_settings(self, config: RunConfig) -> None:
        if self.config_path.exists():
            changed = RunConfig.read(self.config_path).differences(config)
            if changed:
                raise ValueError(
                    f"{self.directory} holds a run with other settings ({'; '.join(changed)}). Give the same "
                    "settings to continue it, or another --run"
                )

    def _callbacks(self, epoch: int, x: np.ndarray, y: np.ndarray | None) -> list[keras.callbacks.Callback]:
        shown = x[:_SHOWN], None if y is None else y[:_SHOWN]
        return [
            StopOnNaN(),
            Monitor(x, self.log_dir / "latents", condition=y),  # first: what it finds goes into the history
            HistoryFile(self.history_path, epoch),
            keras.callbacks.TensorBoard(self.log_dir, write_graph=False),
            *([Pictures(self.log_dir / "pictures", *shown)] if x.ndim == 4 else []),
            Checkpoint(self.checkpoint_dir),
            Progress(),  # last: an epoch that it has shown is safe
        ]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with locked(self.directory) as mine:
            if not mine:
                raise ValueError(f"another process is training in {self.directory}; wait for it, or give another --run")
            for left in self.directory.rglob(f".*{UNFINISHED}*"):
                left.unlink()
            yield

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
    names = ("batch_size", "likelihood", "preprocess", "seed")
    settings = {name: getattr(config, name) for name in names}
    return examples, {**settings, "with_labels": config.model in CONDITIONAL}


def _new_model(config: RunConfig, examples: data.Examples) -> Any:
    grey = examples.images / np.float32(255) if examples.images.dtype == np.uint8 else examples.images
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        model = models.make(
            config.model,
            examples.images.shape[1:],
            latent_size=config.latent_size,
            likelihood=config.likelihood,
            network=config.network,
            hidden=config.hidden,
            scale=config.scale,
            num_samples=config.num_samples,
            classes=None if examples.labels is None else int(examples.labels.max()) + 1,
            examples=grey,
            seed=config.seed,
        )
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    return model
