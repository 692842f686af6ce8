"""Train golden entries one step on one and on two replicas, and print how far the steps differ.

Each replica draws its own noise, so the posteriors' scale is set to almost nothing here: what is compared is the
gradient's scale and its sum over replicas. The batch is odd: the replicas get 18 and 17 examples.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from tests.golden import GOLDEN  # noqa: E402


def step(name: str, strategy: tf.distribute.Strategy, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of plain gradient descent; return the weights before and after."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        vae = GOLDEN[name].build()
        kernel, bias = vae.encoder.head.get_weights()
        kernel[:, 1::2], bias[1::2] = 0, -25  # log-variance −25
        vae.encoder.head.set_weights([kernel, bias])
        vae.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    before = np.concatenate([w.numpy().ravel() for w in vae.trainable_weights])
    vae.fit(tf.data.Dataset.from_tensor_slices(x).batch(35), epochs=1, verbose=0)
    return before, np.concatenate([w.numpy().ravel() for w in vae.trainable_weights])


rng = np.random.default_rng(0)
images = (rng.random([35, 8, 8, 1]) < 0.3).astype(np.float32)
# One strategy for all entries: a second one in a process would reuse the first's collective keys.
two_replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
found = {}
for name in sys.argv[1:]:
    x = GOLDEN[name].data(images)
    before, one = step(name, tf.distribute.OneDeviceStrategy("CPU:0"), x)
    _, two = step(name, two_replicas, x)
    found[name] = (float(np.abs(one - before).max()), float(np.abs(one - two).max()))
print(json.dumps(found))
