"""`keras_vae` with its defaults: a named data set, a composed model, `compile`, and `fit`."""

import keras
import numpy as np
from contestants import peak
from contestants.worker import Measure, Task, serve

import keras_vae as kv

SEED = 0


def new_model(dtype: str) -> kv.VAE:
    """Build the 784-400-400-20 network, with the same weights each time."""
    keras.config.set_dtype_policy("mixed_bfloat16" if dtype == "bfloat16" else dtype)
    keras.utils.set_random_seed(SEED)
    return kv.models.vae((28, 28, 1), latent_size=20, hidden=[400, 400], seed=SEED)


def training(task: Task) -> Measure:
    vae = new_model(task.dtype)
    count = len(np.load(task.images, mmap_mode="r"))
    train = kv.data.load("mnist", f"train[:{count}]", batch_size=task.batch_size)
    vae.compile(optimizer="adam")

    def measure() -> dict[str, float]:
        return {"loss": vae.fit(train).history["loss"][-1]}

    return measure


def log_likelihood(task: Task) -> Measure:
    vae, x = _trained(task)

    def measure() -> dict[str, float]:
        return {"log_likelihood": kv.evaluation.log_likelihood(vae, x, num_samples=task.num_samples).mean}

    return measure


def memory(task: Task) -> Measure:
    vae, x = _trained(task)

    def measure() -> dict[str, float]:
        peak.reset()
        before = peak.peak_mib()
        kv.evaluation.log_likelihood(vae, x, num_samples=task.num_samples)
        return {"before_mib": before, "peak_mib": peak.peak_mib()}

    return measure


def quality(task: Task) -> Measure:
    """Train for some epochs, then estimate log p(x) of the first test images as a user would."""
    vae = new_model(task.dtype)
    vae.compile(optimizer="adam")

    def measure() -> dict[str, float]:
        vae.fit(kv.data.load("mnist", batch_size=task.batch_size), epochs=task.epochs)
        test = kv.data.load("mnist", "test[:1000]", batch_size=100)
        found = kv.evaluation.log_likelihood(vae, test, num_samples=task.num_samples)
        return {"log_likelihood": found.mean, "standard_error": found.standard_error}

    return measure


def _trained(task: Task) -> tuple[kv.VAE, np.ndarray]:
    vae = new_model(task.dtype)
    vae.load_weights(task.model)
    return vae, np.load(task.images).reshape(-1, 28, 28, 1).astype("float32")


if __name__ == "__main__":
    serve(training=training, log_likelihood=log_likelihood, memory=memory, quality=quality)
