"""The planar flow."""

import math
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import util as tfp_util

# wᵀû stays above −0.99 instead of −1, so that the inverse and the log-determinant stay bounded.
_LOWEST = 0.99
_SHRINK = -math.expm1(-_LOWEST)
# Newton steps from the side where they cannot overshoot; enough for float64 and wᵀû up to 1e12.
_NEWTON_STEPS = 40


class Planar(tfb.Bijector):
    """z' = z + û tanh(wᵀz + b), with û derived from u so that wᵀû > −1.

    Rezende & Mohamed (2015), equations 10 to 12 and appendix A.1. log |det| = log(1 + wᵀû (1 − tanh²(wᵀz + b))).
    û = u + (m(wᵀu) − wᵀu) w/‖w‖² as in the paper, but with m(x) = log(1 + (1 − e⁻ᶜ)(eˣ − 1)), c = 0.99, instead of
    −1 + log(1 + eˣ). It also rises from below 0 to x + constant, but has m(0) = 0, so that û stays bounded as w → 0
    and u = 0 is the identity. It stays above −c.

    The inverse solves t + wᵀû tanh t = wᵀz' + b for t = wᵀz + b by a fixed number of steps of Newton's
    method. It is differentiable once, by the implicit function theorem.

    Args:
        u: `[..., event]`.
        w: `[..., event]`.
        b: `[...]`.

    Example:
        >>> import tensorflow as tf
        >>> step = Planar(tf.constant([1.0, 0.0]), w=tf.constant([2.0, 0.0]), b=tf.constant(0.0))
        >>> z = tf.constant([[0.5, 0.5]])
        >>> bool(tf.reduce_max(abs(step.inverse(step.forward(z) + 0.0) - z)) < 1e-6)
        True
    """

    def __init__(self, u: tf.Tensor, *, w: tf.Tensor, b: tf.Tensor, name: str = "planar") -> None:
        parameters = dict(locals())
        self._u, self._w, self._b = u, w, b
        x = _dot(w, u)
        lowered, correction = _lower_bounded(x)
        # If w is so small that wᵀu cannot reach −c in any direction, a floor under ‖w‖² reduces the correction.
        squared_norm = _dot(w, w)
        floor = 1.0 / (1e4 + 2.0 * _dot(u, u))
        divisor = tf.maximum(squared_norm, floor)
        self._u_hat = u + (correction / divisor)[..., None] * w
        # The product wᵀû would cancel.
        self._slope = lowered - correction * tf.maximum(floor - squared_norm, 0.0) / divisor
        super().__init__(forward_min_event_ndims=1, dtype=u.dtype, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {
            "u": tfp_util.ParameterProperties(event_ndims=1),
            "w": tfp_util.ParameterProperties(event_ndims=1),
            "b": tfp_util.ParameterProperties(),
        }

    def _forward(self, z: tf.Tensor) -> tf.Tensor:
        return z + self._u_hat * tf.tanh(_dot(self._w, z) + self._b)[..., None]

    def _forward_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
        return tf.math.log1p(self._slope * _tanh_slope(_dot(self._w, z) + self._b))

    def _inverse(self, z: tf.Tensor) -> tf.Tensor:
        t = _solve(self._slope, _dot(self._w, z) + self._b)
        return z - self._u_hat * tf.tanh(t)[..., None]


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b, axis=-1)


def _tanh_slope(t: tf.Tensor) -> tf.Tensor:
    """Return 1 − tanh² t, without cancellation."""
    return 4.0 * tf.sigmoid(2.0 * t) * tf.sigmoid(-2.0 * t)


def _lower_bounded(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return m(x) and m(x) − x, each without cancellation on both sides of zero."""
    zero = tf.zeros_like(x)  # a number in the first place would be float32
    above, below = tf.where(x > 0.0, x, zero), tf.where(x > 0.0, zero, x)
    logs = tf.math.log1p((1.0 - _SHRINK) * tf.math.expm1(-above)) + tf.math.log1p(_SHRINK * tf.math.expm1(below))
    return above + logs, logs - below


def _solve(slope: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Return t with t + slope · tanh t = target, for slope > −1; differentiable once."""
    size, fixed = tf.abs(tf.stop_gradient(target)), tf.stop_gradient(slope)
    # The left side is odd. For t ≥ 0 it is concave if slope > 0, and Newton's method rises from the left to the
    # root; it is convex if slope < 0, and the method falls from the right. Both ends are |target| − slope.
    start = tf.maximum(size - fixed, 0.0)
    (t,) = tf.while_loop(
        lambda _: True,
        lambda t: (t - (t + fixed * tf.tanh(t) - size) / (1.0 + fixed * _tanh_slope(t)),),
        (start,),
        maximum_iterations=_NEWTON_STEPS,
    )
    t = tf.stop_gradient(tf.sign(target) * t)
    # One more step changes nothing but carries the derivatives.
    return t - (t + slope * tf.tanh(t) - target) / (1.0 + fixed * _tanh_slope(t))
