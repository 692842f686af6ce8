"""The Keras model that trains by an objective instead of a Keras loss: `fit` and `evaluate`."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.trainer import input_checks
from keras_vae.trainer.compiled_steps import Steps, most_at_once
from keras_vae.trainer.objective_step import ObjectiveStep
from keras_vae.trainer.packed_input import packed_batches, unpacks_first
from keras_vae.trainer.scale_check import ScaleWatch, warn_if_unscaled

# The arguments of these methods of `keras.Model` after x and y.
_AFTER_X_AND_Y = {
    name: list(inspect.signature(getattr(keras.Model, name)).parameters)[3:] for name in ("fit", "evaluate")
}


class ObjectiveTrainer(ObjectiveStep):
    """A Keras model whose loss and metrics are an objective's per-example terms, in nats.

    Arguments: see `ObjectiveStep`.
    """

    def make_train_function(self, force: bool = False) -> None:
        """Make the function that `fit` calls."""
        if self.train_function is None or force:
            if self.optimizer is None:
                raise ValueError(
                    "VAE: optimizer: expected a Keras optimizer, received None. Use compile(optimizer='adam')."
                )
            self._build_optimizer()
            custom = type(self).train_step is not ObjectiveStep.train_step
            step = unpacks_first(self.train_step)
            self.train_function = Steps(self, step, custom, check=self._soundness.raise_if_lost)

    def make_test_function(self, force: bool = False) -> None:
        """Make the function that `evaluate` calls."""
        if self.test_function is None or force:
            custom = type(self).test_step is not ObjectiveStep.test_step
            self.test_function = Steps(self, unpacks_first(self.test_step), custom)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing, since the constructor builds the model.

        Keras would trace a step with one batch first, which fails under `tf.distribute` if the batch size is not
        divisible by the number of replicas.
        """

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train like `keras.Model.fit`; y is the condition of a conditional model, and otherwise ignored.

        With `sample_weight` w (or `class_weight`), a batch's loss is Σ w·loss / n + regularizers, over the n examples
        of the global batch whose weight is not 0. This is Keras's reduction `"sum_over_batch_size"`, but examples of
        weight 0 are as if absent: they change no gradient, no statistic of the batch and no figure, and a batch of
        weights 0 is no step. The loss is reported as it is minimized, as a mean over these examples; the other terms
        are means weighted by w. (`BatchNormalization` in a network does see all examples.)

        Raises:
            ValueError: If data has the wrong shape or dtype, is empty, or is outside the likelihood's support.
            keras_vae.NotFiniteError: If a loss or a gradient becomes NaN or infinite. The weights are those before the
                step.
        """
        if not self.compiled:
            raise ValueError(
                "fit: expected a compiled model, received one that is not. Call `compile()` before `fit()`."
            )
        kwargs.update(zip(_AFTER_X_AND_Y["fit"], args, strict=False))
        validation_data = kwargs.pop("validation_data", None)
        if validation_data is not None:
            validation_data = self._guard_validation(validation_data)
        if isinstance(x, tf.data.Dataset) or inspect.isgenerator(x):
            kwargs.setdefault("shuffle", False)  # Keras's default, which these ignore, with a warning
        self._soundness.reset()
        self.make_train_function()
        with input_checks.clear_errors(), self._running_ahead(self.train_function, kwargs, "steps_per_epoch"):
            x, y = self._guarded(x, y, kwargs, training=True)
            warn_if_unscaled(x, self.observed_family)
            callbacks = kwargs.get("callbacks")
            array = isinstance(x, np.ndarray | tf.Tensor)
            if not array and not isinstance(callbacks, keras.callbacks.CallbackList):
                kwargs["callbacks"] = [*tf.nest.flatten([] if callbacks is None else callbacks), ScaleWatch()]
            return super().fit(x, y, validation_data=validation_data, **kwargs)

    @contextlib.contextmanager
    def _running_ahead(self, steps: Any, others: dict[str, Any], limit: str) -> Iterator[None]:
        """Let `steps` run ahead of Keras inside the block, unless `compile` received `steps_per_execution`.

        Args:
            steps: The train or the test function.
            others: The other arguments of `fit` or `evaluate`.
            limit: The name of the one that limits the steps of an epoch.
        """
        # Within one call, replicas can get ahead of each other and mix up their collectives.
        several = self.distribute_strategy.num_replicas_in_sync > 1
        if self._own_pace or self.run_eagerly or several or not isinstance(steps, Steps):
            yield
            return
        limits = [number for number in (others.get(limit), keras.config.max_steps_per_epoch()) if number is not None]
        steps.begin(most_at_once(others.get("callbacks")), min(limits, default=None))
        try:
            yield
        finally:
            steps.begin(1, None)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the loss and the objective's terms, like `keras.Model.evaluate`; y as in `fit`.

        Raises:
            ValueError: As in `fit`.
        """
        kwargs.update(zip(_AFTER_X_AND_Y["evaluate"], args, strict=False))
        self._assert_compile_called("evaluate")
        self.make_test_function()
        with input_checks.clear_errors(), self._running_ahead(self.test_function, kwargs, "steps"):
            if not kwargs.get("_use_cached_eval_dataset"):  # from `fit`, which has checked it
                x, y = self._guarded(x, y, kwargs, training=False)
            return super().evaluate(x, y, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the mean reconstructions, like `keras.Model.predict`, of x, or of (x, y) for a conditional model.

        Raises:
            ValueError: As in `fit`.
        """
        with input_checks.clear_errors():
            x = input_checks.guarded_inputs(x, self.observed_family, self.condition)
            return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train on one batch, like `keras.Model.train_on_batch`; x and y as in `fit`.

        Raises:
            ValueError: As in `fit`.
        """
        batch = self._guarded_batch(x, y, sample_weight, "train_on_batch(x, y)")
        return super().train_on_batch(*batch, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate one batch, like `keras.Model.test_on_batch`; x and y as in `fit`.

        Raises:
            ValueError: As in `fit`.
        """
        batch = self._guarded_batch(x, y, sample_weight, "test_on_batch(x, y)")
        return super().test_on_batch(*batch, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the mean reconstructions of one batch, like `keras.Model.predict_on_batch`; x as in `predict`.

        Raises:
            ValueError: As in `fit`.
        """
        return super().predict_on_batch(input_checks.guarded_inputs(x, self.observed_family, self.condition))

    def _guarded_batch(self, x: Any, y: Any, weight: Any, how: str) -> tuple[Any, Any, Any]:
        return input_checks.guarded_batch(x, y, weight, self.observed_family, self.condition, how)

    def _guarded(self, x: Any, y: Any, others: dict[str, Any], training: bool) -> tuple[Any, Any]:
        # XLA and TensorFlow draw different noise. Evaluation always uses the dataset's.
        if training or not self.jit_compile:
            packed = packed_batches(x, self.observed_family, self.condition)
            if packed is not None:
                return packed, y
        weight = others.get("sample_weight")
        x, y, weight = input_checks.guarded(x, y, weight, self.observed_family, self.condition)
        if weight is None:
            return x, y
        others["sample_weight"] = weight
        return x, x if y is None else y  # Keras drops sample weights without a y

    def _guard_validation(self, data: Any) -> Any:
        if isinstance(data, tuple | list):
            return input_checks.guarded_validation(data, self.observed_family, self.condition)
        return self._guarded(data, None, {}, training=False)[0]
