"""Checks of a family: shapes, support, normalization, and agreement of samples and density."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families import ONE_HOT, Family
from keras_vae.testing.expect import expect, step
from keras_vae.utils.arguments import one_line

_ROWS = 64
_DRAWS = 4000
# Points t of a quadrature. They are mapped to nodes in the support, dense where a density may be steep.
_POINTS = np.linspace(-30.0, 30.0, 60_001)
_STANDARD_ERRORS = 6.0


def check_density(family: Family) -> np.ndarray:
    """Check a family and return samples of it, `[64, *event]`, for different parameters.

    Raises:
        AssertionError: If a check fails.
    """
    with step("parameters"):
        parameters, unconstrained = _parameters(family, _ROWS)
    distribution = family.distribution(parameters)
    event, support = family.event_shape, family.support
    with step("distribution"):
        for name, found, expected in (
            ("event_shape", distribution.event_shape, event),
            ("batch_shape", distribution.batch_shape, (_ROWS,)),
        ):
            expect(
                tuple(found) == tuple(expected),
                f"{name}: expected {tuple(expected)}, received {tuple(found)}. Use self.independent(...) to turn an "
                "element-wise distribution into one over events",
            )
    with step("samples"):
        x = support.clip(distribution.sample(seed=[1, 2]))
        inside = support.contains(x).numpy()
        if not np.all(inside):
            value = np.asarray(x)[np.broadcast_to(~inside, x.shape)][0]
            raise AssertionError(f"expected {support.expected}, received {value:g}. Set support to the set of values")
        nan = support.contains(tf.fill(event, tf.constant(np.nan, x.dtype)))
        expect(not np.any(nan), "NaN: expected outside the support, received inside. Compare so that NaN is False")
    with step("log_prob"):
        with tf.GradientTape() as tape:
            tape.watch(unconstrained)
            log_prob = family.distribution(family(unconstrained)).log_prob(x)
        gradient = tape.gradient(log_prob, unconstrained)
        expect(
            tuple(log_prob.shape) == (_ROWS,),
            f"expected shape ({_ROWS},), received {tuple(log_prob.shape)}. Sum over the event's axes",
        )
        finite = np.all(np.isfinite(log_prob))
        expect(finite, "expected finite numbers at samples, received NaN or infinity. Bound the parameters")
        expect(
            gradient is not None and np.all(np.isfinite(gradient)) and np.any(gradient != 0),
            "expected a finite gradient with respect to the parameters, received none, NaN or zeros. Use TensorFlow "
            "operations with gradients",
        )
    with step("mean and scale"):
        for name, value in (("mean", family.mean(parameters)), ("scale", family.scale(parameters))):
            expect(
                tuple(value.shape) == (_ROWS, *event) and np.all(np.isfinite(value)),
                f"{name}: expected finite numbers of shape {(_ROWS, *event)}, received shape {tuple(value.shape)}. "
                f"Override {name} in the family",
            )
    with step("normalization"):
        _check_normalization(family)
    return x.numpy().astype(np.float32)


def _parameters(family: Family, rows: int) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    draws = np.random.default_rng(0).normal(size=[rows, *family.parameters_shape])
    unconstrained = tf.constant(draws, family.variable_dtype)
    parameters = family(unconstrained)
    expect(
        isinstance(parameters, dict) and all(tf.is_tensor(value) for value in parameters.values()),
        f"expected call to return a dict of tensors, received {one_line(parameters)}. Name each parameter",
    )
    for name, value in parameters.items():
        expect(
            value.shape[0] == rows,
            f"{name}: expected a leading batch axis of {rows}, received shape {tuple(value.shape)}. Keep leading axes",
        )
    return parameters, unconstrained


def _check_normalization(family: Family) -> None:
    """Check the density's integral and the samples' mean, for a family that factorizes or has one element."""
    parameters, _ = _parameters(family, 1)
    distribution = family.distribution(parameters)
    values, weights = _nodes(family)
    log_probs = _log_probs(family, distribution, values)
    if log_probs is None:
        return
    masses = np.exp(log_probs.astype(np.float64)) * weights.reshape([-1, *[1] * (log_probs.ndim - 1)])
    total = masses.sum(axis=0)
    expect(
        np.allclose(total, 1.0, rtol=0, atol=5e-3),
        f"expected log_prob to {'sum' if family.support.discrete else 'integrate'} to 1 over the support, received "
        f"{total.ravel()[np.abs(total - 1).argmax()]:.4f}. Check the normalizing constant",
    )
    if family.support is ONE_HOT:
        return
    x = distribution.sample(_DRAWS, seed=[3, 4]).numpy().astype(np.float64).reshape([_DRAWS, -1])
    error = x.std(axis=0) / np.sqrt(_DRAWS)
    mean = (masses * values.reshape([-1, *[1] * (masses.ndim - 1)])).sum(axis=0).ravel()
    worst = np.abs(x.mean(axis=0) - mean) - _STANDARD_ERRORS * error - 1e-3
    expect(
        np.all(worst < 0),
        f"expected samples with the density's mean, {mean[worst.argmax()]:.4f}, received a mean of "
        f"{x.mean(axis=0)[worst.argmax()]:.4f} over {_DRAWS} samples. Check that sample and log_prob agree",
    )


def _nodes(family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Return points of the support and their weights in a sum or an integral."""
    support, t = family.support, _POINTS
    step_size = t[1] - t[0]
    if support is ONE_HOT:
        categories = family.event_shape[-1]
        return np.eye(categories), np.ones(categories)
    if support.values:
        return np.asarray(support.values), np.ones(len(support.values))
    if support.discrete:
        limits = (max(support.lower, -1000.0), min(support.upper, 1000.0))
        counts = np.arange(np.ceil(limits[0]), np.floor(limits[1]) + 1)
        return counts, np.ones(len(counts))
    if support.bounded:
        share = 1 / (1 + np.exp(-t))
        length = support.upper - support.lower
        values, weights = support.lower + length * share, length * share * (1 - share) * step_size
        # The others round to the ends in the family's precision, and have negligible weights.
        inside = np.abs(t) < 15.0
        return values[inside], weights[inside]
    if np.isfinite(support.lower):
        return support.lower + np.exp(t), np.exp(t) * step_size
    if np.isfinite(support.upper):
        return support.upper - np.exp(t), np.exp(t) * step_size
    return np.sinh(t / 2), np.cosh(t / 2) / 2 * step_size


def _log_probs(family: Family, distribution: tfd.Distribution, values: np.ndarray) -> np.ndarray | None:
    """Return log-probabilities of each part at each value, `[values, *parts]`, or None if parts are dependent."""
    event = family.event_shape
    points = tf.constant(values, family.variable_dtype)
    if family.support is ONE_HOT:
        rows = tf.broadcast_to(points[:, None, :], [len(values), *event])
        return family.log_prob_by_part(distribution, rows[:, None]).numpy()[:, 0]
    x = tf.broadcast_to(tf.reshape(points, [-1, *[1] * len(event)]), [len(values), *event])
    if np.prod(event) == 1:
        return distribution.log_prob(x[:, None]).numpy()
    try:
        if family.joint_axes():
            return None
    except ValueError:  # it does not factorize
        return None
    # In blocks, because some families need much memory per value.
    parts = [family.log_prob_by_part(distribution, part[:, None]).numpy()[:, 0] for part in tf.split(x, _cuts(len(x)))]
    return np.concatenate(parts)


def _cuts(count: int, size: int = 2048) -> list[int]:
    return [size] * (count // size) + ([count % size] if count % size else [])
