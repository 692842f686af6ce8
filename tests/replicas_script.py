"""Train golden entries two steps on one replica and on several, and print how far weights, logs and figures differ.

The noise is the models' own. The second batch does not divide by the replicas, and is smaller than their number:
batches of 35 and 3 over 2 replicas give 18 + 17 and 2 + 1 rows; over 4, 9 + 9 + 9 + 8 and 1 + 1 + 1 + 0. Every second
entry has sample weights, some of them 0, whose sums differ between replicas.

    python tests/replicas_script.py REPLICAS ENTRY...
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

REPLICAS = int(sys.argv[1])
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * REPLICAS
)

import keras_vae as kv  # noqa: E402
from tests.golden import COMPOSITIONS  # noqa: E402


def train(
    name: str, strategy: tf.distribute.Strategy, data: tf.data.Dataset, weighted: tf.data.Dataset
) -> dict[str, np.ndarray]:
    """Take the steps by plain gradient descent; return the weights before and after, and all figures."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        vae = COMPOSITIONS[name].build()
        vae.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    before = flat(vae)
    logs = vae.fit(weighted, epochs=1, verbose=0).history
    evaluated = vae.evaluate(weighted, verbose=0, return_dict=True)
    log_likelihood = kv.evaluation.log_likelihood(vae, data, num_samples=8, verbose=False).per_example
    return {
        "before": before,
        "weights": flat(vae),
        "logs": np.array([logs[key][-1] for key in sorted(logs)]),
        "evaluated": np.array([evaluated[key] for key in sorted(evaluated)]),
        "log_likelihood": log_likelihood,
    }


def flat(vae: kv.VAE) -> np.ndarray:
    return np.concatenate([w.numpy().ravel() for w in vae.trainable_weights])


rng = np.random.default_rng(0)
images = (rng.random([38, 8, 8, 1]) < 0.3).astype(np.float32)
# One strategy for all entries: a second one in a process would reuse the first's collective keys.
several = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(REPLICAS)])
sample_weight = np.concatenate([rng.integers(0, 2, 18), rng.integers(0, 5, 20)]).astype(np.float32)
found = {}
for index, name in enumerate(sys.argv[2:]):
    x, y = COMPOSITIONS[name].data(images)
    data = tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(35)
    weighted = data
    if index % 2 or "beta_tc" in name:
        weighted = tf.data.Dataset.from_tensor_slices((x, x if y is None else y, sample_weight)).batch(35)
    one = train(name, tf.distribute.OneDeviceStrategy("CPU:0"), data, weighted)
    many = train(name, several, data, weighted)
    found[name] = {
        "step": float(np.abs(one["weights"] - one["before"]).max()),
        **{key: float(np.abs(one[key] - many[key]).max() / max(np.abs(one[key]).max(), 1.0)) for key in one},
    }
    found[name]["weights"] = float(np.abs(one["weights"] - many["weights"]).max())
print(json.dumps(found))
