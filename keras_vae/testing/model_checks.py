"""Conformance checks of a model: training, saving, exporting, compiling and precision."""

import contextlib
import inspect
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.export.signatures import by_group
from keras_vae.testing.expect import expect, expect_close, expect_equal, step
from keras_vae.vae import VAE

STEPS = 2
_SEED = (1, 2)
_SCORE_SAMPLES = 4


def check_model(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> None:
    """Check that a model has all the abilities of this package's models.

    Two training steps reduce its loss, in graph mode, with XLA, in mixed bfloat16 and in float64. It is identical after
    a round trip through its config and after `save` and `load_model`. Its SavedModel gives the same results. It rejects
    NaN. The checks train copies and do not change the model.

    Args:
        vae: A model, compiled or not.
        x: Examples in the likelihood's support, `[n, *event]`, 64 or more, so that two steps reduce the loss.
        y: The condition, `[n, ...]`, for a conditional model.

    Raises:
        AssertionError: If a check fails. The message has one line.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae(8, latent_size=2, hidden=[16], seed=1)
        >>> x = (np.random.default_rng(0).random([64, 8]) < 0.3).astype("float32")
        >>> check_model(vae, x)
    """
    trained_copy(vae, x, y)


def trained_copy(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> VAE:
    """Run the checks of `check_model`, and return the last trained copy."""
    with step("config"):
        check_config(vae)
    trained = None
    for mode, policy, jit_compile in (
        ("XLA", None, True),
        ("mixed_bfloat16", "mixed_bfloat16", False),
        ("float64", "float64", False),
        ("graph", None, False),
    ):
        with step(f"training, {mode}"), _policy(policy):
            trained = copied(vae, keep_precision=policy is None)
            check_training(trained, x, y, jit_compile=jit_compile)
            check_density_dtype(trained, x, y)
    assert trained is not None, "trained in the loop"
    with step("save and load"):
        check_saving(trained, x, y)
    with step("NaN"):
        check_nan_is_refused(trained, x, y)
    with step("export"):
        check_export(trained, x, y)
    return trained


def check_training(vae: VAE, x: np.ndarray, y: np.ndarray | None = None, **compile_arguments: Any) -> None:
    """Expect two steps of `fit` to reduce the loss at fixed noise. Trains the model."""
    keras.utils.set_random_seed(0)
    vae.compile(keras.optimizers.Adam(1e-2), **{"jit_compile": False, **compile_arguments})
    before = loss_at_fixed_noise(vae, x, y)
    vae.fit(x, y, batch_size=len(x), epochs=STEPS, shuffle=False, verbose=0)
    after = loss_at_fixed_noise(vae, x, y)
    expect(
        after < before,
        f"expected the loss to decrease in {STEPS} steps, received {before:g} before and {after:g} after. Check that "
        "the loss is minus the bound and that its gradient reaches the weights",
    )


def loss_at_fixed_noise(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> float:
    """Return the mean loss at fixed noise, after checking the terms: finite, `[batch]`."""
    terms = vae.objective(vae, tf.cast(x, vae.observed_family.variable_dtype), tf.constant(_SEED), False, y)
    for name, value in terms.items():
        expect(
            tuple(value.shape) == (len(x),),
            f"term {name!r}: expected shape ({len(x)},), one number per example, received {tuple(value.shape)}. Sum "
            "over the event's axes, not over the batch",
        )
        expect(
            np.all(np.isfinite(value)),
            f"term {name!r}: expected finite numbers, received NaN or infinity. Bound the parameters smoothly",
        )
    return float(np.mean(terms["loss"]))


def check_density_dtype(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> None:
    """Expect log-densities in float32, or float64 if variables are float64, for any compute dtype."""
    inference = vae.infer(tf.cast(x[:2], vae.observed_family.variable_dtype), condition=None if y is None else y[:2])
    dtype = inference.log_weights(inference.sample(1, tf.constant(_SEED))).dtype
    expected = vae.observed_family.variable_dtype
    expect(
        dtype == expected,
        f"log-densities: expected {expected}, received {dtype.name}. Make constants in the dtype of the parameters",
    )


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def check_config(part: Any) -> None:
    """Expect a part or a model to be the same after a round trip through its config in JSON."""
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(part)))
    rebuilt = keras.saving.deserialize_keras_object(config)
    name = type(part).__name__
    expect(type(rebuilt) is type(part), f"expected a {name}, received a {type(rebuilt).__name__}. Register the class")
    mine, theirs = (json.dumps(keras.saving.serialize_keras_object(one)["config"]) for one in (part, rebuilt))
    expect(
        mine == theirs,
        f"expected {name}.get_config() to return every argument of the constructor, received {theirs:.200} after a "
        f"round trip instead of {mine:.200}. Add what is missing to get_config",
    )
    constructor = inspect.signature(type(part).__init__).parameters.values()
    arguments = {argument.name for argument in constructor if argument.kind in _NAMED} - {"self"}
    # What is passed once, to initialize weights, lives on in the weights.
    missing = arguments - set(part.get_config()) - {"initial"}
    expect(
        not missing or isinstance(part, VAE),
        f"expected {name}.get_config() to return every argument of the constructor, received none named "
        f"{', '.join(sorted(missing))}. Add what is missing to get_config",
    )
    shapes = [[tuple(weight.shape) for weight in getattr(one, "weights", ())] for one in (part, rebuilt)]
    expect(
        shapes[0] == shapes[1] or not getattr(part, "built", True),
        f"expected weights of shapes {shapes[0]}, received {shapes[1]}. Create them in the constructor or in build",
    )


def check_saving(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> None:
    """Expect `save` and `load_model` to preserve all state: weights, the optimizer's variables and the seed.

    Samples, reconstructions and the loss must be identical.
    """
    with tempfile.TemporaryDirectory() as folder:
        vae.save(Path(folder) / "vae.keras")
        loaded = keras.saving.load_model(Path(folder) / "vae.keras")
    advice = "Return all arguments from get_config, and create all weights in the constructor or in build"
    expect(loaded.seed == vae.seed, f"seed: expected {vae.seed}, received {loaded.seed}. {advice}")
    mine, theirs = ((*one.weights, *one.optimizer.variables) for one in (vae, loaded))
    expect(len(mine) == len(theirs), f"expected {len(mine)} variables, received {len(theirs)}. {advice}")
    for one, other in zip(mine, theirs, strict=True):
        expect_equal(other.numpy(), one.numpy(), f"variable {one.path}", advice)
    given: dict[str, Any] = {} if y is None else {"condition": y[0]}
    expect_equal(loaded.sample(4, seed=2, **given), vae.sample(4, seed=2, **given), "sample", advice)
    some: dict[str, Any] = {} if y is None else {"condition": y[:4]}
    expect_equal(loaded.reconstruct(x[:4], **some), vae.reconstruct(x[:4], **some), "reconstruct", advice)
    expect_equal(loss_at_fixed_noise(loaded, x, y), loss_at_fixed_noise(vae, x, y), "loss", advice)


def check_export(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> None:
    """Expect all signatures of the SavedModel to give the model's results, for one row and for several."""
    with tempfile.TemporaryDirectory() as folder:
        vae.export(Path(folder) / "1", score_samples=_SCORE_SAMPLES)
        served = tf.saved_model.load(str(Path(folder) / "1"))
    advice = "Draw noise only from the seed that is passed in, and let no row depend on the batch"
    x = np.asarray(x, np.float32)
    for count in (1, 3):
        seeds = np.arange(count, dtype=np.int64)
        given: dict[str, Any] = {} if y is None else {"condition": y[:count]}
        inputs = (
            {} if y is None or vae.condition is None else {"condition": tf.constant(y[:count], vae.condition.dtype)}
        )
        rows, seed = tf.constant(x[:count]), tf.constant(seeds)
        generated = vae.generate(seeds, **given)
        answer = served.signatures["generate"](seed=seed, **inputs)
        for name, value in by_group(generated["z"], "z", vae).items():
            expect_close(answer[name], value, f"generate: {name}", advice)
        expect_close(answer["mean"], generated["mean"], "generate: mean", advice)
        encoded, answer = vae.encode(x[:count], **given), served.signatures["encode"](x=rows, **inputs)
        for output in ("mean", "scale"):
            for name, value in by_group(encoded[output], output, vae).items():
                expect_close(answer[name], value, f"encode: {name}", advice)
        mean = served.signatures["reconstruct"](x=rows, **inputs)["mean"]
        expect_close(mean, vae.reconstruct(x[:count], **given), "reconstruct", advice)
        score = served.signatures["score"](x=rows, seed=seed, **inputs)["log_likelihood_bound"]
        expect_close(score, vae.score(x[:count], seeds=seeds, num_samples=_SCORE_SAMPLES, **given), "score", advice)


def check_nan_is_refused(vae: VAE, x: np.ndarray, y: np.ndarray | None = None) -> None:
    """Expect `fit` and `score` to raise a ValueError for NaN in x."""
    spoiled = np.full_like(x, np.nan)
    given: dict[str, Any] = {} if y is None else {"condition": y[:2]}
    for name, call in (
        ("fit", lambda: vae.fit(spoiled, y, verbose=0)),
        ("score", lambda: vae.score(spoiled[:2], seeds=np.arange(2), **given)),
    ):
        try:
            call()
        except ValueError:
            continue
        raise AssertionError(f"{name}: expected a ValueError for NaN, received none. Let the support exclude NaN")


def copied(vae: VAE, *, keep_precision: bool = True) -> VAE:
    """Return a copy with the same weights; or, under the current dtype policy, one with new weights."""
    if not keep_precision:
        return type(vae).from_config(_without_dtypes(vae.get_config()))
    copy = type(vae).from_config(vae.get_config())
    copy.set_weights(vae.get_weights())
    return copy


def _without_dtypes(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_dtypes(value) for key, value in config.items() if key != "dtype"}
    return [_without_dtypes(value) for value in config] if isinstance(config, list) else config


@contextlib.contextmanager
def _policy(name: str | None) -> Iterator[None]:
    before = keras.config.dtype_policy()
    try:
        if name is not None:
            keras.config.set_dtype_policy(name)
        yield
    finally:
        keras.config.set_dtype_policy(before)
