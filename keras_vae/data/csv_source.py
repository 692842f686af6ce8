"""Tables in CSV files."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from keras_vae.data.examples import Column, Examples, UnknownSplitError
from keras_vae.data.frame_source import from_frame
from keras_vae.utils.arguments import one_line

_SPLITS = ("train", "test", "all")
_OTHER_DELIMITERS = {";": "';'", "\t": "'\\t'", "|": "'|'"}
_TEST_SHARE = 10


def from_csv(path: Path, split: str, columns: Sequence[Column] | None = None) -> Examples:
    """Read a table from a CSV file with a header: commas, UTF-8, as pandas writes it with `index=False`.

    What each column holds, and the vocabularies, follow from the whole file, so that all splits agree.

    Splits: about one row in ten, by a hash of its number, belongs to "test", the others to "train". "all" is every row.
    A row keeps its split if rows are appended to the file.

    Args:
        path: The file.
        split: "train", "test" or "all".
        columns: As in `from_frame`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no CSV file with a header and rows, has no row for the split, or `from_frame` refuses it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected a .csv file, received {str(path)!r}, which does not exist. Check the path.")
    if split not in _SPLITS:
        raise UnknownSplitError(
            f"{path}: expected a split, {', '.join(map(repr, _SPLITS))}, received {one_line(split)}. Use one of these."
        )
    table = from_frame(_read(path), str(path), columns)
    kept = np.arange(len(table)) if split == "all" else np.flatnonzero(_in_test(len(table)) == (split == "test"))
    if not len(kept):
        raise UnknownSplitError(
            f"{path}: expected rows for split {split!r}, received none among {len(table)}, of which about one in "
            f"{_TEST_SHARE} is in 'test'. Use more rows, or split='all'."
        )
    return Examples(table.images[kept], None, f"{path}, split {split!r}", columns=table.columns)


def _read(path: Path) -> pd.DataFrame:
    try:
        _check_header(path)
        frame = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, low_memory=False)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected text in UTF-8, received {error.reason} at byte {error.start}. Save it as UTF-8, or read "
            "it with pandas.read_csv(path, encoding=...) and pass the DataFrame."
        ) from None
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        text = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise ValueError(
            f"{path}: expected a CSV file with as many values in each line as in the header, received another one "
            f"({text}). Correct the file."
        ) from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(
            f"{path}: expected as many values in each line as in the header, {len(frame.columns)}, received more. Name "
            "every column in the header."
        )
    if frame.empty:
        raise ValueError(f"{path}: expected rows below the header, received none. Use a file with data.")
    return frame


def _check_header(path: Path) -> None:
    """Check the names, which pandas would change without a word."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, skipinitialspace=True), [])
    if not any(name.strip() for name in names):
        raise ValueError(
            f"{path}: expected a header with the columns' names, received an empty line. Write names there."
        )
    for delimiter, shown in _OTHER_DELIMITERS.items():
        if len(names) == 1 and delimiter in names[0]:
            raise ValueError(
                f"{path}: expected columns separated by commas, received one column named {names[0]!r:.60}. Save it "
                f"with commas, or read it with pandas.read_csv(path, sep={shown}) and pass the DataFrame."
            )
    if all(_is_number(name) for name in names):
        raise ValueError(
            f"{path}: expected a header with the columns' names, received the numbers {', '.join(names)[:60]}. Write "
            "names in the first line, or read it with pandas.read_csv(path, header=None) and pass the DataFrame."
        )
    for place, name in enumerate(names):
        if not name.strip():
            raise ValueError(
                f"{path}: expected a name for each column, received none for column {place + 1}, as pandas writes an "
                "index. Write the file with frame.to_csv(path, index=False), or name the column."
            )
        if name in names[:place]:
            raise ValueError(
                f"{path}: expected each column's name once, received {name!r} more than once. Rename or drop one."
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _in_test(count: int) -> np.ndarray:
    """Return whether each row is in "test", by the hash splitmix64 (Steele, Lea & Flood 2014) of its number."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) % np.uint64(_TEST_SHARE) == 0
