"""The result of a measure: it prints as a table, saves as JSON, and plots as a figure."""

import dataclasses
import json
import math
import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.plots import drawing
from keras_vae.utils.files import whole

Row = tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """The result of a measure; each measure has its own subclass, a dataclass.

    Attributes:
        title: What was measured, one line; a class attribute.
    """

    title: ClassVar[str]

    def table(self) -> Sequence[Row]:
        """Return the results as rows of text, `(name, value, ...)`; the first row has the names of the columns."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """Draw the results; users call `plot`, which can also save the figure."""
        raise NotImplementedError

    def warnings(self) -> Sequence[str]:
        """Return warnings about the reliability of the results; none by default."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Return all results as JSON can hold them; values that are not finite become None.

        Fields with the metadata `{"json": False}`, such as images, are left out.
        """
        kept = [field.name for field in dataclasses.fields(self) if field.metadata.get("json", True)]
        fields = {name: getattr(self, name) for name in kept}
        return {"measure": type(self).__name__, **plain(fields), "warnings": list(self.warnings())}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_dict` as JSON; the file appears whole or not at all."""
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Return the figure, as the functions of `keras_vae.plots` do.

        Args:
            path: File to write; its suffix, such as `.png`, sets the format.
        """
        return drawing.finished(self.figure(), path)

    def __str__(self) -> str:
        lines = [self.title, *aligned(self.table())]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings())])


def aligned(rows: Sequence[Row]) -> list[str]:
    r"""Return one line per row: the first column aligned left, all others right.

    Example:
        >>> print("\n".join(aligned([("latent", "nats"), ("z0", "3.10"), ("z10", "12.05")])))
          latent   nats
          z0       3.10
          z10     12.05
    """
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    return [
        "  " + "  ".join(cell.rjust(widths[i]) if i else cell.ljust(widths[0]) for i, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def plain(value: Any) -> Any:
    """Convert to what JSON can hold: arrays to lists, and values that are not finite to None."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
