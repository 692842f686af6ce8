"""Training by an objective: what Keras asks of a model, without a loss of Keras's."""

import inspect
from typing import Any

import keras
import tensorflow as tf

from keras_vae import guard
from keras_vae import seeds as streams
from keras_vae.families import Family
from keras_vae.meters import Meters
from keras_vae.objectives import Objective


class ObjectiveTrainer(keras.Model):
    """A Keras model whose loss and metrics are an objective's per-example terms, in nats.

    Args:
        objective: The bound to maximise.
        seed: Of all noise in training and evaluation; by default drawn from NumPy's generator.
    """

    def __init__(self, objective: Objective, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objective = objective
        self.seed = streams.draw() if seed is None else int(seed)
        # Saved with the model, so that a resumed run draws the noise of an undisturbed one. The optimizer's own
        # count stands still while it accumulates gradients.
        self._steps = self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name="steps",
        )
        self._meters = Meters(objective.metrics)

    @property
    def observed_family(self) -> Family:
        """The likelihood's family, whose event shape and support the data must have."""
        raise NotImplementedError

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configure training, as `keras.Model.compile`, but without a loss: the objective is the loss.

        Raises:
            ValueError: If `loss` or `metrics` are given.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"compile: received {name}={kwargs[name]!r}, but the objective "
                    f"({type(self.objective).__name__}) is the loss and brings its metrics. Give another "
                    "objective to the constructor instead"
                )
        super().compile(optimizer=optimizer, **kwargs)
        self._meters = Meters(self.objective.metrics)  # another objective may have been set
        self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the saved model was compiled."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and the objective's terms, as means over examples, in nats."""
        return self._meters.means

    def reset_metrics(self) -> None:
        """Start the means anew, and the noise of evaluation with them."""
        self._meters.reset()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on a batch."""
        x, weight = _unpack(data, self.observed_family.variable_dtype)
        seed = streams.fold(self.seed, streams.TRAIN, self._steps, *_replica())
        with tf.GradientTape() as tape:
            terms = self._terms(x, seed, training=True)
            loss = _share_of_mean(terms["loss"], weight)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        self._steps.assign_add(1)
        return self._update(terms, weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Compute the objective's terms on a batch."""
        x, weight = _unpack(data, self.observed_family.variable_dtype)
        # The batches seen since the last reset tell those of one evaluation apart, and repeat in the next.
        seed = streams.fold(self.seed, streams.TEST, self._meters.batches.total, *_replica())
        return self._update(self._terms(x, seed, training=False), weight)

    def _terms(self, x: tf.Tensor, seed: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        terms = self.objective(self, x, seed=seed, training=training)
        penalties = self.losses  # of the networks' regularisers; they belong to the loss, not to the bound
        return {**terms, "loss": terms["loss"] + tf.add_n(penalties)} if penalties else terms

    def _update(self, terms: dict[str, tf.Tensor], weight: tf.Tensor | None) -> dict[str, Any]:
        self._meters.update(terms, weight)
        return self.get_metrics_result()

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the model is built by its constructor.

        Keras would trace a step with one batch first, which fails under `tf.distribute` if the batch does not
        divide by the replicas.
        """

    def fit(self, x: Any = None, y: Any = None, *args: Any, validation_data: Any = None, **kwargs: Any) -> Any:
        """Train, as `keras.Model.fit`; y is ignored.

        Raises:
            ValueError: If data has the wrong shape or dtype, is empty, or lies outside the likelihood's support.
        """
        if validation_data is not None:
            validation_data = self._guard_validation(validation_data)
        if isinstance(x, tf.data.Dataset) or inspect.isgenerator(x):
            kwargs.setdefault("shuffle", False)  # Keras warns of its own default, which these ignore
        with guard.clear_errors():
            x, y = self._guard_training(x, y, kwargs)
            return super().fit(x, y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the loss and the objective's terms, as `keras.Model.evaluate`; y is ignored.

        Raises:
            ValueError: As `fit`.
        """
        with guard.clear_errors():
            x, y = self._guard_training(x, y, kwargs)
            return super().evaluate(x, y, *args, **kwargs)

    def _guard_training(self, x: Any, y: Any, others: dict[str, Any]) -> tuple[Any, Any]:
        x = guard.guarded(x, self.observed_family)
        # Keras drops sample weights that come without a y.
        return x, x if y is None and others.get("sample_weight") is not None else y

    def _guard_validation(self, data: Any) -> Any:
        if isinstance(data, tuple | list):
            return (guard.guarded(data[0], self.observed_family), *data[1:])
        return guard.guarded(data, self.observed_family)


def _unpack(data: Any, dtype: str) -> tuple[tf.Tensor, tf.Tensor | None]:
    x, _, weight = keras.utils.unpack_x_y_sample_weight(data)
    return tf.cast(x, dtype), None if weight is None else tf.cast(weight, dtype)


def _share_of_mean(per_example: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
    """Return this replica's share of the mean over the global batch: replicas' gradients are summed."""
    count = tf.cast(tf.shape(per_example)[0], per_example.dtype)
    if _replica():
        count = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, count)
    return tf.reduce_sum(per_example if weight is None else per_example * weight) / count


def _replica() -> list[tf.Tensor]:
    """Return what tells this replica's noise from the others', if there are others."""
    context = tf.distribute.get_replica_context()
    return [context.replica_id_in_sync_group] if context.num_replicas_in_sync > 1 else []
