import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.schedules import Cyclical, Exponential, Linear
from keras_vae.schedules.base import as_schedule, deserialize, serialize

EVERY = [Linear(0.25, 2.0, steps=7), Exponential(1.0, 0.1, steps=7), Cyclical(0.1, 3.0, period=7, rising=0.6)]


def values(schedule, steps):
    return np.array([schedule(tf.constant(step, tf.int64)) for step in steps])


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (3.0, 0.5), (0.3, 0.3)])
def test_linear_against_interpolation(start, end):
    steps = np.arange(30)
    wanted = np.interp(steps, [0, 20], [start, end])
    np.testing.assert_allclose(values(Linear(start, end, steps=20), steps), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.5), (0.1, 40.0), (0.3, 0.3)])
def test_exponential_against_a_geometric_progression(start, end):
    wanted = np.concatenate([np.geomspace(start, end, 21), np.full(9, end)])
    np.testing.assert_allclose(values(Exponential(start, end, steps=20), np.arange(30)), wanted, rtol=1e-6)


def test_exponential_is_the_temperature_of_the_paper():
    steps = np.arange(0, 2000, 100)
    wanted = np.maximum(0.5, np.exp(-1e-3 * steps))
    found = values(Exponential(1.0, 0.5, steps=round(np.log(2) / 1e-3)), steps)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)  # steps is log(2)/r rounded


@pytest.mark.parametrize("rising", [0.25, 0.5, 0.9, 1.0])
def test_cyclical_against_interpolation_in_three_periods(rising):
    one_period = np.interp(np.arange(20), [0, 20 * rising], [0.2, 3.0])
    found = values(Cyclical(0.2, 3.0, period=20, rising=rising), np.arange(60))
    np.testing.assert_allclose(found, np.tile(one_period, 3), rtol=1e-6)


def test_late_steps_are_told_apart():
    # 2²⁴ + 1 is not a float32, and 1e12 is not an int32.
    np.testing.assert_array_equal(values(Cyclical(period=4), 4 * 2**22 + np.arange(4)), [0.0, 0.5, 1.0, 1.0])
    np.testing.assert_array_equal(values(Linear(1.0, 0.3, steps=10), [10**12]), np.float32([0.3]))


@pytest.mark.parametrize("schedule", EVERY, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_eager_graph_and_xla_agree(schedule, dtype):
    graph, xla = tf.function(schedule), tf.function(schedule, jit_compile=True)
    for step in (0, 3, 7, 100):
        step = tf.constant(step, dtype)
        assert schedule(step).dtype == tf.float32
        assert schedule(step).shape == ()
        # A few units in the last place: XLA's exponential is another.
        np.testing.assert_allclose([graph(step), xla(step)], float(schedule(step)), rtol=1e-6)


@pytest.mark.parametrize("schedule", EVERY, ids=lambda s: type(s).__name__)
def test_config_round_trip(schedule):
    again = type(schedule).from_config(schedule.get_config())
    stored = deserialize(serialize(schedule))
    assert type(stored) is type(schedule)
    assert again.get_config() == stored.get_config() == schedule.get_config()
    np.testing.assert_array_equal(values(stored, range(20)), values(schedule, range(20)))


def test_as_a_learning_rate():
    variable = keras.Variable(0.0)
    optimizer = keras.optimizers.SGD(Linear(0.0, 1.0, steps=2))
    for wanted in (0.0, -0.5, -1.5, -2.5):
        optimizer.apply([tf.constant(1.0)], [variable])
        assert float(variable) == pytest.approx(wanted)


@pytest.mark.parametrize("number", [0, 2, 0.5, np.float32(0.25), np.int64(3)])
def test_a_number_is_a_constant_schedule(number):
    value = as_schedule(number, "ELBO: beta")(tf.constant(7))
    assert value.dtype == tf.float64  # models in float64 keep the digits of 0.1; others cast it
    assert float(value) == float(number)
    assert deserialize(serialize(number)) == number


def test_schedules_of_keras_are_read_too():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([10], [0.0, 1.0])
    for read in (as_schedule(schedule, "beta"), as_schedule(deserialize(serialize(schedule)), "beta")):
        assert [float(read(tf.constant(step))) for step in (10, 11)] == [0.0, 1.0]
        assert read(tf.constant(0)).dtype == tf.float32


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf"), 1e39, 10**400, True, "1", None, [1.0], abs])
def test_what_is_neither_number_nor_schedule_is_refused(value):
    with pytest.raises(ValueError, match=r"ELBO: beta: expected .*, received .*schedules\.Linear"):
        as_schedule(value, "ELBO: beta")
    with pytest.raises(ValueError, match="Linear: start: expected a non-negative"):
        Linear(value, 1.0, steps=10)
    with pytest.raises(ValueError, match="Linear: end: expected a non-negative"):
        Linear(1.0, value, steps=10)
    with pytest.raises(ValueError, match="Exponential: end: expected a non-negative"):
        Exponential(1.0, value, steps=10)
    with pytest.raises(ValueError, match="Cyclical: high: expected a non-negative"):
        Cyclical(0.0, value, period=10)
    with pytest.raises(ValueError, match="Cyclical: rising: expected"):
        Cyclical(period=10, rising=value)


@pytest.mark.parametrize("steps", [0, -1, 1.5, "10", True, None])
def test_bad_steps_are_refused(steps):
    with pytest.raises(ValueError, match="Linear: steps: expected a positive integer"):
        Linear(0.0, 1.0, steps=steps)
    with pytest.raises(ValueError, match="Exponential: steps: expected a positive integer"):
        Exponential(1.0, 0.5, steps=steps)
    with pytest.raises(ValueError, match="Cyclical: period: expected a positive integer"):
        Cyclical(period=steps)


@pytest.mark.parametrize("rising", [0, 1.01, 2])
def test_a_part_of_the_period_that_is_none_is_refused(rising):
    with pytest.raises(ValueError, match=r"rising: expected a fraction of the period, in \(0, 1\]"):
        Cyclical(period=10, rising=rising)


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 0)])
def test_a_geometric_progression_has_no_zero(start, end):
    with pytest.raises(ValueError, match=r"expected positive start and end.*schedules\.Linear"):
        Exponential(start, end, steps=10)
