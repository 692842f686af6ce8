"""Train golden entries one step on one and on two replicas, and print how far the steps differ.

Each replica draws its own noise, so here every row is given the same: what is compared is the gradient's scale and
its sum over replicas. The batch is odd: the replicas get 18 and 17 examples.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from keras_vae.inference import Inference  # noqa: E402
from tests.golden import COMPOSITIONS  # noqa: E402

SEED = tf.constant([1, 2])


def sample(self: Inference, num_samples: int, seed: tf.Tensor, relaxed: bool = False) -> tf.Tensor:
    """Draw with the same noise for each row."""

    def one_row(parameters: dict[str, tf.Tensor]) -> tf.Tensor:
        if relaxed and self.family.relaxed:
            return self.family.relaxed_sample(parameters, num_samples, SEED, self.step)
        return self.family.distribution(parameters).sample(num_samples, seed=SEED)

    z = tf.map_fn(one_row, self.parameters, fn_output_signature=tf.float32)
    return tf.transpose(z, [1, 0, *range(2, z.shape.rank)])


def sample_prior(self: Inference, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw the same for each row; of a conditional prior take something smooth instead of a draw."""
    if self.prior.batch_shape.rank:
        return tf.sin(tf.reduce_sum(self.parameters[min(self.parameters)], axis=-1, keepdims=True)) * tf.ones([1, 3])
    return tf.repeat(self.prior.sample(1, seed=SEED), tf.reshape(count, [1]), axis=0)


def step(name: str, strategy: tf.distribute.Strategy, data: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of plain gradient descent; return the weights before and after."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        vae = COMPOSITIONS[name].build()
        vae.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    before = np.concatenate([w.numpy().ravel() for w in vae.trainable_weights])
    vae.fit(data, epochs=1, verbose=0)
    return before, np.concatenate([w.numpy().ravel() for w in vae.trainable_weights])


Inference.sample, Inference.sample_prior = sample, sample_prior  # type: ignore[method-assign]
rng = np.random.default_rng(0)
images = (rng.random([35, 8, 8, 1]) < 0.3).astype(np.float32)
# One strategy for all entries: a second one in a process would reuse the first's collective keys.
two_replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
found = {}
for name in sys.argv[1:]:
    x, y = COMPOSITIONS[name].data(images)
    data = tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(35)
    before, one = step(name, tf.distribute.OneDeviceStrategy("CPU:0"), data)
    _, two = step(name, two_replicas, data)
    found[name] = (float(np.abs(one - before).max()), float(np.abs(one - two).max()))
print(json.dumps(found))
