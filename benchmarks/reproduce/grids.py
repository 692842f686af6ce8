"""Tables of figures of one kind in rows and columns, without published counterparts."""

from collections.abc import Iterator
from typing import Any

from rows import NOT_RUN, at, figure


def grid(spec: dict[str, Any], figures: dict[str, Any] | None) -> Iterator[str]:
    """Yield the lines of a table.

    Args:
        spec: `corner`, the heading of the first column; `rows`, a mapping from the name of each row to the path where
            its figures start; and `columns`, each with its name `what`, the rest of the path, `figure`, and optionally
            `spread` and `digits`.
        figures: Figures of a run, or None if there is none.
    """
    columns = spec["columns"]
    yield f"| {' | '.join([spec['corner'], *(column['what'] for column in columns)])} |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, begin in spec["rows"].items():
        values = (NOT_RUN if figures is None else _cell(at(figures, begin), column) for column in columns)
        yield f"| {name} | {' | '.join(values)} |"
    yield ""


def _cell(figures: dict[str, Any], column: dict[str, Any]) -> str:
    digits = column.get("digits", 1)
    number = figure(at(figures, column["figure"]), digits)
    return f"{number} ± {figure(at(figures, column['spread']), digits)}" if "spread" in column else number
