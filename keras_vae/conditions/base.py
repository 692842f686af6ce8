"""What all conditions share."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.families.support import Support


class Condition:
    """y of p(x|z, y), q(z|x, y) and, if it wants, p(z|y) (Sohn, Lee & Yan 2015, equation 4).

    Attributes:
        size: Length of y as the networks see it.
        shape: Shape of one y as a user gives it.
        dtype: Of y as a user gives it.
        support: The values it may have.
    """

    size: int
    shape: tuple[int, ...]
    dtype: tf.DType
    support: Support

    def encode(self, y: Any) -> tf.Tensor:
        """Return what the networks see, `[..., size]`, of y `[..., *shape]`."""
        raise NotImplementedError

    def checked(self, y: Any, rows: tf.Tensor | None) -> tf.Tensor:
        """Return one y for each row as a tensor, `[rows, *shape]`.

        Inside a traced function, values and unknown sizes are checked when it runs.

        Args:
            y: `[*shape]`, one for all rows, or `[rows, *shape]`.
            rows: How many rows there are, a scalar; None for as many as y, which may be one without the axis.

        Raises:
            ValueError: If y has another shape, or a value that is none of the condition's.
        """
        y = tf.convert_to_tensor(y)
        known = None if rows is None else tf.get_static_value(rows)
        if rows is not None and y.shape.is_compatible_with(self.shape):
            y = tf.broadcast_to(y, tf.concat([tf.reshape(rows, [1]), self.shape], 0))
        one_for_all = rows is None and y.shape.is_compatible_with(self.shape)
        if not one_for_all and not y.shape.is_compatible_with([known, *self.shape]):
            wanted = ("batch" if known is None else int(known), *self.shape)
            raise ValueError(
                f"condition has shape {tuple(y.shape)}; wanted one y, shape {self.shape}, or one for each row, shape "
                f"({', '.join(map(str, wanted))}). {self.support.advice}"
            )
        if not (y.dtype.is_floating or y.dtype.is_integer or y.dtype.is_bool):
            raise ValueError(f"condition has dtype {y.dtype.name}; wanted numbers")
        inside = self.support.contains(y)
        if tf.executing_eagerly():
            if not np.all(inside):
                self._refuse(y.numpy()[~inside.numpy()].ravel()[0])
            return y
        checks = [tf.debugging.Assert(tf.reduce_all(inside), [f"condition: wanted {self.support.wanted}; received", y])]
        if rows is not None and known is None:
            text = "condition: wanted one for each row"
            checks.append(tf.debugging.Assert(tf.equal(tf.shape(y)[0], rows), [text, tf.shape(y)[0], rows]))
        with tf.control_dependencies(checks):
            return tf.identity(y)

    def _refuse(self, value: Any) -> None:
        raise ValueError(f"condition holds the value {value}; wanted {self.support.wanted}. {self.support.advice}")

    def rows(self, y: Any, count: int) -> np.ndarray:
        """Read one y for all rows, or one for each.

        Args:
            y: `[*shape]` or `[count, *shape]`.
            count: How many rows there are.

        Returns:
            `[count, *shape]`.

        Raises:
            ValueError: If y has another shape, or a value that is none of the condition's.
        """
        if y is None:
            raise ValueError(f"the model has a condition: give condition=y, {self.support.wanted}")
        given = np.asarray(y)
        wanted = f"one y, shape {self.shape}, or one for each row, shape {(count, *self.shape)}"
        if given.shape not in (self.shape, (count, *self.shape)):
            raise ValueError(f"condition has shape {given.shape}; wanted {wanted}")
        if given.dtype.kind not in "iufb":
            raise ValueError(f"condition has dtype {given.dtype}; wanted numbers. {self.support.advice}")
        inside = self.support.contains(tf.convert_to_tensor(given)).numpy()
        if not np.all(inside):
            self._refuse(given[~inside].ravel()[0])
        return np.broadcast_to(given, (count, *self.shape)).astype(self.dtype.as_numpy_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Condition":
        """Rebuild from `get_config`."""
        return cls(**config)
