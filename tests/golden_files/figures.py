"""The questions put to a golden model: what a file's figures hold, and what the model loaded today answers.

The keys are those of the stored `.npz` files and stay as they are; the calls follow the public interface of the day.
"""

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_vae as kv

HERE = Path(__file__).parent
SAVED_MODEL = HERE / "saved_model" / "1"
RUNS = HERE / "runs"

Figures = dict[str, np.ndarray]

_SEEDS = np.array([3, -4, 2**40 + 5, 6], np.int64)
_NOISE = np.array([7, 8], np.int32)
_SCORE_SAMPLES, _WEIGHT_SAMPLES = 4, 3


def ask(vae: kv.VAE, asked: Figures) -> Figures:
    """Return the model's answers, in float64, about `x`, `z` and, of a conditional model, `y`.

    The last of them takes one training step, so the model is another one afterwards.
    """
    x, z = asked["x"], asked["z"]
    y = asked.get("y")
    given: dict[str, Any] = {} if y is None else {"condition": y}
    if vae.latents.several:
        z = vae.latents.unflatten(tf.constant(z))
    vae.run_eagerly = True  # one batch each: tracing would take longer
    answers = {
        "log_weights": vae.log_weights(x, _WEIGHT_SAMPLES, seed=tf.constant(_NOISE), **given),
        "score": vae.score(x, seeds=_SEEDS, num_samples=_SCORE_SAMPLES, **given),
        "reconstruct": vae.reconstruct(x, **given),
        **_named("encode", vae.encode(x, **given)),
        **_named("decode", vae.decode(z, **given)),
        **_named("generate", vae.generate(_SEEDS, **given)),
        **_named("evaluate", vae.evaluate(x, y, batch_size=len(x), return_dict=True, verbose=0)),
        "seed": vae.seed,
        "iterations": vae.optimizer.iterations,
    }
    answers = {name: np.array(value, np.float64) for name, value in answers.items()}
    # Whether the optimizer's state belongs to the right weights shows in the next step alone.
    vae.fit(x, y, batch_size=len(x), epochs=1, shuffle=False, verbose=0)
    after = vae.log_weights(x, _WEIGHT_SAMPLES, seed=tf.constant(_NOISE), **given)
    return {**answers, "log_weights_after_a_step": np.array(after, np.float64)}


def ask_signatures(path: Path, requests: dict[str, Figures]) -> Figures:
    """Return the answers of a SavedModel's signatures, by `signature/output`."""
    signatures = tf.saved_model.load(str(path)).signatures
    return {
        f"{name}/{output}": value.numpy()
        for name, inputs in requests.items()
        for output, value in signatures[name](**{key: tf.constant(given) for key, given in inputs.items()}).items()
    }


def resume(runs: Path, name: str) -> list[dict[str, float]]:
    """Train a run for one more epoch, a third, and return its history."""
    with contextlib.chdir(runs):  # its settings name the data by a relative path
        run = kv.training.Run(name)
        run.train(kv.training.RunConfig.read(run.config_path), epochs=3)
        return kv.training.read_history(run.history_path)


def parts(path: Path) -> set[type]:
    """Return the classes of all objects in the configuration of a model's file."""
    with zipfile.ZipFile(path) as file:
        names = _registered_names(json.loads(file.read("config.json")))
    return {keras.saving.get_registered_object(name) for name in names} - {None}


def read(path: Path) -> Figures:
    """Read an `.npz`."""
    with np.load(path) as file:
        return dict(file)


def _named(question: str, answers: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in answers.items():
        found |= _named(f"{question}/{name}", value) if isinstance(value, dict) else {f"{question}/{name}": value}
    return found


def _registered_names(config: Any) -> set[str]:
    if isinstance(config, list | tuple):
        return set().union(*map(_registered_names, config))
    if not isinstance(config, dict):
        return set()
    name = config.get("registered_name")
    return ({name} if isinstance(name, str) else set()).union(*map(_registered_names, config.values()))
