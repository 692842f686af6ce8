"""Tables in pandas DataFrames: what each column holds, and the numbers that a model sees of it."""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_vae.data.examples import Column, Examples, check_memory
from keras_vae.utils.arguments import counted, one_line
from keras_vae.utils.distributions import density_dtype

_MOST_CATEGORIES = 1000
# Columns of text of which every value differs are names or identifiers, unless the table is tiny.
_MANY_ROWS = 20
_NAMED = 5
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[/.]\d\d?[/.]\d{2,4}([T ].*)?")
_DATES_LOOKED_AT = 100
# The error of rounding may be this share of a column's standard deviation.
_RESOLVED = 1e-2


def from_frame(frame: pd.DataFrame, name: str = "The DataFrame", columns: Sequence[Column] | None = None) -> Examples:
    """Return the rows of a table as numbers.

    What a column holds follows from its dtype: floats are "real"; integers are "count" if none is negative, and
    otherwise "real"; booleans are "binary"; text and pandas categories are "category", one-hot, the vocabulary sorted
    or in pandas's order.

    Args:
        frame: One row per example.
        name: Its name in error messages.
        columns: The columns of another table, which this one is read like: the same kinds, vocabularies and order.

    Raises:
        ValueError: If the table is empty, names repeat, or a column has missing or infinite values, text among numbers,
            dates, too many categories, or values that differ from `columns`.

    Example:
        >>> table = from_frame(pd.DataFrame({"age": [31.5, 40.0], "children": [0, 2], "city": ["Ulm", "Bonn"]}))
        >>> table.images.tolist()
        [[31.5, 0.0, 0.0, 1.0], [40.0, 2.0, 1.0, 0.0]]
        >>> [(column.name, column.kind, column.vocabulary) for column in table.columns]
        [('age', 'real', ()), ('children', 'count', ()), ('city', 'category', ('Bonn', 'Ulm'))]
    """
    frame = _checked(frame, name)
    if columns is None:
        series = {label: _numbers_of_objects(frame[label], f"{name}: column {label!r}") for label in frame.columns}
    else:
        _check_same_names(frame, columns, name)
        series = {column.name: frame[column.name] for column in columns}
    _refuse_missing(series, name)
    known = _described(series, name) if columns is None else tuple(columns)
    width = known[-1].stop
    dtype = np.dtype(density_dtype())
    check_memory(len(frame) * width * dtype.itemsize, name)
    values = np.zeros([len(frame), width], dtype)
    for column in known:
        where = f"{name}: column {column.name!r}"
        if column.kind == "category":
            codes = _codes(series[column.name], column, where)
            values[np.arange(len(frame)), column.start + codes] = 1.0
        else:
            values[:, column.start] = _numbers(series[column.name], column, dtype, where)
    return Examples(values, None, name, columns=known)


def _checked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the table with its names as strings."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise ValueError(
            f"{name}: expected one name per column, received {frame.columns.nlevels} levels of names. Join them first."
        )
    if frame.empty:
        raise ValueError(f"{name}: expected rows and columns, received shape {frame.shape}. Pass a table with data.")
    frame = frame.set_axis([str(label) for label in frame.columns], axis=1)
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(
            f"{name}: expected each column's name once, received {one_line(repeated[0])} more than once. "
            "Rename or drop one."
        )
    return frame


def _check_same_names(frame: pd.DataFrame, columns: Sequence[Column], name: str) -> None:
    expected, received = [column.name for column in columns], list(frame.columns)
    missing, extra = [n for n in expected if n not in received], [n for n in received if n not in expected]
    if missing or extra:
        differences = [f"no {', '.join(map(repr, missing))}"] if missing else []
        differences += [f"also {', '.join(map(repr, extra))}"] if extra else []
        raise ValueError(
            f"{name}: expected the columns {', '.join(map(repr, expected))}, received {' and '.join(differences)}. "
            "Pass a table with the same columns."
        )


def _is_text(series: pd.Series) -> bool:
    return pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)


def _numbers_of_objects(series: pd.Series, where: str) -> pd.Series:
    """Return the column with a dtype that says what it holds; refuse text among numbers."""
    if isinstance(series.dtype, pd.CategoricalDtype) or not _is_text(series):
        return series
    found = pd.api.types.infer_dtype(series, skipna=True)
    if found == "boolean":
        return series.infer_objects()
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        return pd.to_numeric(series)
    present = series.notna()
    numeric = present & pd.to_numeric(series, errors="coerce").notna()
    bad = np.flatnonzero(present & ~numeric)
    if len(bad) and numeric.sum() >= len(bad):
        others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ValueError(
            f"{where}: expected numbers, as in most of its cells, received {one_line(series.iloc[bad[0]])} in data row "
            f"{bad[0] + 1}{others}. Correct or drop these rows; if all are names of categories, pass a DataFrame with "
            ".astype({column: 'category'})."
        )
    return series


def _refuse_missing(series: dict[str, pd.Series], name: str) -> None:
    counts = {label: int(column.isna().sum()) for label, column in series.items()}
    missing = {label: count for label, count in counts.items() if count}
    if missing:
        shown = ", ".join(f"{count} in {label!r}" for label, count in list(missing.items())[:_NAMED])
        others = f" and more in {counted(len(missing) - _NAMED, 'other column')}" if len(missing) > _NAMED else ""
        empty = counted(sum(missing.values()), "missing cell")
        raise ValueError(
            f"{name}: expected a value in each cell, received {empty}: {shown}{others}. "
            "Drop the rows with frame.dropna(), or impute them, as with frame.fillna(frame.median(numeric_only=True)), "
            "and pass the DataFrame."
        )


def _described(series: dict[str, pd.Series], name: str) -> tuple[Column, ...]:
    found: list[Column] = []
    for label, values in series.items():
        start = found[-1].stop if found else 0
        kind, vocabulary = _kind(values, f"{name}: column {label!r}")
        found.append(Column(label, kind, start, vocabulary))
    return tuple(found)


def _kind(series: pd.Series, where: str) -> tuple[str, tuple[Any, ...]]:
    """Return what a column holds, and its vocabulary."""
    types, dtype = pd.api.types, series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category", tuple(dtype.categories.tolist())
    if types.is_bool_dtype(dtype):
        return "binary", ()
    if types.is_integer_dtype(dtype):
        return ("count" if series.min() >= 0 else "real"), ()
    if types.is_float_dtype(dtype):
        return "real", ()
    if not _is_text(series) or pd.api.types.infer_dtype(series) in ("date", "datetime", "timedelta", "bytes"):
        first = "dates" if types.is_datetime64_any_dtype(dtype) else f"{series.iloc[0]!r:.40}"
        raise ValueError(f"{where}: expected numbers or text, received {first}. {_NO_DATES}")
    looked_at = series.iloc[:_DATES_LOOKED_AT].astype(str)
    if looked_at.map(lambda text: _DATE.fullmatch(text) is not None).all():
        raise ValueError(
            f"{where}: expected numbers or categories, received dates, such as {looked_at.iloc[0]!r}. {_NO_DATES}"
        )
    unhashable = series[~series.map(lambda value: isinstance(value, Hashable))]
    if len(unhashable):
        raise ValueError(
            f"{where}: expected numbers or text, received {one_line(unhashable.iloc[0])}. "
            "Give each of its values a column."
        )
    different = series.unique().tolist()
    if len(different) > _MOST_CATEGORIES or len(different) == len(series) > _MANY_ROWS:
        raise ValueError(
            f"{where}: expected categories, at most {_MOST_CATEGORIES:,}, received {len(different):,} different values "
            f"in {len(series):,} rows, such as {different[0]!r:.40}. Drop the column, or merge its rare values."
        )
    return "category", tuple(sorted(different, key=lambda value: (str(type(value)), value)))


_NO_DATES = "Convert the column to numbers, such as years or days since a date, or drop it."


def _codes(series: pd.Series, column: Column, where: str) -> np.ndarray:
    """Return each row's place in the vocabulary, `[n]`."""
    places = {value: place for place, value in enumerate(column.vocabulary)}
    codes = series.map(places)
    unknown = series[codes.isna()]
    if len(unknown):
        vocabulary = ", ".join(map(repr, column.vocabulary[:_NAMED])) + (", ..." if len(places) > _NAMED else "")
        raise ValueError(
            f"{where}: expected one of its {len(places)} categories {vocabulary}, received "
            f"{one_line(unknown.iloc[0])}. "
            "Drop these rows, or read both tables as one to get a common vocabulary."
        )
    return codes.to_numpy(np.int64)


_EXPECTED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "real": ("finite numbers", np.isfinite),
    "count": ("counts, integers from 0", lambda x: np.isfinite(x) & (x >= 0) & (x == np.floor(x))),
    "binary": ("false or true, 0 or 1", lambda x: (x == 0) | (x == 1)),
}


def _numbers(series: pd.Series, column: Column, dtype: np.dtype, where: str) -> np.ndarray:
    """Return a column of numbers, `[n]`, checked."""
    expected, allowed = _EXPECTED[column.kind]
    try:
        x = series.to_numpy(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: expected {expected}, received {one_line(series.iloc[0])}, of dtype {series.dtype}. "
            "Convert it first."
        ) from None
    bad = np.flatnonzero(~allowed(x))
    if len(bad):
        raise ValueError(
            f"{where}: expected {expected}, received {x[bad[0]]:g} in data row {bad[0] + 1}, "
            f"{counted(len(bad), 'such cell')} in all. Correct or drop these rows."
        )
    rounded = x.astype(dtype)
    lost = float(np.abs(x - rounded).max())
    if not np.isfinite(lost) or 0 < _RESOLVED * x.std() < lost:
        raise ValueError(
            f"{where}: expected numbers that {dtype} can tell apart, received {x.min():.10g} to {x.max():.10g}. "
            "Subtract a constant or change the unit, drop the column if it is an identifier, or use the dtype policy "
            "'float64'."
        )
    return rounded
