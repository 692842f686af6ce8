import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.flows.made import MADE
from tests.flow_checks import jacobian, randomize


def dependence(made, context=None):
    """Return which inputs each output depends on, `[sites, outputs, sites · inputs]`, at three points."""
    rng = np.random.default_rng(3)
    found = 0.0
    for _ in range(3):
        z = rng.normal(size=made.sites * made.inputs_per_site).astype(np.float32)
        found = found + np.abs(jacobian(lambda z: made(z, context), z))
    return found > 0


@pytest.mark.parametrize("hidden", [[], [3], [7, 16, 9]])
@pytest.mark.parametrize(("sites", "inputs"), [(1, 1), (2, 1), (5, 1), (3, 4)])
@pytest.mark.parametrize("context_size", [0, 2])
def test_outputs_depend_on_all_earlier_sites_and_on_no_other(hidden, sites, inputs, context_size):
    made = MADE(sites, outputs_per_site=2, hidden=hidden, inputs_per_site=inputs, context_size=context_size)
    randomize(made)
    context = tf.constant([0.3, -0.2]) if context_size else None
    found = dependence(made, context).reshape(sites, 2, sites, inputs)
    earlier = np.tril(np.ones([sites, sites], bool), -1)
    np.testing.assert_array_equal(found, np.broadcast_to(earlier[:, None, :, None], found.shape))


@pytest.mark.parametrize("hidden", [[], [16], [16, 8]])
def test_every_output_depends_on_the_context(hidden):
    made = MADE(4, outputs_per_site=2, hidden=hidden, context_size=3)
    randomize(made)
    z = tf.constant([0.5, -1.0, 0.2, 0.1])
    assert np.all(jacobian(lambda context: made(z, context), tf.zeros([3])) != 0)


def test_hidden_layers_carry_the_context_and_earlier_sites():
    # Without the direct connections; the first site's output then bends with the context alone.
    made = MADE(4, outputs_per_site=1, hidden=[16, 16], context_size=2)
    randomize(made)
    made.direct.assign(tf.zeros_like(made.direct))
    made.context_out.assign(tf.zeros_like(made.context_out))
    z = tf.constant([0.5, -1.0, 0.2, 0.1])
    found = jacobian(lambda z: made(z, tf.ones([2])), z)[:, 0]
    np.testing.assert_array_equal(found != 0, np.tril(np.ones([4, 4], bool), -1))
    assert np.all(jacobian(lambda context: made(z, context), tf.ones([2])) != 0)


def test_leading_axes_broadcast_against_the_context():
    made = MADE(3, outputs_per_site=2, hidden=[8], context_size=2)
    randomize(made)
    rng = np.random.default_rng(0)
    z = rng.normal(size=[5, 4, 1, 3]).astype(np.float32)
    context = rng.normal(size=[6, 2]).astype(np.float32)
    found = made(z, context)
    assert found.shape == (5, 4, 6, 3, 2)
    np.testing.assert_allclose(found[2, 3, 5], made(z[2, 3, 0], context[5]), rtol=1e-5, atol=1e-6)
    per_row = made(z[:, :, 0], context[:4])  # [S, B, D] with [B, C]
    np.testing.assert_allclose(per_row[1, 2], made(z[1, 2, 0], context[2]), rtol=1e-5, atol=1e-6)


def test_starts_near_zero():
    made = MADE(10, outputs_per_site=2, hidden=[64, 64], context_size=8)
    z, context = tf.random.stateless_normal([100, 10], [1, 2]), tf.random.stateless_normal([100, 8], [3, 4])
    # Sums of about 64 products with weights of 0.01, so about 0.1.
    assert 0 < float(tf.math.reduce_std(made(z, context))) < 0.3


def test_config_and_weights_round_trip(tmp_path):
    made = MADE(3, outputs_per_site=2, hidden=[8, 4], inputs_per_site=2, context_size=5, activation="tanh")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert copy.get_config() == made.get_config()
    assert [w.shape for w in copy.weights] == [w.shape for w in made.weights]
    inputs, context = keras.Input([6]), keras.Input([5])
    model = keras.Model([inputs, context], made(inputs, context))
    randomize(made)
    model.save(tmp_path / "made.keras")
    loaded = keras.saving.load_model(tmp_path / "made.keras")
    arguments = [np.ones([2, 6], np.float32), np.ones([2, 5], np.float32)]
    np.testing.assert_array_equal(loaded(arguments), model(arguments))


def test_float64_where_the_policy_is():
    keras.config.set_dtype_policy("float64")
    made = MADE(3, outputs_per_site=2, hidden=[8])
    assert made(tf.zeros([2, 3], tf.float64)).dtype == tf.float64
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert MADE(3, outputs_per_site=2, hidden=[8])(tf.zeros([2, 3])).dtype == tf.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sites": 0}, "sites: expected a positive integer, received 0"),
        ({"outputs_per_site": 1.5}, "outputs_per_site: expected a positive integer, received 1.5"),
        ({"inputs_per_site": -1}, "inputs_per_site: expected a positive integer, received -1"),
        ({"context_size": -1}, "context_size: expected a positive integer, received -1"),
        ({"hidden": 64}, "expected hidden to be a sequence of widths, received 64"),
        ({"hidden": [8, 0]}, "each width in hidden: expected a positive integer, received 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MADE(**{"sites": 3, "outputs_per_site": 2, **arguments})


def test_missing_and_unwanted_context_is_refused():
    with pytest.raises(ValueError, match="MADE: expected a context"):
        MADE(3, outputs_per_site=2, context_size=2)(tf.zeros([1, 3]))
    with pytest.raises(ValueError, match="MADE: expected no context"):
        MADE(3, outputs_per_site=2)(tf.zeros([1, 3]), tf.zeros([1, 2]))
