"""Streams of noise: no bit of a seed is lost, and no two uses of a seed share numbers."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.latents import disentanglement_metrics
from keras_vae.utils import seeds as streams

# Pairs of seeds that TensorFlow's own stateless_fold_in, which keeps 32 bits, maps to the same noise: of the second
# group of a chain, of the sites of an autoregressive prior, and of a seed with a stream.
CHAIN_PAIRS = [[100675, 178974], [3269, 158954], [94125, 153769]]
SITE_PAIR = [6851, 120729]
STREAM_PAIRS = [[54571, 59207], [85925, 166211]]


def model(posterior, prior, encoder=None):
    family = kv.families.Bernoulli((6,))
    return kv.VAE(
        encoder=encoder or kv.Encoder(kv.networks.MLP([4]), posterior),
        decoder=kv.Decoder(kv.networks.MLP([4]), family),
        prior=prior,
        seed=1,
    )


@pytest.fixture(scope="module")
def plain():
    return model(kv.families.Normal(2), None)


def test_an_autoregressive_prior_keeps_all_bits_of_a_seed():
    family = kv.families.Normal(3)
    vae = model(family, kv.priors.Autoregressive(family, hidden=[4]))
    first, second = vae.generate(SITE_PAIR)["z"].numpy()
    assert np.all(first != second)


def test_later_groups_keep_all_bits_of_a_seed():
    parts = {name: kv.Encoder(kv.networks.MLP([4]), kv.families.Normal(2)) for name in ("z1", "z2")}
    prior = kv.priors.Chain(
        {"z2": kv.priors.StandardNormal(2), "z1": kv.Decoder(kv.networks.MLP([4]), kv.families.Normal(2))}
    )
    vae = model(None, prior, kv.ChainEncoder(parts))
    for pair in CHAIN_PAIRS:
        z = vae.generate(pair)["z"]
        parameters = vae.prior.links["z1"](z["z2"])
        noise = (z["z1"] - parameters["loc"]) / parameters["scale"]
        assert np.all(abs(noise[0] - noise[1]) > 1e-3), pair
    # The groups of one row have noise of their own.
    z = vae.generate(np.arange(400))["z"]
    parameters = vae.prior.links["z1"](z["z2"])
    noise = np.concatenate([z["z2"], (z["z1"] - parameters["loc"]) / parameters["scale"]], axis=1)
    assert np.all(abs(np.corrcoef(noise.T)[np.triu_indices(4, 1)]) < 5 / 20)


def test_derived_seeds_keep_all_bits():
    for pair in STREAM_PAIRS:
        legacy = [streams.fold(seed, streams.EVALUATE, 0).numpy() for seed in pair]
        np.testing.assert_array_equal(*legacy)  # what is compared with
        derived = [streams.fold_in(tf.constant([seed, streams.EVALUATE]), 0).numpy() for seed in pair]
        assert np.any(derived[0] != derived[1])
    # Numbers of up to 64 bits, which a cast to int32 would join.
    seed = tf.constant([1, 2])
    folded = [streams.fold_in(seed, number).numpy().tolist() for number in (0, 1, 2**32, 2**32 + 1, -1, 2**63 - 1)]
    assert len({tuple(each) for each in folded}) == 6
    assert streams.fold_in(seed, 3, 4).numpy().tolist() != streams.fold_in(seed, 4, 3).numpy().tolist()


def test_derived_seeds_are_the_same_in_a_graph():
    folded = tf.function(lambda a, b: streams.derive(7, "a use", a, b))(tf.constant(5), tf.constant(2**40, tf.int64))
    np.testing.assert_array_equal(folded, streams.derive(7, "a use", 5, 2**40))


def test_uses_of_one_seed_have_streams_of_their_own():
    uses = [
        *("log_likelihood", "prior_sampling", "annealed_importance_sampling", "bidirectional", "inference_gaps"),
        *("rate_distortion", "predictive_checks", "simulation_calibration", "imputation", "impute", "sample_quality"),
        *("Monitor", "data, fresh", "data, fixed"),
    ]
    found = [streams.derive(0, use).numpy() for use in uses]
    found += [streams.fold(0, stream).numpy() for stream in (streams.TRAIN, streams.TEST, streams.EVALUATE)]
    found += [streams.for_row(0, stream).numpy() for stream in (streams.GENERATE, streams.SCORE, streams.DRAW)]
    assert len(np.unique(found, axis=0)) == len(found)
    draws = [streams.generator(0, use, number).random() for use in uses for number in (0, 1)]
    assert len(np.unique(draws)) == len(draws)


def test_different_seeds_share_no_sample(plain):
    """`sample(100, seed=0)` and `sample(100, seed=1)` used to share 99 images."""
    found = np.concatenate([plain.sample(100, seed=seed) for seed in (0, 1, 2, 99, 2**31 - 1)])
    assert len(np.unique(found, axis=0)) == 500
    assert len(np.unique(np.concatenate([streams.rows_of(seed, 1000) for seed in range(200)]))) == 200_000


def test_samples_are_generated_from_the_derived_seeds(plain):
    rows = streams.rows_of(7, 5)
    for draws, output in ((False, "mean"), (True, "draw")):
        wanted = plain.generate(rows, draws=draws)[output]
        np.testing.assert_array_equal(plain.sample(5, seed=7, draws=draws), wanted)
    # More samples begin with the same ones; rounding depends on the batch.
    np.testing.assert_allclose(plain.sample(9, seed=7)[:5], plain.sample(5, seed=7), rtol=1e-6)


def test_one_seed_is_one_image(plain):
    z = plain.generate([5, 5, 6, 2**40 + 5, -5])["z"].numpy()
    np.testing.assert_array_equal(z[0], z[1])
    assert len(np.unique(z, axis=0)) == 4


def test_seeds_of_rows_are_integers(plain):
    vae, x = plain, np.zeros([2, 6], np.float32)
    for call in (
        lambda: vae.generate([0.0, 1.7]),
        lambda: vae.generate([True, False]),
        lambda: vae.generate([2**63, 0]),
        lambda: vae.generate(np.array([2**64 - 1], np.uint64)),
        lambda: vae.generate([[1], [2, 3]]),
        lambda: vae.generate(None),
        lambda: vae.generate(tf.constant([0.2, 0.7])),
        lambda: vae.score(x, seeds=np.zeros(2)),
    ):
        with pytest.raises(ValueError, match=r"seeds: expected 64-bit integers, received .* Use numpy.arange\(8\)"):
            call()
    inference = vae.infer(x)
    for bad in (
        1.7,
        np.float32(1.7),
        True,
        -3,
        2**31,
        "0",
        [1, 2, 3],
        [1, 2**31],
        [0.5, 1.0],
        tf.constant(1),
        [[1], [2, 3]],
    ):
        for call in (
            lambda bad=bad: vae.log_weights(x, seed=bad),
            lambda bad=bad: vae.sample_prior(2, seed=bad),
            lambda bad=bad: inference.sample(1, bad),
            lambda bad=bad: inference.sample_prior(bad),
            lambda bad=bad: inference.sample_and_log_posterior(1, bad),
        ):
            with pytest.raises(
                ValueError, match=r"^\S+: seed: expected an integer .*, received .*\. Use 0, for example\.$"
            ):
                call()


def test_every_measure_refuses_what_is_no_seed_before_anything_else():
    measures = {name: getattr(kv.evaluation, name) for name in kv.evaluation.__all__}
    measures |= {name: getattr(disentanglement_metrics, name) for name in ("beta_vae", "dci", "factor_vae")}
    found = 0
    for name, measure in measures.items():
        parameters = inspect.signature(measure).parameters if inspect.isfunction(measure) else {}
        if "seed" not in parameters:
            continue
        found += 1
        required = {each.name: None for each in parameters.values() if each.default is each.empty}
        for bad in (1.7, np.float64(2.0), True, -1, 2**31):
            with pytest.raises(
                ValueError, match=rf"^{name}: seed: expected an integer from 0 to {2**31 - 1}, received .*\. Use 0"
            ):
                measure(**{**required, "seed": bad})
    assert found >= 16


def test_every_stream_is_made_in_one_place():
    """What loses bits, or draws from a bare seed, is in `utils/seeds.py` alone; constants need no stream."""
    package = Path(kv.__file__).parent
    lossy = re.compile(
        r"stateless_fold_in\(|default_rng\((?!0\))|SeedSequence\(|np\.random\.(rand|seed|normal|uniform)"
    )
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(lossy.search(line) for line in path.read_text().splitlines() if ">>>" not in line)
    }
    # The classifier's weights: four 32-bit seeds of Keras initializers.
    assert found == {"utils/seeds.py", "evaluation/samples/features.py"}
