"""The base class of conditions."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.families.support import Support
from keras_vae.utils.arrays import as_array, show_shape


class Condition:
    """y of p(x|z, y), q(z|x, y) and, for some priors, p(z|y) (Sohn, Lee & Yan 2015, equation 4).

    Attributes:
        size: Length of y as the networks see it.
        shape: Shape of one y as the user passes it.
        dtype: The dtype of y as the user passes it.
        support: The values that y may have.
    """

    size: int
    shape: tuple[int, ...]
    dtype: tf.DType
    support: Support

    def encode(self, y: Any) -> tf.Tensor:
        """Return y as the networks see it, `[..., size]`, for y `[..., *shape]`; the model casts it to its dtype."""
        raise NotImplementedError

    def checked(self, y: Any, rows: tf.Tensor | None) -> tf.Tensor:
        """Return one y for each row as a tensor, `[rows, *shape]`.

        In a traced function, values and unknown sizes are checked when it runs.

        Args:
            y: `[*shape]`, one for all rows, or `[rows, *shape]`.
            rows: The number of rows, a scalar; None for as many as y has, which may be one y without the axis.

        Raises:
            ValueError: If y has another shape, or a value outside the support.
        """
        y = tf.convert_to_tensor(as_array(y, "condition"))
        known = None if rows is None else tf.get_static_value(rows)
        if rows is not None and y.shape.is_compatible_with(self.shape):
            y = tf.broadcast_to(y, tf.concat([tf.reshape(rows, [1]), self.shape], 0))
        one_for_all = rows is None and y.shape.is_compatible_with(self.shape)
        if not one_for_all and not y.shape.is_compatible_with([known, *self.shape]):
            expected = show_shape(("batch" if known is None else int(known), *self.shape))
            raise ValueError(
                f"condition: expected one y, shape {self.shape}, or one per row, shape {expected}, received shape "
                f"{show_shape(y.shape)}. {self.support.advice}."
            )
        inside = self.support.contains(y)
        if tf.executing_eagerly():
            if not np.all(inside):
                self._refuse(y.numpy()[~inside.numpy()].ravel()[0])
            return y
        # The first value outside, by operations that XLA compiles; padded, since a batch may be empty.
        outside = tf.argmin(tf.concat([tf.cast(tf.reshape(inside, [-1]), tf.int32), [1]], 0))
        value = tf.concat([tf.reshape(y, [-1]), tf.zeros([1], y.dtype)], 0)[outside]
        parts = [f"condition: expected {self.support.expected}, received", value, f"{self.support.advice}."]
        checks = [tf.debugging.Assert(tf.reduce_all(inside), parts, summarize=1)]
        if rows is not None and known is None:
            parts = ["condition: expected one per row,", rows, "rows, received", tf.shape(y)[0], "Pass one per row."]
            checks.append(tf.debugging.Assert(tf.equal(tf.shape(y)[0], rows), parts))
        with tf.control_dependencies(checks):
            if rows is None or known is not None:
                return tf.identity(y)
            # XLA drops assertions, but refuses to reshape to another size.
            return tf.reshape(y, tf.concat([tf.reshape(rows, [1]), self.shape], 0))

    def _refuse(self, value: Any) -> None:
        raise ValueError(f"condition: expected {self.support.expected}, received {value}. {self.support.advice}.")

    def rows(self, y: Any, count: int) -> np.ndarray:
        """Return one y per row, from one for all rows or one per row.

        Args:
            y: `[*shape]` or `[count, *shape]`.
            count: The number of rows.

        Returns:
            `[count, *shape]`.

        Raises:
            ValueError: If y has another shape, or a value outside the support.
        """
        if y is None:
            raise ValueError(f"condition: expected {self.support.expected}, received none. Pass condition=y.")
        given = np.asarray(as_array(y, "condition"))
        expected = f"one y, shape {self.shape}, or one per row, shape {(count, *self.shape)}"
        if given.shape not in (self.shape, (count, *self.shape)):
            raise ValueError(f"condition: expected {expected}, received shape {given.shape}. {self.support.advice}.")
        inside = self.support.contains(tf.convert_to_tensor(given)).numpy()
        if not np.all(inside):
            self._refuse(given[~inside].ravel()[0])
        exact = self.dtype.is_floating and given.dtype.kind == "f"  # a model in float64 keeps its digits
        dtype = given.dtype if exact else self.dtype.as_numpy_dtype
        return np.broadcast_to(given, (count, *self.shape)).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Condition":
        """Rebuild from `get_config`."""
        return cls(**config)
