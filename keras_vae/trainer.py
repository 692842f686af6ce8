"""Training by an objective: what Keras asks of a model, without a loss of Keras's."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae import guard
from keras_vae import seeds as streams
from keras_vae.families import Family
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
        self._loss_mean = keras.metrics.Mean(name="loss")
        self._term_means = {name: keras.metrics.Mean(name=name) for name in objective.metrics}

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
        self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the saved model was compiled."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and the objective's terms, as means over examples, in nats."""
        return [self._loss_mean, *self._term_means.values()]

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on a batch."""
        x, weight = _unpack(data, self.observed_family.variable_dtype)
        seed = streams.fold(self.seed, streams.TRAIN, self.optimizer.iterations, *_replica())
        with tf.GradientTape() as tape:
            terms = self.objective(self, x, seed=seed, training=True)
            loss = _mean(terms["loss"], weight)
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            # Replicas' gradients are summed, so each takes its share of the mean.
            scaled = self.optimizer.scale_loss(loss / replicas)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return self._update(terms, weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Compute the objective's terms on a batch."""
        x, weight = _unpack(data, self.observed_family.variable_dtype)
        # The examples seen since the last reset tell the batches of one evaluation apart, and repeat in the next.
        seed = streams.fold(self.seed, streams.TEST, self._loss_mean.count, *_replica())
        return self._update(self.objective(self, x, seed=seed, training=False), weight)

    def _update(self, terms: dict[str, tf.Tensor], weight: tf.Tensor | None) -> dict[str, Any]:
        self._loss_mean.update_state(terms["loss"], sample_weight=weight)
        for name, mean in self._term_means.items():
            mean.update_state(terms[name], sample_weight=weight)
        return self.get_metrics_result()

    def fit(self, x: Any = None, y: Any = None, *args: Any, validation_data: Any = None, **kwargs: Any) -> Any:
        """Train, as `keras.Model.fit`; y is ignored.

        Raises:
            ValueError: If data has the wrong shape or dtype, is empty, or lies outside the likelihood's support.
        """
        if validation_data is not None:
            validation_data = self._guard_validation(validation_data)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # Keras warns of its own default, which a dataset ignores
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


def _mean(per_example: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
    return tf.reduce_mean(per_example if weight is None else per_example * weight)


def _replica() -> list[tf.Tensor]:
    """Return what tells this replica's noise from the others', if there are others."""
    context = tf.distribute.get_replica_context()
    return [context.replica_id_in_sync_group] if context.num_replicas_in_sync > 1 else []
