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
            raise ValueError(
                f"condition holds the value {given[~inside].ravel()[0]}; wanted {self.support.wanted}. "
                f"{self.support.advice}"
            )
        return np.broadcast_to(given, (count, *self.shape)).astype(self.dtype.as_numpy_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Condition":
        """Rebuild from `get_config`."""
        return cls(**config)
