"""The loss and the figures of a batch: one step of training or evaluation by an objective instead of a Keras loss."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families import Family
from keras_vae.inference import Inference, LatentGroups
from keras_vae.objectives import Objective
from keras_vae.trainer.finite_check import Soundness
from keras_vae.trainer.weight_update import Update
from keras_vae.utils import replicas
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import one_line, only_accepted, seed_number


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
        """Count a batch, and add its per-example terms, `[batch]`, with their weights, `[batch]`.

        The loss contains its weights: as in Keras, its mean is over examples, and that of the other terms is weighted.
        """
        self.batches.update_state(1.0)
        loss, *others = self.means
        loss.update_state(terms[loss.name], sample_weight=None if weight is None else replicas.present(weight))
        for mean in others:
            mean.update_state(terms[mean.name], sample_weight=weight)

    def reset(self) -> None:
        """Reset the means and the count."""
        for metric in (*self.means, self.batches):
            metric.reset_state()


class ObjectiveStep(keras.Model):
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

    def inference_at(self, x: tf.Tensor, *, condition: Any = None, training: bool | None = None) -> Inference:
        """Return the model at a batch of x, whose values are not checked."""
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
        self.objective.check(self.inference_at(x, condition=y))

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configure training like `keras.Model.compile`, but without a loss: the objective is the loss.

        Without `steps_per_execution`, `fit` and `evaluate` take up to 32 steps per TensorFlow call if no callback looks
        at the model between batches. Callbacks and progress bar count every batch in either case.

        Raises:
            ValueError: If `loss` or `metrics` are given.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"VAE.compile: {name}: expected None, since the objective {type(self.objective).__name__} defines "
                    f"the loss and the metrics, received {one_line(kwargs[name])}. Pass VAE(objective=...) instead."
                )
        for name in ("compute_loss", "compute_metrics"):
            ours = getattr(ObjectiveStep, name)
            if getattr(type(self), name) is not ours and type(self).train_step is ObjectiveStep.train_step:
                raise ValueError(
                    f"VAE.compile: {name}: expected that of keras_vae.VAE, since train_step calls none, received one "
                    f"of {type(self).__name__}. Use VAE(objective=...), or override train_step as well."
                )
        super().compile(optimizer=optimizer, **kwargs)
        self._own_pace = "steps_per_execution" in kwargs
        self.check_objective()  # the attribute may have been set
        with self.distribute_strategy.scope():
            self._meters = Meters(self.metric_names)
            self._soundness = Soundness(self.metric_names, self.weights)
        self._update: Update | None = None
        # So that the file of an untrained model is complete. As in Keras, frozen weights may be thawed before `fit`.
        if all(layer.trainable for layer in self._flatten_layers()):
            self._build_optimizer()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the settings of the saved model."""
        found = keras.saving.deserialize_keras_object(config)
        if found.get("steps_per_execution") == 1:  # Keras stores it even if it was not given
            del found["steps_per_execution"]
        self.compile(**found)
        self._build_optimizer()  # which is loaded next

    def _build_optimizer(self) -> None:
        if self.optimizer is not None and not self.optimizer.built and self.trainable_variables:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and the objective's terms, as means over examples, in nats; and the metrics of a subclass."""
        return [*self._meters.means, *(metric for metric in super().metrics if metric is not self._loss_tracker)]

    def reset_metrics(self) -> None:
        """Reset the metrics, and the noise of evaluation with them."""
        self._meters.reset()
        super().reset_metrics()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on a batch."""
        x, y, weight = self._unpack(data)
        seed = streams.fold(self.seed, streams.TRAIN, self._steps)
        # Running statistics, which the forward pass updates.
        states = [variable for variable in self.non_trainable_weights if variable is not self._steps]
        before = [tf.identity(variable) for variable in states]
        with tf.GradientTape() as tape:
            terms = self._terms(x, y, seed, training=True, weight=weight)
            count = _global_count(terms["loss"], weight)
            # This replica's share of the mean over the global batch, since gradients are summed over replicas.
            loss = tf.math.divide_no_nan(tf.reduce_sum(terms["loss"]), count)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled, variables)
        may_overflow = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        batch = self._meters.batches.total + 1.0
        pairs = [] if may_overflow else list(zip(gradients, variables, strict=True))
        sound = self._soundness.check(loss, terms, pairs, batch)
        if weight is not None:  # a batch whose weights are all 0 is no step
            sound = tf.logical_and(sound, count > 0)
        if variables:
            if self._update is None or not self._update.fits(self.optimizer, variables):
                self._update = Update(self.optimizer, variables, plain=self.run_eagerly)
            self._update(gradients, sound)
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)  # as Keras
        self._steps.assign_add(tf.cast(sound, tf.int64))
        for variable, value in zip(states, before, strict=True):
            variable.assign(tf.where(sound, variable, value))
        return self._report(terms, weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Compute the objective's terms on a batch."""
        x, y, weight = self._unpack(data)
        # The number of batches since the last reset: noise differs between batches, and repeats in the next evaluation.
        seed = streams.fold(self.seed, streams.TEST, self._meters.batches.total)
        return self._report(self._terms(x, y, seed, training=False, weight=weight), weight)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Return the loss that `fit` minimizes on a batch, a scalar in nats, for a user's own `train_step`.

        Each call in training is a step: it draws its own noise, and schedules go on. With several replicas it is this
        replica's share, as in Keras.

        Args:
            x: `[batch, *event]`.
            y: The condition, `[batch, ...]`, of a conditional model.
            y_pred: Ignored, since the objective computes what it needs from x.
            sample_weight: `[batch]`.
            training: Passed to the networks.

        Raises:
            ValueError: If there is no x.
        """
        if x is None:
            raise ValueError(
                "VAE.compute_loss: x: expected a batch, since the objective is a function of x, received None. Pass "
                "compute_loss(x=x)."
            )
        x, y, weight = self._unpack((x, y, sample_weight))
        seed = streams.fold(self.seed, streams.TRAIN if training else streams.TEST, self._steps)
        loss = self._terms(x, y, seed, training=training, weight=weight)["loss"]
        if training:
            self._steps.assign_add(1)
        return tf.math.divide_no_nan(tf.reduce_sum(loss), _global_count(loss, weight))

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

    def _terms(
        self, x: tf.Tensor, y: Any, seed: tf.Tensor, training: bool, weight: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Return the objective's terms; `loss` also has its weights and penalties, and its sum is what is minimized."""
        given = only_accepted(self.objective.__call__, sample_weight=weight)
        with self._inside_call():
            terms = self.objective(self, x, seed=seed, training=training, condition=y, **given)
            # From `add_loss` and regularizers: part of the loss, but not of the bound, and without weights.
            penalties = self.losses
        loss = terms["loss"]
        penalty = tf.add_n([tf.cast(tf.reduce_sum(part), loss.dtype) for part in penalties]) if penalties else None
        if weight is not None:
            present = replicas.present(weight)
            terms = {name: tf.math.multiply_no_nan(value, present) for name, value in terms.items()}
            loss = tf.math.multiply_no_nan(loss, weight)
            penalty = None if penalty is None else penalty * present
        return {**terms, "loss": loss if penalty is None else loss + penalty}

    @contextlib.contextmanager
    def _inside_call(self) -> Iterator[None]:
        """Do as `keras.Model.__call__`: drop the losses of the step before, and keep those of all inner calls."""
        self._get_call_context()
        try:
            yield
        finally:
            self._maybe_reset_call_context()

    def _report(self, terms: dict[str, tf.Tensor], weight: tf.Tensor | None) -> dict[str, Any]:
        self._meters.update(terms, weight)
        return self.get_metrics_result()


def _global_count(per_example: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
    """Return the number of examples of the global batch, without those of weight 0."""
    if weight is None:
        return replicas.total(tf.cast(tf.shape(per_example)[0], per_example.dtype))
    return replicas.total(tf.reduce_sum(replicas.present(weight)))
