"""The structure of the latents: one tensor, or a dict of named groups."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.utils.arrays import as_array


@dataclass(frozen=True)
class LatentGroups:
    """The names and shapes of a model's groups of latents.

    A model with one group takes and returns tensors. A model with several takes and returns dicts, with the names in
    sorted order, as in `tf.nest`.

    Attributes:
        shapes: The shape of one latent per group, by name.

    Example:
        >>> import tensorflow as tf
        >>> groups = LatentGroups({"z1": (3,), "z2": (2,)})
        >>> z = groups.unflatten(tf.zeros([7, 5]))
        >>> {name: tuple(value.shape) for name, value in z.items()}
        {'z1': (7, 3), 'z2': (7, 2)}
        >>> groups.flatten(z).shape
        TensorShape([7, 5])
    """

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def names(self) -> list[str]:
        """The groups' names, sorted."""
        return sorted(self.shapes)

    @property
    def several(self) -> bool:
        """Whether there is more than one group."""
        return len(self.shapes) > 1

    @property
    def size(self) -> int:
        """The number of latents in all groups."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def shape(self) -> Any:
        """The shape of one latent: a tuple, or a dict of tuples."""
        return self.pack(self.shapes)

    def pack(self, by_group: Mapping[str, Any]) -> Any:
        """Return the only value, or a dict with one value per group in sorted order."""
        if self.several:
            return {name: by_group[name] for name in self.names}
        return next(iter(by_group.values()))

    def unpack(self, z: Any, *, same_rows: bool = False, finite: bool = False) -> dict[str, tf.Tensor]:
        """Return the latents by group, each `[..., *latent]`.

        Args:
            z: A tensor for a model with one group; otherwise a dict with one tensor per group.
            same_rows: Whether to check that the leading axes of all groups are equal. In a graph, where they may be
                unknown, the check runs with it.
            finite: Whether to check, unless in a graph, that all values are finite: networks may swallow NaN.

        Raises:
            ValueError: If groups are missing or unknown, a tensor's axes are not as expected, or a value is not finite.
        """
        if not self.several:
            z = {next(iter(self.shapes)): z} if not isinstance(z, Mapping) else z
        if not isinstance(z, Mapping) or set(z) != set(self.shapes):
            received = sorted(map(str, z)) if isinstance(z, Mapping) else type(z).__name__
            raise ValueError(f"z: expected {self._described()}, received {received}. Pass one tensor per group.")
        tensors = {name: tf.convert_to_tensor(as_array(z[name], self._label(name))) for name in self.shapes}
        for name, value in tensors.items():
            shape = self.shapes[name]
            if finite and tf.executing_eagerly():
                _check_finite(value, self._label(name))
            if value.shape.rank is not None and not value.shape[-len(shape) :].is_compatible_with(shape):
                expected = ", ".join(map(str, shape))
                raise ValueError(
                    f"{self._label(name)}: expected shape (..., {expected}), received {tuple(value.shape)}. Pass "
                    "latents of that shape."
                )
        return self._with_same_rows(tensors) if same_rows and self.several else tensors

    def _with_same_rows(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        leading = {name: value.shape[: value.shape.rank - len(self.shapes[name])] for name, value in tensors.items()}
        first, *others = leading
        for name in others:
            if not leading[name].is_compatible_with(leading[first]):
                raise ValueError(
                    f"z: expected as many rows of {name!r} as of {first!r}, {tuple(leading[first])}, received "
                    f"{tuple(leading[name])}. Pass one row of each group per example."
                )
        if all(axes.is_fully_defined() for axes in leading.values()):
            return tensors
        counts = [tf.shape(value)[: leading[name].rank] for name, value in tensors.items()]
        text = f"z: expected as many rows of {' as of '.join(map(repr, tensors))}, received"
        equal = tf.reduce_all([tf.reduce_all(tf.equal(count, counts[0])) for count in counts])
        with tf.control_dependencies([tf.debugging.Assert(equal, [text, *counts])]):
            return {name: tf.identity(value) for name, value in tensors.items()}

    def flatten(self, z: Any) -> tf.Tensor:
        """Return all latents concatenated, `[..., size]`, with the groups in sorted order."""
        parts = self.unpack(z)
        flat = []
        for name in self.names:
            value, rank = parts[name], len(self.shapes[name])
            leading = tf.shape(value)[: value.shape.rank - rank]
            size = math.prod(self.shapes[name])
            static = [*value.shape[: value.shape.rank - rank], size]
            flat.append(tf.ensure_shape(tf.reshape(value, tf.concat([leading, [size]], 0)), static))
        return flat[0] if len(flat) == 1 else tf.concat(flat, axis=-1)

    def unflatten(self, flat: tf.Tensor) -> Any:
        """Return the latents from the result of `flatten`: a tensor, or a dict with one tensor per group."""
        sizes = [math.prod(self.shapes[name]) for name in self.names]
        parts = tf.split(flat, sizes, axis=-1) if self.several else [flat]
        leading = tf.shape(flat)[:-1]
        found = {}
        for name, part in zip(self.names, parts, strict=True):
            shape = self.shapes[name]
            found[name] = tf.ensure_shape(tf.reshape(part, tf.concat([leading, shape], 0)), [*flat.shape[:-1], *shape])
        return self.pack(found)

    def _label(self, name: str) -> str:
        return f"z[{name!r}]" if self.several else "z"

    def _described(self) -> str:
        if not self.several:
            return "one tensor"
        return f"a dict with the keys {', '.join(map(repr, self.names))}"


def _check_finite(value: tf.Tensor, label: str) -> None:
    bad = value.dtype.is_floating and ~np.isfinite(np.asarray(value, np.float64))
    if np.any(bad):
        raise ValueError(
            f"{label}: expected every value finite, received {np.asarray(value)[bad][0]}. Pass latents such as "
            "VAE.encode(x)['mean']."
        )
