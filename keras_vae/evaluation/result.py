"""What every measure returns: figures that print as a table, save as JSON, and draw themselves."""

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
    """What a measure found; each measure has a dataclass of its own that inherits this one.

    Attributes:
        title: One line, a class attribute: what was measured.
    """

    title: ClassVar[str]

    def table(self) -> Sequence[Row]:
        """Return the figures as text, `(name, value, ...)`; the first row names the columns."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """Draw the figures; `plot` returns the drawing, and saves it."""
        raise NotImplementedError

    def warnings(self) -> Sequence[str]:
        """Return what a reader must know before trusting the figures; none by default."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything found, as JSON can hold it; what is not finite becomes None.

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
    r"""Return one line a row: the first column to the left, all others to the right.

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
    """Return what JSON can hold: arrays as lists, and None for what is not finite."""
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
