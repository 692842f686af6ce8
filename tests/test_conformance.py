"""Every composition of the golden list must train, save, load, export, serve, distribute and compile.

The core of the list, in which every part appears, runs by default, but for XLA, replicas, half of the steps and most of
the saved models, exports and bfloat16, which `make stress` adds; all of it runs with
`-m "slow or not slow"`, as in `make conformance`. The checks that passed are printed as a table at the end of the run.
"""

import functools
import inspect
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.export.signatures import by_group
from keras_vae.testing.model_checks import check_config, check_density_dtype, check_saving, check_training
from serving import Client, Server, ServingError
from tests.golden import COMPOSITIONS, CORE, FACTORS, Golden

every = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in CORE else pytest.mark.slow, id=n) for n in COMPOSITIONS]
)


# What `make test` checks on a few of the core, and `make stress` on the others.
few = pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, id=n, marks=[] if n in CORE[::6] else pytest.mark.stress if n in CORE else pytest.mark.slow)
        for n in COMPOSITIONS
    ],
)


def untrained(name):
    keras.utils.set_random_seed(5)
    return COMPOSITIONS[name].build()


@functools.lru_cache(maxsize=2)
def _fitted(name, images):
    x, y = COMPOSITIONS[name].data(np.frombuffer(images, np.float32).reshape(-1, 8, 8, 1))
    vae = untrained(name)
    check_training(vae, x, y)
    return vae, x, y


def fitted(name, images):
    """Return a model after two steps; one that a test must not change."""
    return _fitted(name, images.tobytes())


@pytest.mark.parametrize(
    ("replicas", "names"),
    [
        *(pytest.param(2, CORE[i::2], id=f"2-core-{i + 1}", marks=pytest.mark.stress) for i in (0, 1)),
        pytest.param(1, CORE[:1], id="1-core", marks=pytest.mark.stress),
        pytest.param(4, CORE[:2], id="4-core", marks=pytest.mark.stress),
        *(
            pytest.param(r, list(COMPOSITIONS)[start::4], id=f"{r}-all-{start + 1}", marks=pytest.mark.slow)
            for r in (2, 4)
            for start in range(4)
        ),
    ],
)
def test_any_number_of_replicas_takes_the_same_steps(replicas, names):
    """Logical CPUs need a fresh process; it trains every entry on one replica and on several, with its own noise."""
    script = Path(__file__).with_name("replicas_script.py")
    result = subprocess.run(
        [sys.executable, script, str(replicas), *names],
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
    found = json.loads(result.stdout.splitlines()[-1])
    assert set(found) == set(names)
    for name, differences in found.items():
        # The noise is the same for each row, so what remains is the rounding of sums taken in another order.
        assert differences["step"] > 0, name
        assert differences["weights"] < 2e-4 * differences["step"], (name, differences)
        for figures in ("logs", "evaluated", "log_likelihood"):
            assert differences[figures] < 1e-5, (name, differences)


def test_every_public_part_is_on_the_list():
    used = set()
    for name in CORE:
        vae = COMPOSITIONS[name].build()
        used |= {type(part) for part in (vae.prior, vae.objective, vae.condition)}
        used.add(type(getattr(vae.objective, "estimator", None)))
        for conditional in (*getattr(vae.encoder, "links", {"z": vae.encoder}).values(), vae.decoder):
            used |= {type(conditional.network), type(conditional.family)}
    for package, base in (
        (kv.families, kv.families.Family),
        (kv.networks, keras.Model),
        (kv.priors, kv.priors.Prior),
        (kv.objectives, kv.objectives.Objective),
        (kv.estimators, kv.estimators.Estimator),
        (kv.conditions, kv.conditions.Condition),
    ):
        public = [getattr(package, n) for n in package.__all__]
        parts = {p for p in public if inspect.isclass(p) and issubclass(p, base) and p is not base}
        assert parts <= used, f"not on the golden list: {parts - used}"


def _incompatible():
    """Every pair of choices on no composition of the list, among other parts that all go together as far as can be."""
    on_list = {pair for g in COMPOSITIONS.values() for pair in itertools.combinations(enumerate(g.parts), 2)}
    rest = ("mlp", "label")
    candidates = [Golden(*parts, *rest) for parts in itertools.product(*FACTORS[:2], ["bernoulli"], FACTORS[3])]
    bad = {g: set(itertools.combinations(enumerate(g.parts), 2)) - on_list for g in candidates}
    found = {}
    for golden, pairs in sorted(bad.items(), key=lambda item: len(item[1])):
        for pair in pairs:
            found.setdefault(pair, golden)
    return list(dict.fromkeys(found.values()))


@pytest.mark.parametrize("golden", _incompatible(), ids=lambda g: g.name)
def test_parts_that_do_not_go_together_are_refused_at_once(golden):
    with pytest.raises(ValueError, match=r"expected .*, received .* Use "):
        golden.build()


@pytest.mark.parametrize(
    ("posterior", "prior", "objective", "message"),
    [
        ("one_hot", "uniform", "elbo", "'reparameterized': expected a posterior whose samples carry a gradient"),
        ("bernoulli", "uniform", "iwae", "'reparameterized': expected a posterior whose samples carry a gradient"),
        (
            "gumbel",
            "uniform",
            "iwae",
            "exact samples for importance weights, received GumbelSoftmax with relaxed samples",
        ),
        ("gumbel", "uniform", "stl", "posterior with exact reparameterized samples, received GumbelSoftmax"),
        ("one_hot", "uniform", "dreg", "posterior with exact reparameterized samples, received OneHotCategorical"),
        (
            "relaxed_bernoulli",
            "uniform",
            "nvil",
            "NVIL: .* received RelaxedBernoulli. Use keras_vae.families.Bernoulli",
        ),
        (
            "gumbel",
            "uniform",
            "vimco",
            "LeaveOneOut: .* received GumbelSoftmax. Use keras_vae.families.OneHotCategorical",
        ),
        ("gumbel", "uniform", "info_vae", "InfoVAE: .*, received GumbelSoftmax, whose samples are relaxed"),
        ("one_hot", "uniform", "info_vae", "InfoVAE: estimator 'reparameterized': expected"),
        ("gumbel", "uniform", "beta_tc", "BetaTC: .* independent under"),
        ("iaf", "standard_normal", "beta_tc", "BetaTC: .* received the posterior InverseAutoregressiveFlow"),
        ("normal", "vamp", "free_bits", "free_bits=0.02: expected a KL in closed form that is a sum over latents"),
        ("piecewise", "uniform", "iwae", "IWAE: .* received PiecewiseConstant, whose log q.* jumps"),
        ("piecewise", "uniform", "dreg", "IWAE: .* received PiecewiseConstant, whose log q.* jumps"),
        ("piecewise", "uniform", "stl", "ELBO: .* received PiecewiseConstant, whose log q.* jumps"),
        ("piecewise", "vamp", "elbo", "ELBO: .* received PiecewiseConstant, whose log q.* jumps"),
        ("piecewise", "vamp", "info_vae", "InfoVAE: .* received PiecewiseConstant, whose log q.* jumps"),
        ("piecewise", "uniform", "beta_tc", "BetaTC: .* received PiecewiseConstant, whose log q.* jumps"),
        ("one_hot", "standard_normal", "vimco", "expected the shape of the posterior's latents"),
        (
            "bernoulli",
            "standard_normal",
            "vimco",
            "expected one over binary latents, .* received StandardNormal over real ones",
        ),
    ],
)
def test_refusals_say_what_is_wrong(posterior, prior, objective, message):
    with pytest.raises(ValueError, match=message):
        Golden(posterior, prior, "bernoulli", objective, "mlp", "none").build()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kv.objectives.IWAE(5, estimator="sticking_the_landing"), "Use estimator='doubly_reparameterized'"),
        (lambda: kv.objectives.IWAE(5, estimator="nvil"), "Use estimator='leave_one_out'"),
        (lambda: kv.objectives.ELBO(estimator="doubly_reparameterized"), "Use estimator='sticking_the_landing'"),
        (lambda: kv.objectives.ELBO(estimator="leave_one_out"), "expected num_samples of at least 2, received 1"),
        (
            lambda: kv.objectives.ELBO(free_bits=0.1, estimator="sticking_the_landing"),
            "expected one that uses the closed-form KL, as free_bits requires, received StickingTheLanding",
        ),
    ],
)
def test_an_estimator_that_is_wrong_for_a_bound_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        kv.VAE(
            kv.Encoder(kv.networks.MLP([4]), kv.families.Normal(2)),
            kv.Decoder(kv.networks.MLP([4]), kv.families.Bernoulli((8, 8, 1))),
            objective=make(),
        )


MODES = {"eager": {"run_eagerly": True}, "graph": {"jit_compile": False}, "xla": {"jit_compile": True}}


def _runs():
    """Every composition in every mode; XLA takes long to compile, so `make test` compiles the default alone."""
    for (label, mode), name in itertools.product(MODES.items(), COMPOSITIONS):
        # Eagerly one half of the core, compiled the other, so that `make test` trains every part.
        by_default = {"eager": CORE[::2], "graph": [CORE[0], *CORE[1::2]], "xla": CORE[:1]}[label]
        mark = [] if name in by_default else pytest.mark.stress if name in CORE else pytest.mark.slow
        yield pytest.param(name, mode, id=f"{label}-{name}", marks=mark)


@pytest.mark.parametrize(("name", "mode"), list(_runs()))
def test_two_steps_lower_the_loss(name, mode, binary_images):
    x, y = COMPOSITIONS[name].data(binary_images)
    vae = untrained(name)
    check_training(vae, x, y, **mode)
    if mode == {"jit_compile": False}:
        # The same seed is the same run, to the last bit.
        for mine, theirs in zip(fitted(name, binary_images)[0].get_weights(), vae.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@few
def test_mixed_bfloat16_trains_with_densities_in_float32(name, binary_images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    x, y = COMPOSITIONS[name].data(binary_images)
    vae = untrained(name)
    check_training(vae, x, y)
    check_density_dtype(vae, x, y)
    assert vae.decoder.network.compute_dtype == "bfloat16"
    assert vae.observed_family.variable_dtype == "float32"


@every
def test_float64_loses_no_digits(name, binary_images):
    """Rounding to float32 anywhere on the way would show in second differences; `tests/test_float64.py` has values."""
    keras.config.set_dtype_policy("float64")
    vae, rng = untrained(name), np.random.default_rng(3)
    x, y = COMPOSITIONS[name].data(binary_images[:6].astype(np.float64))
    x = np.rint(255 * x) / 255 if vae.observed_family.support.discrete else x
    real = [not vae.observed_family.support.discrete, y is not None and y.dtype.kind == "f"]
    # Biases of zero leave the ReLU of a black patch exactly at its kink.
    weights = [np.asarray(weight) + 0.03 * rng.normal(size=weight.shape) for weight in vae.trainable_weights]
    moved = [*weights, *itertools.compress([x, y], real)]
    directions = [rng.normal(size=value.shape) for value in moved]

    def ask(step):
        values = [value + step * direction for value, direction in zip(moved, directions, strict=True)]
        for weight in vae.trainable_weights:
            weight.assign(values.pop(0))
        at_x = tf.constant(values.pop(0) if real[0] else x)
        at_y = None if y is None else tf.constant(values.pop(0) if real[1] else y)
        terms = vae.objective(vae, at_x, seed=tf.constant([1, 2]), training=True, condition=at_y)
        found = {**terms, **{f"encode/{key}": value for key, value in vae.encode(at_x, condition=at_y).items()}}
        found = {key: tf.nest.flatten(value) for key, value in found.items()}
        assert {value.dtype for values in found.values() for value in values} == {tf.float64}
        return {key: np.concatenate([np.ravel(value) for value in values]) for key, values in found.items()}

    assert all(weight.dtype == "float64" for weight in vae.weights if "float" in str(weight.dtype))
    before, now, after = (ask(step) for step in (-3e-7, 0.0, 3e-7))
    for key, value in now.items():
        second = np.abs(after[key] - 2 * value + before[key]) / (1 + np.abs(value))
        # Curvature leaves up to 1e-9; float32 alone rounds by 3e-8 of each value.
        assert np.median(second) < 1e-9, (key, np.median(second))
        assert np.any(after[key] != before[key]), key


@pytest.mark.parametrize(
    "name", [pytest.param(n, id=n, marks=pytest.mark.stress if n in CORE else pytest.mark.slow) for n in COMPOSITIONS]
)
def test_float64_holds_in_compiled_answers(name, binary_images):
    keras.config.set_dtype_policy("float64")
    vae = untrained(name)
    x, y = COMPOSITIONS[name].data(binary_images[:4])
    given = {} if y is None else {"condition": y}
    seeds = np.arange(4)
    generated = vae.generate(seeds, draws=True, **given)
    answers = tf.nest.flatten([generated, vae.decode(generated["z"], **given), vae.score(x, seeds=seeds, **given)])
    assert {answer.dtype for answer in answers} == {tf.float64}


@few
def test_save_and_load_to_the_last_bit(name, binary_images):
    """All that the next step depends on is the same: weights, the optimizer's state, the count of steps, the noise."""
    vae, x, y = fitted(name, binary_images)
    assert int(vae.optimizer.iterations.numpy()) == 2
    check_saving(vae, x, y)


@every
def test_config_round_trip(name):
    check_config(COMPOSITIONS[name].build())


@few
def test_export_and_server_answer_as_the_model(name, binary_images, tmp_path):
    vae, x, y = fitted(name, binary_images)
    vae.export(tmp_path / "m" / "1", score_samples=4)
    with (
        Server(model_name="m", model_base_path=tmp_path / "m", port=0) as server,
        Client(f"127.0.0.1:{server.port}", model="m", timeout=60.0) as client,
    ):
        client.wait_until_ready(timeout=60)
        for batch in (1, 3):
            _compare(vae, client, x[:batch], None if y is None else y[:batch])
        given = {} if y is None else {"condition": y[:2]}
        spoiled = np.concatenate([x[:1], np.full_like(x[:1], np.nan)])
        for ask in (client.encode, client.reconstruct, client.score):
            with pytest.raises(ServingError, match=r"expected .* for a \w+ likelihood, received -?nan\.") as refusal:
                ask(spoiled, **given)
            assert refusal.value.code is grpc.StatusCode.INVALID_ARGUMENT


def _compare(vae, client, x, y):
    seeds = np.arange(len(x))
    close = {"rtol": 1e-4, "atol": 1e-5}
    local = {} if y is None else {"condition": y}
    generated = vae.generate(seeds, **local)
    served = client.generate(seeds=seeds, **local)
    for name, z in by_group(generated["z"], "z", vae).items():
        np.testing.assert_array_equal(served[name], z)
    np.testing.assert_allclose(served.mean, generated["mean"], **close)
    drawn = client.generate(seeds=seeds, draws=True, **local)
    assert set(drawn.keys()) == {*served.keys(), "draw"}
    assert np.all(vae.observed_family.support.contains(tf.constant(drawn["draw"])))
    encoded, locally = client.encode(x, **local), vae.encode(x, **local)
    for output in ("mean", "scale"):
        for name, value in by_group(locally[output], output, vae).items():
            np.testing.assert_allclose(encoded[name], value, **close)
    np.testing.assert_allclose(client.decode(generated["z"], **local), generated["mean"], **close)
    np.testing.assert_allclose(client.reconstruct(x, **local), vae.reconstruct(x, **local), **close)
    local_score = vae.score(x, seeds=seeds, num_samples=4, **local)
    np.testing.assert_allclose(client.score(x, seeds=seeds, **local), local_score, rtol=1e-3)


@every
def test_samples_are_of_the_prior_and_weights_finite(name, binary_images):
    """One row's latent is the same in any batch; latents lie in the support; importance weights are finite."""
    vae, x, y = fitted(name, binary_images)
    seeds = np.array([5, 6, 7])
    given = {} if y is None else {"condition": y[:3]}
    z = by_group(vae.generate(seeds, **given)["z"], "z", vae)
    for family, value in zip(vae.encoder.families.values(), z.values(), strict=True):
        assert np.all(family.support.contains(value))
    alone = by_group(vae.generate(seeds[1:2], **({} if y is None else {"condition": y[1:2]}))["z"], "z", vae)
    for name, value in z.items():
        np.testing.assert_array_equal(alone[name][0], value[1])
    assert np.all(np.isfinite(vae.log_weights(tf.constant(x[:3]), 4, **given)))


@every
def test_bad_input_is_refused(name, binary_images):
    vae, x, y = fitted(name, binary_images)
    with pytest.raises(ValueError, match="nan"):
        vae.fit(np.full_like(x, np.nan), y, verbose=0)
    local = {} if y is None else {"condition": y[:2]}
    for ask in (vae.encode, vae.reconstruct, lambda x, **given: vae.score(x, seeds=np.arange(len(x)), **given)):
        with pytest.raises(ValueError, match=r"received -?nan"):
            ask(np.full_like(x[:2], np.nan), **local)
    with pytest.raises(ValueError, match=rf"expected shape \(batch, 8, 8, {x.shape[-1]}\)"):
        vae.fit(x[..., 0], y, verbose=0)
    if y is not None:
        with pytest.raises(ValueError, match="y: expected the condition"):
            vae.fit(x, verbose=0)
        with pytest.raises(ValueError, match="y: expected"):
            vae.fit(x, np.full_like(y, -1) if y.ndim == 1 else y * np.nan, verbose=0)
        with pytest.raises(ValueError, match=r"condition: expected .*, received none"):
            vae.sample(2)
