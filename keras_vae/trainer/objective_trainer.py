"""The Keras model that trains by an objective instead of a Keras loss."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families import Family
from keras_vae.inference import Inference, LatentGroups
from keras_vae.objectives import Objective
from keras_vae.trainer import compiled_steps, input_checks
from keras_vae.trainer.compiled_steps import steps_at_once
from keras_vae.trainer.finite_check import Soundness
from keras_vae.trainer.packed_input import packed_batches, unpacks_first
from keras_vae.trainer.scale_check import ScaleWatch, warn_if_unscaled
from keras_vae.trainer.weight_update import Update
from keras_vae.utils import replicas
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import seed_number


class Meters:
    """The means over examples of the loss and an objective's terms, in nats, and the number of batches seen.

    A plain object that Keras does not track, because Keras allows no new state in a built model, but another objective
    has other terms.

    Args:
        names: The names of the objective's terms.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.means = [keras.metrics.Mean(name=name) for name in ("loss", *names)]
        self.batches = keras.metrics.Sum(name="batches")

    def update(self, terms: dict[str, tf.Tensor], weight: tf.Tensor | None) -> None:
        """Count a batch, and add its per-example terms, `[batch]`, with their weights, `[batch]`."""
        self.batches.update_state(1.0)
        for mean in self.means:
            mean.update_state(terms[mean.name], sample_weight=weight)

    def reset(self) -> None:
        """Reset the means and the count."""
        for metric in (*self.means, self.batches):
            metric.reset_state()


# The arguments of `keras.Model.fit` after x and y.
_AFTER_X_AND_Y = list(inspect.signature(keras.Model.fit).parameters)[3:]


class ObjectiveTrainer(keras.Model):
    """A Keras model whose loss and metrics are an objective's per-example terms, in nats.

    Args:
        objective: The bound to maximize.
        seed: The seed of all noise in training and evaluation. By default drawn from NumPy's generator.
    """

    def __init__(self, objective: Objective, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objective = objective
        self.seed = streams.draw() if seed is None else seed_number(seed, "VAE")
        # Saved with the model, so that a resumed run draws the same noise as an uninterrupted one. The optimizer's
        # counter does not change while it accumulates gradients.
        self._steps = self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name="steps",
        )
        self._meters = Meters(objective.metrics)
        self.objective_layers = list(objective.layers)
        self.condition: Condition | None = None
        self.train_function: Any
        self.test_function: Any

    @property
    def observed_family(self) -> Family:
        """The likelihood's family, which defines the event shape and the support of the data."""
        raise NotImplementedError

    @property
    def latents(self) -> LatentGroups:
        """The names and shapes of the groups of latents."""
        raise NotImplementedError

    def infer(self, x: tf.Tensor, *, condition: Any = None, training: bool | None = None) -> Inference:
        """Return the model at a batch of x."""
        raise NotImplementedError

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The objective's terms that are reported."""
        return self.objective.metric_names(self.latents)

    def check_objective(self) -> None:
        """Raise an error if the objective does not give correct gradients for this model.

        Raises:
            ValueError: If objective and model are incompatible.
        """
        if any(layer not in self.objective_layers for layer in self.objective.layers):
            raise ValueError(
                f"VAE: objective: expected one without weights after construction, received "
                f"{type(self.objective).__name__} with weights. Pass it to the constructor."
            )
        x = tf.zeros([1, *self.observed_family.event_shape], self.observed_family.variable_dtype)
        y = None if self.condition is None else tf.zeros([1, *self.condition.shape], self.condition.dtype)
        self.objective.check(self.infer(x, condition=y))

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configure training like `keras.Model.compile`, but without a loss: the objective is the loss.

        Without `steps_per_execution`, `fit` takes up to 32 steps per TensorFlow call, or one step if a user-defined
        callback looks at batches.

        Raises:
            ValueError: If `loss` or `metrics` are given.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"VAE.compile: {name}: expected None, since the objective {type(self.objective).__name__} defines "
                    f"the loss and the metrics, received {kwargs[name]!r}. Pass VAE(objective=...) instead."
                )
        super().compile(optimizer=optimizer, **kwargs)
        self._own_pace = "steps_per_execution" in kwargs
        self.check_objective()  # the attribute may have been set
        with self.distribute_strategy.scope():
            self._meters = Meters(self.metric_names)
            self.optimizer.build(self.trainable_variables)
            scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
            self._soundness = Soundness(self.metric_names, self.trainable_variables, scaled)
        # TPUs compile the whole step.
        self._update_weights = Update(self.optimizer, self.trainable_variables, plain=self.run_eagerly)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the settings of the saved model."""
        found = keras.saving.deserialize_keras_object(config)
        if found.get("steps_per_execution") == 1:  # Keras stores it even if it was not given
            del found["steps_per_execution"]
        self.compile(**found)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and the objective's terms, as means over examples, in nats."""
        return self._meters.means

    def reset_metrics(self) -> None:
        """Reset the means, and the noise of evaluation with them."""
        self._meters.reset()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on a batch."""
        x, y, weight = self._unpack(data)
        seed = streams.fold(self.seed, streams.TRAIN, self._steps)
        # Running statistics, which the forward pass updates.
        states = [variable for variable in self.non_trainable_weights if variable is not self._steps]
        before = [tf.identity(variable) for variable in states]
        with tf.GradientTape() as tape:
            terms = self._terms(x, y, seed, training=True)
            loss = _share_of_mean(terms["loss"], weight)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        batch = self._meters.batches.total + 1.0
        sound = self._soundness.check(loss, terms, gradients, batch)
        self._update_weights(gradients, sound)
        self._steps.assign_add(tf.cast(sound, tf.int64))
        for variable, value in zip(states, before, strict=True):
            variable.assign(tf.where(sound, variable, value))
        return self._report(terms, weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Compute the objective's terms on a batch."""
        x, y, weight = self._unpack(data)
        # The number of batches since the last reset: noise differs between batches, and repeats in the next evaluation.
        seed = streams.fold(self.seed, streams.TEST, self._meters.batches.total)
        return self._report(self._terms(x, y, seed, training=False), weight)

    def predict_step(self, data: Any) -> tf.Tensor:
        """Return the mean reconstruction of a batch of x, or of (x, y) for a conditional model."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self(x if self.condition is None or y is None else (x, y), training=False)

    def _unpack(self, data: Any) -> tuple[tf.Tensor, Any, tf.Tensor | None]:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        dtype = self.observed_family.variable_dtype
        return (
            tf.cast(x, dtype),
            y if self.condition is not None else None,
            None if weight is None else tf.cast(weight, dtype),
        )

    def _terms(self, x: tf.Tensor, y: Any, seed: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        terms = self.objective(self, x, seed=seed, training=training, condition=y)
        penalties = self.losses  # from the networks' regularizers: part of the loss, but not of the bound
        return {**terms, "loss": terms["loss"] + tf.add_n(penalties)} if penalties else terms

    def _report(self, terms: dict[str, tf.Tensor], weight: tf.Tensor | None) -> dict[str, Any]:
        self._meters.update(terms, weight)
        return self.get_metrics_result()

    def make_train_function(self, force: bool = False) -> None:
        """Make the function that `fit` calls."""
        if self.train_function is None or force:
            steps = compiled_steps.make_function(self, unpacks_first(self.train_step))

            def sound_steps(batches: Any) -> dict[str, Any]:
                logs = steps(batches)
                self._soundness.raise_if_lost()
                return logs

            self.train_function = sound_steps

    def make_test_function(self, force: bool = False) -> None:
        """Make the function that `evaluate` calls."""
        if self.test_function is None or force:
            self.test_function = compiled_steps.make_function(self, unpacks_first(self.test_step))

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing, since the constructor builds the model.

        Keras would trace a step with one batch first, which fails under `tf.distribute` if the batch size is not
        divisible by the number of replicas.
        """

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train like `keras.Model.fit`; y is the condition of a conditional model, and otherwise ignored.

        Raises:
            ValueError: If data has the wrong shape or dtype, is empty, or is outside the likelihood's support.
            keras_vae.NotFiniteError: If a loss or a gradient becomes NaN or infinite. The weights are those before the
                step.
        """
        if not self.compiled:
            raise ValueError(
                "fit: expected a compiled model, received one that is not. Call `compile()` before `fit()`."
            )
        kwargs.update(zip(_AFTER_X_AND_Y, args, strict=False))
        validation_data = kwargs.pop("validation_data", None)
        if validation_data is not None:
            validation_data = self._guard_validation(validation_data)
        if isinstance(x, tf.data.Dataset) or inspect.isgenerator(x):
            kwargs.setdefault("shuffle", False)  # Keras's default, which these ignore, with a warning
        self._soundness.reset()
        with input_checks.clear_errors(), self._paced(kwargs):
            x, y = self._guarded(x, y, kwargs, training=True)
            warn_if_unscaled(x, self.observed_family)
            callbacks = kwargs.get("callbacks")
            array = isinstance(x, np.ndarray | tf.Tensor)
            if not array and not isinstance(callbacks, keras.callbacks.CallbackList):
                kwargs["callbacks"] = [*tf.nest.flatten([] if callbacks is None else callbacks), ScaleWatch()]
            return super().fit(x, y, validation_data=validation_data, **kwargs)

    @contextlib.contextmanager
    def _paced(self, others: dict[str, Any]) -> Iterator[None]:
        """Take several steps per call inside the block, unless `compile` received `steps_per_execution`."""
        # Within one call, replicas can get ahead of each other and mix up their collectives.
        several = self.distribute_strategy.num_replicas_in_sync > 1
        if self._own_pace or self.run_eagerly or several:
            yield
            return
        fixed = others.get("steps_per_epoch"), others.get("validation_steps")
        self.steps_per_execution = steps_at_once(others.get("callbacks"), fixed)
        try:
            yield
        finally:
            self.steps_per_execution = 1

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the loss and the objective's terms, like `keras.Model.evaluate`; y as in `fit`.

        Raises:
            ValueError: As in `fit`.
        """
        with input_checks.clear_errors():
            if not kwargs.get("_use_cached_eval_dataset"):  # from `fit`, which has checked it
                x, y = self._guarded(x, y, kwargs, training=False)
            return super().evaluate(x, y, *args, **kwargs)

    def _guarded(self, x: Any, y: Any, others: dict[str, Any], training: bool) -> tuple[Any, Any]:
        # XLA and TensorFlow draw different noise. Evaluation always uses the dataset's.
        if training or not self.jit_compile:
            packed = packed_batches(x, self.observed_family, self.condition)
            if packed is not None:
                return packed, y
        x, y = input_checks.guarded_pair(x, y, self.observed_family, self.condition)
        # Keras drops sample weights without a y.
        return x, x if y is None and others.get("sample_weight") is not None else y

    def _guard_validation(self, data: Any) -> Any:
        if isinstance(data, tuple | list):
            given = data[1] if len(data) > 1 else None
            x, y = input_checks.guarded_pair(data[0], given, self.observed_family, self.condition)
            return (x, *((y, *data[2:]) if len(data) > 1 else ()))
        return self._guarded(data, None, {}, training=False)[0]


def _share_of_mean(per_example: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
    """Return this replica's share of the mean over the global batch, since gradients are summed over replicas."""
    count = replicas.total(tf.cast(tf.shape(per_example)[0], per_example.dtype))
    return tf.reduce_sum(per_example if weight is None else per_example * weight) / count
