import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families import Bernoulli, Normal
from keras_vae.families.inverse_autoregressive_flow import InverseAutoregressiveFlow
from keras_vae.families.one_hot_categorical import OneHotCategorical
from keras_vae.priors.autoregressive import Autoregressive
from tests.flow_checks import cell_probabilities, differences, jacobian, randomize, samples_fit

BITS = np.array(list(itertools.product([0, 1], repeat=3)), np.float32)
# All pairs of a site of 3 categories each, `[9, 2, 3]`.
PAIRS = np.eye(3, dtype=np.float32)[np.array(list(itertools.product(range(3), repeat=2)))]


def make(family, scale=1.0):
    prior = Autoregressive(family, hidden=[8])
    randomize(prior, scale)
    return prior


def frequencies_fit(prior, states):
    """Return the p-value of draws against the enumerated probabilities of all states."""
    p = prior.distribution()
    draws = p.sample(5000, seed=tf.constant([1, 2])).numpy().reshape(5000, 1, -1)
    matches = np.all(draws == states.reshape(1, len(states), -1), -1)
    assert np.all(matches.sum(1) == 1)  # each draw is one of the states
    probabilities = np.exp(p.log_prob(states).numpy().astype(np.float64))
    return scipy.stats.chisquare(matches.sum(0), 5000 * probabilities / probabilities.sum()).pvalue


@pytest.mark.parametrize(("family", "states"), [(Bernoulli(3), BITS), (OneHotCategorical((2, 3)), PAIRS)])
def test_all_states_sum_to_one_and_are_drawn_as_often(family, states):
    prior = make(family)
    assert np.exp(prior.distribution().log_prob(states)).sum() == pytest.approx(1, rel=1e-5)
    assert frequencies_fit(prior, states) > 0.001  # level 0.001, seed fixed


def test_elements_depend_on_those_before_them():
    probabilities = np.exp(make(Bernoulli(3)).distribution().log_prob(BITS)).reshape(2, 2, 2)
    first_two = probabilities.sum(2)
    # Independent elements would have a determinant of zero.
    assert abs(np.linalg.det(first_two / first_two.sum())) > 1e-3


def test_conditionals_depend_on_earlier_sites_alone():
    prior = make(Normal(4))
    loc = jacobian(lambda z: prior._conditionals(z).distribution.loc, np.full(4, 0.3, np.float32))
    np.testing.assert_array_equal(loc != 0, np.tril(np.ones([4, 4], bool), -1))
    one_hot = make(OneHotCategorical((3, 2)))
    z = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    logits = jacobian(lambda z: one_hot._conditionals(z).distribution.logits, z)
    wanted = np.broadcast_to(np.tril(np.ones([3, 3], bool), -1)[:, None, :, None], [3, 2, 3, 2])
    np.testing.assert_array_equal(logits != 0, wanted)


def test_normal_against_the_density():
    prior = make(Normal(2), 0.5)
    p = prior.distribution()
    assert cell_probabilities(p, 12.0, 16, 25).sum() == pytest.approx(1, abs=1e-3)
    assert samples_fit(p, 4.0) > 0.001  # level 0.001, seed fixed
    assert p.reparameterization_type == tfd.FULLY_REPARAMETERIZED


def test_event_of_many_axes():
    prior = make(Bernoulli((2, 2, 1)))
    p = prior.distribution()
    states = np.array(list(itertools.product([0, 1], repeat=4)), np.float32).reshape(-1, 2, 2, 1)
    assert np.exp(p.log_prob(states)).sum() == pytest.approx(1, rel=1e-5)
    assert frequencies_fit(prior, states) > 0.001
    assert p.sample(5, seed=tf.constant([1, 2])).shape == (5, 2, 2, 1)


def test_gradients_against_differences():
    keras.config.set_dtype_policy("float64")
    prior = make(Bernoulli(3))
    bias = prior.network.biases[-1]
    with tf.GradientTape() as tape:
        out = prior.distribution().log_prob(tf.constant([1.0, 0.0, 1.0], tf.float64))
    found = tape.gradient(out, [w.value for w in prior.trainable_weights])
    assert all(g is not None for g in found)
    at = bias.numpy()

    def of_bias(value):
        bias.assign(value)
        return prior.distribution().log_prob(tf.constant([1.0, 0.0, 1.0], tf.float64))

    [number] = [i for i, w in enumerate(prior.trainable_weights) if w is bias]
    np.testing.assert_allclose(found[number], differences(of_bias, at), rtol=1e-6, atol=1e-9)


def test_gradients_of_samples_against_differences():
    keras.config.set_dtype_policy("float64")
    prior = make(Normal(3), 0.5)
    bias = prior.network.biases[-1]

    def of_bias(value):
        bias.assign(value)
        return tf.reduce_sum(prior.distribution().sample(4, seed=tf.constant([1, 2])) ** 2)

    at = bias.numpy()
    with tf.GradientTape() as tape:
        out = of_bias(at)
    np.testing.assert_allclose(tape.gradient(out, bias.value), differences(of_bias, at), rtol=1e-6, atol=1e-8)


def test_extreme_weights_stay_finite():
    for family, z in ((Bernoulli(3), BITS), (Normal(3), 40 * BITS)):
        prior = make(family, 40.0)
        with tf.GradientTape() as tape:
            log_prob = prior.distribution().log_prob(z)
        assert np.all(np.isfinite(log_prob))
        assert all(np.all(np.isfinite(g)) for g in tape.gradient(log_prob, [w.value for w in prior.trainable_weights]))


@pytest.mark.parametrize("family", [Bernoulli(3), Normal(3), OneHotCategorical((2, 3))])
def test_shapes_and_compilation(family):
    prior = make(family)
    p = prior.distribution()
    assert p.batch_shape == ()
    assert tuple(p.batch_shape_tensor()) == ()
    assert p.event_shape == tuple(p.event_shape_tensor()) == prior.event_shape == family.event_shape
    assert prior.support is family.support
    z = p.sample([5, 4], seed=tf.constant([1, 2]))
    assert z.shape == (5, 4, *family.event_shape)
    eager = p.log_prob(z)
    assert eager.shape == (5, 4)
    np.testing.assert_allclose(p.log_prob(z[2, 3]), eager[2, 3], rtol=1e-4)

    def run(z):
        q = prior.distribution()
        drawn = q.sample(6, seed=tf.constant([1, 2]))
        return q.log_prob(z), drawn, q.log_prob(drawn)

    for jit in (False, True):
        log_prob, drawn, density = tf.function(run, jit_compile=jit)(z)
        np.testing.assert_allclose(log_prob, eager, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(density, p.log_prob(drawn), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", [Bernoulli(3), OneHotCategorical((2, 3))])
def test_one_draw_a_seed_in_a_map(family):
    prior = make(family)
    seeds = tf.constant([[1, 2], [3, 4], [1, 2], *([number, 6] for number in range(20))])

    @tf.function
    def draw():
        p = prior.distribution()
        return tf.map_fn(lambda seed: p.sample(seed=seed), seeds, fn_output_signature=p.dtype)

    z = draw()
    assert z.shape == (23, *family.event_shape)
    np.testing.assert_array_equal(z[0], z[2])
    assert len(np.unique(z.numpy().reshape(23, -1), axis=0)) > 1
    np.testing.assert_array_equal(z[1], prior.distribution().sample(seed=seeds[1]))


def test_owned_weights_of_the_family_are_trained():
    family = Normal(3, scale="learned")
    prior = Autoregressive(family, hidden=[8])
    assert any(w is family.log_scale for w in prior.trainable_weights)


def test_saves_and_loads(tmp_path):
    @keras.saving.register_keras_serializable("tests", "HolderAutoregressive")
    class Holder(keras.Model):
        def __init__(self, prior, **kwargs):
            super().__init__(**kwargs)
            self.prior = prior

        def call(self, z):
            return self.prior.distribution().log_prob(z)

        def get_config(self):
            return {"prior": keras.saving.serialize_keras_object(self.prior)}

        @classmethod
        def from_config(cls, config):
            return cls(keras.saving.deserialize_keras_object(config["prior"]))

    model = Holder(make(Normal(3, scale="learned")))
    z = np.ones([3, 3], np.float32)
    wanted = model(z)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(z), wanted)
    first, second = loaded.prior.get_config(), model.prior.get_config()
    assert (first["hidden"], first["family"]["config"]["event_shape"]) == ([8], [3])
    assert "event_shape" not in second


def test_families_without_independent_sites_are_refused():
    with pytest.raises(ValueError, match=r"expected independent elements.*received InverseAutoregressiveFlow"):
        Autoregressive(InverseAutoregressiveFlow(2))

    class Simplex(Normal):
        def distribution(self, parameters):
            return tfd.Dirichlet(parameters["scale"])

    with pytest.raises(ValueError, match=r"expected independent elements.*received Simplex with event shape \(3,\)"):
        Autoregressive(Simplex(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": 20}, r"family: expected a keras_vae.families.Family, received 20"),
        ({"family": Bernoulli(3), "hidden": 8}, "expected hidden to be a sequence"),
        ({"family": Bernoulli(3), "hidden": [0]}, "received 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Autoregressive(**arguments)
