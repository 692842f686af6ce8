"""A family of data in its own units: the model standardizes it inside."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.utils.arguments import counted, one_line

_ROWS = 4096
# Digits of the spread that the precision must keep: a hundredth.
_RESOLVED = 1e-2


@keras.saving.register_keras_serializable("keras_vae")
class Standardized(Family):
    """A likelihood of real data in its own units, x = offset + unit · y, where y has the given family.

    `adapt(x)` sets `offset` and `unit` to the mean and the standard deviation of the training data, as
    `keras.layers.Normalization.adapt` does; `unit` is 1 where x is constant. They are saved with the model. The encoder
    receives y, so that its first layer sees values of size 1: use `VAE.encode` or `VAE.infer`, which take x, or pass
    `encoder_input(x)` to the encoder itself. All results are in the units of x: samples,
    reconstructions, the parameters that `decode` returns, and densities, by the change of variables

        log p(x) = log p(y) − Σ log unit,

    in nats. A bound is thus that of a model of x, and comparable between models with other units or none.

    Args:
        family: The family of y, with real support, such as `keras_vae.families.Normal(10, scale="learned")`.
        offset: Used instead of `adapt`: broadcastable to the event.
        unit: Used instead of `adapt`: positive, broadcastable to the event.
        axis: The axes of an event along which each position has its own offset and unit, as in
            `keras.layers.Normalization`: by default the last, the columns of a table or the channels of an image. None
            means one pair for the whole event.

    Raises:
        TypeError: If `family` is no family.
        ValueError: If its support is not the real numbers, `axis` is not an axis of an event, or only one of `offset`
            and `unit` is given or has an invalid value.

    Example:
        >>> import keras_vae as kv
        >>> x = np.random.default_rng(0).normal([170.0, 70_000.0], [10.0, 9_000.0], [500, 2])
        >>> likelihood = kv.families.Standardized(kv.families.Normal(2, scale="learned")).adapt(x)
        >>> vae = kv.models.vae((2,), latent_size=1, hidden=[16], likelihood=likelihood)
        >>> np.round(likelihood.encoder_input(x).numpy().std(axis=0), 3).tolist()
        [1.0, 1.0]
        >>> bool((abs(vae.sample(3, seed=0) - [170.0, 70_000.0]) < [100.0, 90_000.0]).numpy().all())
        True
    """

    def __init__(
        self,
        family: Family,
        offset: Any = None,
        unit: Any = None,
        *,
        axis: int | Sequence[int] | None = -1,
        **kwargs: Any,
    ) -> None:
        if isinstance(family, dict):  # from a config
            family = keras.saving.deserialize_keras_object(family)
        if not isinstance(family, Family):
            raise TypeError(
                f"Standardized: family: expected a keras_vae.families.Family, received {one_line(family)}. Pass "
                "keras_vae.families.Normal(10), for example."
            )
        if not family.support.real:
            raise ValueError(
                "Standardized: family: expected one over real numbers, such as Normal, received "
                f"{type(family).__name__} over {family.support.name} data. Use it without Standardized."
            )
        kwargs.setdefault("dtype", family.dtype_policy)
        super().__init__(family.event_shape, **kwargs)
        self.family = family
        self.support = family.support
        self.preprocessing = family.preprocessing
        self.jumps = family.jumps
        self.axis = _axes(axis, len(self.event_shape))
        own = [size if place in self.axis else 1 for place, size in enumerate(self.event_shape)]
        statistics: dict[str, Any] = {"trainable": False, "aggregation": "only_first_replica"}
        self.offset = self.add_weight(shape=own, initializer="zeros", name="offset", **statistics)
        self.unit = self.add_weight(shape=own, initializer="ones", name="unit", **statistics)
        self.adapted = offset is not None or unit is not None
        if self.adapted:
            self._set(offset, unit)

    def adapt(self, x: Any) -> "Standardized":
        """Set `offset` and `unit` to the mean and the standard deviation of x, and return the family.

        Args:
            x: The training data: `[n, *event]`, an array or a DataFrame of numbers, or a batched, finite
                `tf.data.Dataset` of x or of tuples that begin with x.

        Raises:
            TypeError: If x is anything else.
            ValueError: If x has another shape, has no rows, never ends, or has NaN or infinite values.
        """
        moments = _Moments(tuple(a for a in range(len(self.event_shape)) if a not in self.axis))
        for batch in _batches(x):
            if batch.shape[1:] != self.event_shape:
                raise ValueError(
                    f"Standardized.adapt: x: expected shape {('n', *self.event_shape)}, received {batch.shape}. Use "
                    "data of the family's event_shape."
                )
            bad = int(batch.size - np.isfinite(batch).sum())
            if bad:
                received = counted(bad, "NaN or infinite value")
                raise ValueError(
                    f"Standardized.adapt: x: expected finite values, received {received}. Remove or impute them first."
                )
            moments.add(batch)
        if not moments.count:
            raise ValueError("Standardized.adapt: x: expected at least one row, received none. Pass training data.")
        self._set(*moments.offset_and_unit())
        return self

    def _set(self, offset: Any, unit: Any) -> None:
        given = {"offset": offset, "unit": unit}
        found = {}
        for name, value in given.items():
            try:
                if value is None:
                    raise TypeError
                found[name] = np.broadcast_to(np.asarray(value, self.variable_dtype), self.offset.shape)
            except (TypeError, ValueError):
                raise ValueError(
                    f"Standardized: {name}: expected numbers of shape {tuple(self.offset.shape)}, received "
                    f"{value!r:.80}. Pass both offset and unit, or use adapt(x)."
                ) from None
        if not np.isfinite(found["offset"]).all() or not np.isfinite(found["unit"]).all() or found["unit"].min() <= 0:
            raise ValueError(
                f"Standardized: expected finite offsets and positive units in {self.variable_dtype}, received offset "
                f"{offset!r:.80} and unit {unit!r:.80}. Use other units, or adapt(x)."
            )
        coarse = np.abs(found["offset"]) * np.finfo(self.variable_dtype).eps > _RESOLVED * found["unit"]
        if coarse.any():
            at = tuple(np.argwhere(coarse)[0])
            warnings.warn(
                f"Standardized: {self.variable_dtype} cannot tell values near {found['offset'][at]:g} apart that differ"
                f" by {found['unit'][at]:g}. Subtract a constant from x beforehand, in float64, or use the dtype policy"
                " 'float64'.",
                stacklevel=3,
            )
        self.offset.assign(found["offset"])
        self.unit.assign(found["unit"])
        self.adapted = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build the family of y.

        Raises:
            ValueError: If there is neither an offset nor a unit yet.
        """
        if not self.adapted:
            raise ValueError(
                "Standardized: expected adapt(x) before a model is built, received no data. Use "
                "Standardized(family).adapt(x) with the training data."
            )
        if not self.family.built:
            self.family.build(input_shape)
        self.built = True

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """Shape of the unconstrained values of one event: that of the family of y."""
        return self.family.parameters_shape

    @property
    def parameters_per_element(self) -> int:  # type: ignore[override]
        """As of the family of y."""
        return self.family.parameters_per_element

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Return y = (x − offset) / unit, `[..., *event]`."""
        return (tf.cast(x, self.variable_dtype) - self.offset) / self.unit

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the parameters of y."""
        return self.family(unconstrained)

    def reported(self, parameters: Parameters) -> Parameters:
        """Return the parameters of x; of y, with the prefix `standardized_`, if x is of another family."""
        moved = self.family.moved(parameters, *self._full())
        return {f"standardized_{name}": value for name, value in parameters.items()} if moved is None else moved

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution of x from the parameters of y."""
        offset, unit = self._full()
        bijector = tfb.Chain([tfb.Shift(offset), tfb.Scale(unit)])
        return tfd.TransformedDistribution(self.family.distribution(parameters), bijector)

    def mean(self, parameters: Parameters) -> tf.Tensor:
        """Return the mean of x, `[..., *event]`."""
        return self.offset + self.unit * self.family.mean(parameters)

    def scale(self, parameters: Parameters) -> tf.Tensor:
        """Return the standard deviation of each element of x, `[..., *event]`."""
        return self.unit * self.family.scale(parameters)

    def point(self, parameters: Parameters) -> tf.Tensor:
        """Return one representative x, `[..., *event]`."""
        return self.offset + self.unit * self.family.point(parameters)

    def log_prob_by_part(self, distribution: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
        """Return the log-density of each independent part of x, in nats, `[..., *parts]`."""
        parts = self.family.log_prob_by_part(distribution.distribution, self.encoder_input(x))
        batch = distribution.batch_shape.rank
        joint = len(self.event_shape) - (parts.shape.rank - batch)
        axes = list(range(len(self.event_shape) - joint, len(self.event_shape)))
        return parts - tf.reduce_sum(tf.math.log(self._full()[1]), axis=axes)

    def _full(self) -> tuple[tf.Tensor, tf.Tensor]:
        # Of the event's shape, so that TFP counts the Jacobian of every element.
        return tuple(tf.broadcast_to(part, self.event_shape) for part in (self.offset, self.unit))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; `offset` and `unit` as they are now."""
        config = super().get_config()
        del config["event_shape"]
        known = {name: getattr(self, name).numpy().tolist() if self.adapted else None for name in ("offset", "unit")}
        family = keras.saving.serialize_keras_object(self.family)
        return {**config, "family": family, **known, "axis": list(self.axis)}


class _Moments:
    """Mean, variance and extremes of batches, in float64, merged as in Chan, Golub & LeVeque (1983), equation 2.1.

    Args:
        pooled: The axes of an event that are averaged over.
    """

    def __init__(self, pooled: tuple[int, ...]) -> None:
        self.axes = (0, *(axis + 1 for axis in pooled))
        self.count = 0
        self.mean: Any = 0.0
        self.squares: Any = 0.0
        self.low: Any = np.inf
        self.high: Any = -np.inf

    def add(self, batch: np.ndarray) -> None:
        """Add `[n, *event]`."""
        if not batch.size:
            return
        mean = batch.mean(axis=self.axes, keepdims=True)
        squares = ((batch - mean) ** 2).sum(axis=self.axes, keepdims=True)
        count = batch.size // mean.size
        both = self.count + count
        step = mean - self.mean
        self.squares = self.squares + squares + step**2 * (self.count * count / both)
        self.mean = self.mean + step * (count / both)
        self.count = both
        self.low = np.minimum(self.low, batch.min(axis=self.axes, keepdims=True))
        self.high = np.maximum(self.high, batch.max(axis=self.axes, keepdims=True))

    def offset_and_unit(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation, 1 where all values are equal, of the event's rank."""
        # Rounding gives a constant such as 0.1 a variance above 0.
        constant = self.low == self.high
        offset = np.where(constant, self.low, self.mean)[0]
        return offset, np.where(constant, 1.0, np.sqrt(self.squares / self.count))[0]


def _batches(x: Any) -> Iterator[np.ndarray]:
    """Yield x in float64, in parts."""
    if isinstance(x, tf.data.Dataset):
        if x.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "Standardized.adapt: x: expected a finite dataset, received an endless one. Pass x.take(steps)."
            )
        for batch in x.as_numpy_iterator():
            yield np.asarray(batch[0] if isinstance(batch, tuple | list) else batch, np.float64)
        return
    try:
        array = np.asarray(x)
        if array.dtype.kind not in "biuf":
            raise ValueError
    except ValueError:
        raise TypeError(
            "Standardized.adapt: x: expected an array or a DataFrame of numbers, or a tf.data.Dataset, received a "
            f"{type(x).__name__}. Use keras_vae.data.load for columns of text."
        ) from None
    for start in range(0, max(len(array), 1) if array.ndim else 1, _ROWS):
        yield np.asarray(array[start : start + _ROWS] if array.ndim else array, np.float64)


def _axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    given = () if axis is None else tuple(axis) if isinstance(axis, Sequence) else (axis,)
    if not all(isinstance(a, int) and -rank <= a < rank for a in given):
        raise ValueError(
            f"Standardized: axis: expected axes of an event, from {-rank} to {rank - 1}, or None, received "
            f"{one_line(axis)}. "
            "Use -1."
        )
    return tuple(sorted({a % rank for a in given}))
