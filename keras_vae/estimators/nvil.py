"""The score function with an input-dependent baseline."""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.estimators.base import Aggregate, Estimate, Estimator, LogWeight
from keras_vae.estimators.leave_one_out import refuse_relaxed, score_function
from keras_vae.families.base import Family
from keras_vae.inference import Densities, Draws, Inference
from keras_vae.networks import MLP
from keras_vae.utils import replicas
from keras_vae.utils.arguments import one_line
from keras_vae.utils.distributions import density_dtype

# Decay of the running mean; Mnih & Gregor (2014), algorithm 1.
_DECAY = 0.8


@keras.saving.register_keras_serializable("keras_vae")
class NVIL(Estimator):
    """The score function with a learned baseline C(x): Mnih & Gregor (2014), algorithm 1.

    The learning signal is log w − C(x) − c, where c is its running mean. Unlike the paper, it is not divided by its
    running standard deviation: that would change its weight relative to other gradients (of a KL in closed form, or of
    a prior made of posteriors), and Adam scales the step in any case. For any posterior, discrete or continuous, and
    any number of samples.

    Args:
        network: The baseline's network, a Keras model on `[batch, *event]`. Defaults to
            `keras_vae.networks.MLP([100])`. It is trained with one model, so each model needs its own instance.

    Example:
        >>> import keras_vae as kv
        >>> objective = kv.objectives.ELBO(estimator=NVIL(kv.networks.MLP([50], activation="tanh")))
    """

    detached = True

    def __init__(self, network: keras.layers.Layer | None = None) -> None:
        if isinstance(network, dict):
            network = keras.saving.deserialize_keras_object(network)
        self.baseline = Baseline(MLP([100]) if network is None else network)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The baseline."""
        return [self.baseline]

    def check(self, owner: str, family: Family, posterior: tfd.Distribution, num_samples: int, path_power: int) -> None:
        """Raise an error for a relaxed posterior, and for an importance-weighted bound."""
        refuse_relaxed(owner, self, family)
        if path_power != 1:
            raise ValueError(
                f"{owner}: estimator: expected one for importance-weighted bounds, received NVIL. Use "
                "estimator='leave_one_out' (VIMCO)."
            )

    def estimate(
        self,
        inference: Inference,
        draws: Draws,
        weigh: Callable[[Densities], LogWeight],
        aggregate: Aggregate,
        training: bool | None,
        sample_weight: tf.Tensor | None = None,
    ) -> Estimate:
        """Return the bound and the surrogate, which also trains the baseline."""
        densities = inference.densities(draws)
        log_weight = weigh(densities)
        baseline = self.baseline(inference.encoder_input, training=training)
        residual = tf.stop_gradient(log_weight.value) - tf.stop_gradient(baseline)
        centered = self.baseline.center(residual, training, sample_weight)
        signal = centered / tf.cast(tf.shape(centered)[0], centered.dtype)
        value, surrogate = score_function(log_weight, aggregate, signal)
        return Estimate(value, surrogate + tf.reduce_mean(tf.stop_gradient(centered), axis=0) * baseline, densities)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"network": keras.saving.serialize_keras_object(self.baseline.network)}


@keras.saving.register_keras_serializable("keras_vae")
class Baseline(keras.layers.Layer):
    """The baseline C(x) and the running mean of the learning signal.

    Args:
        network: A Keras model on `[batch, *event]`.
    """

    def __init__(self, network: keras.layers.Layer, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        if not isinstance(network, keras.layers.Layer):
            raise TypeError(
                f"NVIL: network: expected a Keras model, received {one_line(network)}. "
                "Use keras_vae.networks.MLP([100]), for "
                "example."
            )
        self.network = network
        self.head = keras.layers.Dense(1, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Create the weights for x of this shape."""
        features = self.network(keras.Input(batch_shape=(None, *input_shape[1:])))
        self.head.build((None, math.prod(features.shape[1:])))
        self.running_mean = self.add_weight(
            shape=(), initializer="zeros", trainable=False, aggregation="only_first_replica", name="running_mean"
        )

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return C(x), `[batch]`, in nats."""
        features = tf.reshape(self.network(x, training=training), [tf.shape(x)[0], self.head.kernel.shape[0]])
        return tf.squeeze(self.head(features), axis=-1)

    def center(self, signal: tf.Tensor, training: bool | None, weight: tf.Tensor | None = None) -> tf.Tensor:
        """Return the signal, `[samples, batch]`, minus its running mean, which is updated afterward.

        The paper updates it first, which introduces a bias: the mean then depends on the samples.
        """
        mean = tf.identity(self.running_mean.value)
        if training:
            now = tf.reduce_mean(replicas.mean(tf.transpose(signal), weight))
            self.running_mean.assign(_DECAY * mean + (1 - _DECAY) * now)
        return signal - mean
