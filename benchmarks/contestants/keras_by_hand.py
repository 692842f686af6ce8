"""What a Keras user would write by hand with TensorFlow Probability: a subclass with `train_step`, and `model.fit`."""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from contestants.choose import fastest
from contestants.weights import DECODER, ENCODER, layers
from contestants.worker import Measure, Task, serve

tfd = tfp.distributions

# Samples per example in one decoder call: each is tried, and the fastest is measured.
CHUNK_SAMPLES = (10, 50, 100)


def mlp(weights: str, network: str) -> keras.Sequential:
    found = layers(weights, network)
    parts = [keras.layers.Dense(len(bias), activation="relu") for _, bias in found[:-1]]
    # The last layer uses float32, as Keras recommends for mixed precision.
    parts.append(keras.layers.Dense(len(found[-1][1]), dtype="float32"))
    model = keras.Sequential([keras.Input((len(found[0][0]),)), *parts])
    model.set_weights([array for pair in found for array in pair])
    return model


class ByHand(keras.Model):
    """The model of the Keras tutorials, with distributions."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.encoder = mlp(weights, ENCODER)
        self.decoder = mlp(weights, DECODER)
        self.prior = tfd.MultivariateNormalDiag(tf.zeros(20), tf.ones(20))
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics that Keras resets."""
        return [self.loss_tracker]

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """Return q(z|x)."""
        mean, log_variance = tf.split(self.encoder(x), 2, axis=-1)
        return tfd.MultivariateNormalDiag(mean, tf.exp(0.5 * log_variance))

    def likelihood(self, z: tf.Tensor) -> tfd.Distribution:
        """Return p(x|z)."""
        return tfd.Independent(tfd.Bernoulli(logits=self.decoder(z)), reinterpreted_batch_ndims=1)

    def train_step(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take one training step."""
        with tf.GradientTape() as tape:
            posterior = self.posterior(x)
            z = posterior.sample()
            kl = tfd.kl_divergence(posterior, self.prior)
            loss = tf.reduce_mean(kl - self.likelihood(z).log_prob(x))
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def new_model(task: Task) -> ByHand:
    keras.config.set_dtype_policy("mixed_bfloat16" if task.dtype == "bfloat16" else task.dtype)
    keras.utils.set_random_seed(0)
    return ByHand(task.weights)


def binarize(pixels: tf.Tensor) -> tf.Tensor:
    gray = tf.cast(pixels, tf.float32) / 255
    return tf.cast(tf.random.uniform(tf.shape(gray)) < gray, tf.float32)


def training(task: Task) -> Measure:
    model = new_model(task)
    images = np.load(task.images)
    data = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(task.batch_size)
    data = data.map(binarize, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))

    def measure() -> dict[str, float]:
        return {"loss": model.fit(data).history["loss"][-1]}

    return measure


def log_likelihood(task: Task) -> Measure:
    model = new_model(task)
    images = np.load(task.images).astype(np.float32)

    @tf.function(reduce_retracing=True)
    def log_weights(x: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        posterior = model.posterior(x)
        z = posterior.sample(samples)
        flat = model.decoder(tf.reshape(z, [-1, 20]))
        logits = tf.reshape(flat, [samples, -1, 784])
        likelihood = tfd.Independent(tfd.Bernoulli(logits=logits), reinterpreted_batch_ndims=1)
        return likelihood.log_prob(x) + model.prior.log_prob(z) - posterior.log_prob(z)

    def estimate(chunk: int) -> float:
        found = []
        for start in range(0, len(images), task.batch_size):
            x = tf.constant(images[start : start + task.batch_size])
            sizes = [min(chunk, task.num_samples - done) for done in range(0, task.num_samples, chunk)]
            sums = [tf.reduce_logsumexp(log_weights(x, tf.constant(size)), axis=0) for size in sizes]
            found.append(tf.reduce_logsumexp(tf.stack(sums), axis=0) - math.log(task.num_samples))
        return float(np.mean(np.concatenate(found), dtype=np.float64))

    return fastest(estimate, CHUNK_SAMPLES)


if __name__ == "__main__":
    serve(training=training, log_likelihood=log_likelihood)
