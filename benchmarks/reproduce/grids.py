"""Figures of one kind in rows and columns, where nothing was published beside each."""

from collections.abc import Iterator
from typing import Any

from rows import NOT_RUN, at, figure


def grid(told: dict[str, Any], figures: dict[str, Any] | None) -> Iterator[str]:
    """Return one of the page's tables.

    Args:
        told: `corner`, the first column's heading; `rows`, from what each is called to where its figures begin; and
            `columns`, each with `what` it is called, the rest of the `figure`'s path, perhaps `spread` and `digits`.
        figures: Of a run, or None without one.
    """
    columns = told["columns"]
    yield f"| {' | '.join([told['corner'], *(column['what'] for column in columns)])} |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, begin in told["rows"].items():
        values = (NOT_RUN if figures is None else _cell(at(figures, begin), column) for column in columns)
        yield f"| {name} | {' | '.join(values)} |"
    yield ""


def _cell(figures: dict[str, Any], column: dict[str, Any]) -> str:
    digits = column.get("digits", 1)
    number = figure(at(figures, column["figure"]), digits)
    return f"{number} ± {figure(at(figures, column['spread']), digits)}" if "spread" in column else number
