"""Every composition of the golden list must train, save, load, export, distribute and compile."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from tests.golden import GOLDEN

every = pytest.mark.parametrize("name", GOLDEN)


def fitted(name, images, **compile_arguments):
    vae = GOLDEN[name].build()
    vae.compile(keras.optimizers.Adam(1e-2), **{"jit_compile": False, **compile_arguments})
    x = GOLDEN[name].data(images)
    history = vae.fit(x, batch_size=len(x), epochs=3, shuffle=False, verbose=0)
    return vae, x, history.history["loss"]


def test_every_public_part_is_on_the_list():
    used = set()
    for golden in GOLDEN.values():
        vae = golden.build()
        used |= {type(part) for part in (vae.prior, vae.objective)}
        for conditional in (vae.encoder, vae.decoder):
            used |= {type(conditional.network), type(conditional.family)}
    for package, base in (
        (kv.families, kv.families.Family),
        (kv.networks, keras.Model),
        (kv.priors, kv.priors.Prior),
        (kv.objectives, kv.objectives.Objective),
    ):
        public = [getattr(package, n) for n in package.__all__]
        parts = {p for p in public if inspect.isclass(p) and issubclass(p, base) and p is not base}
        assert parts <= used, f"not on the golden list: {parts - used}"


@every
@pytest.mark.parametrize(
    "mode",
    [{"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}],
    ids=["eager", "graph", "xla"],
)
def test_steps_lower_the_loss(name, mode, binary_images):
    _, _, losses = fitted(name, binary_images, **mode)
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]


@every
def test_mixed_bfloat16_trains_with_densities_in_float32(name, binary_images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    vae, x, losses = fitted(name, binary_images)
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]
    assert vae.encoder.network.compute_dtype == "bfloat16"
    assert vae.posterior(x[:2]).dtype == vae.likelihood(np.zeros([2, 3], "float32")).dtype == tf.float32


@every
def test_same_seed_same_run(name, binary_images):
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        runs.append(fitted(name, binary_images)[2])
    assert runs[0] == runs[1]


@every
def test_save_and_load_to_the_last_bit(name, binary_images, tmp_path):
    vae, x, _ = fitted(name, binary_images)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), vae.predict(x, verbose=0))
    np.testing.assert_array_equal(loaded.sample(4, seed=2), vae.sample(4, seed=2))
    assert loaded.evaluate(x, verbose=0) == vae.evaluate(x, verbose=0)
    # It goes on as if it had never been saved: the optimizer's state and the noise are the same.
    for model in (vae, loaded):
        model.fit(x, batch_size=len(x), shuffle=False, verbose=0)
    for mine, theirs in zip(vae.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@every
def test_config_round_trip(name):
    vae = GOLDEN[name].build()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(vae)))
    rebuilt = keras.saving.deserialize_keras_object(config)
    assert json.dumps(rebuilt.get_config()) == json.dumps(vae.get_config())
    assert [w.shape for w in rebuilt.weights] == [w.shape for w in vae.weights]


@every
def test_export_answers_as_the_model(name, binary_images, tmp_path):
    vae, images, _ = fitted(name, binary_images)
    vae.export(tmp_path / "m" / "1", score_samples=4)
    served = tf.saved_model.load(str(tmp_path / "m" / "1")).signatures
    for batch in (1, 3):
        _compare(vae, served, images, batch)


def _compare(vae, served, images, batch):
    x, seed, z = tf.constant(images[:batch]), tf.range(batch, dtype=tf.int64), tf.random.normal([batch, 3], seed=1)
    close = {"rtol": 1e-5, "atol": 1e-5}
    generated = vae.generate(seed)
    np.testing.assert_array_equal(served["generate"](seed=seed)["z"], generated["z"])
    np.testing.assert_allclose(served["generate"](seed=seed)["mean"], generated["mean"], **close)
    np.testing.assert_allclose(served["encode"](x=x)["scale"], vae.encode(x)["scale"], **close)
    np.testing.assert_allclose(served["decode"](z=z)["mean"], vae.decode(z)["mean"], **close)
    np.testing.assert_allclose(served["reconstruct"](x=x)["mean"], vae.predict(x, verbose=0), **close)
    bound = served["score"](x=x, seed=seed)["log_likelihood_bound"]
    np.testing.assert_allclose(bound, vae.score(x, seed, 4), rtol=1e-4)


@every
def test_bad_input_is_refused(name, binary_images):
    vae, x, _ = fitted(name, binary_images)
    with pytest.raises(ValueError, match="nan"):
        vae.fit(np.full_like(x, np.nan), verbose=0)
    with pytest.raises(ValueError, match=r"wanted \(batch, 8, 8, 1\)"):
        vae.fit(x[..., 0], verbose=0)


def test_one_and_two_replicas_take_the_same_step(tmp_path):
    """Two logical CPUs need a fresh process; it trains every entry once on one and once on two replicas."""
    script = Path(__file__).with_name("replicas_script.py")
    result = subprocess.run(
        [sys.executable, script, *GOLDEN],
        cwd=script.parent.parent,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(script.parent.parent), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    differences = json.loads(result.stdout.splitlines()[-1])
    assert set(differences) == set(GOLDEN)
    for name, (gradient_scale, difference) in differences.items():
        # The noise is switched off, so what remains is the rounding of sums taken in another order.
        assert difference < 1e-4 * gradient_scale, name
