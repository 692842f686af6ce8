"""The report page: one HTML file with all tables and figures of an evaluation, which needs no other file."""

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, Row
from keras_vae.utils.files import whole

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
nav { columns: 2; } nav a { display: block; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .8rem .15rem 0; text-align: right; border-bottom: 1px solid #8883; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; background: #fff; }
.warning { border-left: 4px solid #d97706; padding-left: .6rem; }
.missing { color: #888; }
pre { overflow-x: auto; }
"""


_UNFINISHED = '<p class="warning">Not finished: the evaluation is still running, or was interrupted.</p>'


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the report.

    Attributes:
        title: The heading.
        text: What the section shows, in a sentence or two.
        rows: A table, whose first row has the names of the columns; or none.
        pictures: Figures, one below the other.
        warnings: Warnings about the reliability of the results.
        missing: Why it could not be measured; None if it was.
    """

    title: str
    text: str = ""
    rows: Sequence[Row] = ()
    pictures: Sequence[Figure] = ()
    warnings: Sequence[str] = ()
    missing: str | None = None


def section(result: Result, text: str = "") -> Section:
    """Make a section from the result of a measure."""
    return Section(result.title, text, result.table(), [result.figure()], result.warnings())


def check_name(path: str | os.PathLike[str]) -> None:
    """Check the name of a report before anything is measured.

    Raises:
        ValueError: If it does not end in `.html`.
        FileNotFoundError: If the folder does not exist.
    """
    if not os.fspath(path).endswith(".html"):
        raise ValueError(
            f"the name of the report is invalid: expected a name that ends in .html, received {os.fspath(path)}"
        )
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(
            f"the folder of the report is missing: expected an existing folder, received {Path(path).parent}. Create it"
        )


class Page:
    """A report that grows: the whole file is rewritten after each section, so that a kill loses nothing finished.

    Args:
        path: File to write, ending in `.html`.
        title: The heading.
        facts: What was measured, on which data and how, as `(name, value)`.

    Raises:
        ValueError: If the name does not end in `.html`.
        FileNotFoundError: If the folder does not exist.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/report.html"
        >>> page = Page(path, "A model", [("examples", "5")])
        >>> page.add(Section("Bound", rows=[("", "nats"), ("bound", "−91.90")]))
        >>> page.finish()
        >>> "−91.90" in open(path).read()
        True
    """

    def __init__(self, path: str | os.PathLike[str], title: str, facts: Sequence[Row]) -> None:
        check_name(path)
        self._path, self._title, self._facts = path, title, facts
        self._titles: list[str] = []
        self._bodies: list[str] = []

    def add(self, part: Section) -> None:
        """Add a section, and write the page."""
        self._bodies.append(_body(len(self._bodies), part))
        self._titles.append(part.title)
        self._write(_UNFINISHED)

    def finish(self) -> None:
        """Write the page without the note that it is unfinished."""
        self._write("")

    def _write(self, note: str) -> None:
        page = "\n".join(
            [
                "<!doctype html>",
                f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self._title)}</title>',
                '<meta name="viewport" content="width=device-width"><style>' + _STYLE + "</style></head><body>",
                f"<h1>{html.escape(self._title)}</h1>",
                note,
                _table(self._facts, heads=False),
                "<nav>",
                *(f'<a href="#s{i}">{html.escape(title)}</a>' for i, title in enumerate(self._titles)),
                "</nav>",
                *self._bodies,
                "</body></html>",
            ]
        )
        with whole(self._path) as unfinished:
            unfinished.write_text(page + "\n", encoding="utf-8")


def _body(number: int, part: Section) -> str:
    lines = [f'<h2 id="s{number}">{html.escape(part.title)}</h2>']
    if part.text:
        lines.append(f"<p>{html.escape(part.text)}</p>")
    if part.missing is not None:
        lines.append(f'<p class="missing">Not measured: {html.escape(part.missing)}</p>')
    lines += [f'<p class="warning">{html.escape(warning)}</p>' for warning in part.warnings]
    if part.rows:
        lines.append(_table(part.rows))
    lines += [_image(figure, part.title) for figure in part.pictures]
    return "\n".join(lines)


def _table(rows: Sequence[Row], heads: bool = True) -> str:
    lines = ["<table>"]
    for number, row in enumerate(rows):
        tag = "th" if heads and not number else "td"
        lines.append("<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>")
    return "\n".join([*lines, "</table>"])


def _image(figure: Figure, title: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", pad_inches=0.05)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<p><img alt="{html.escape(title)}" src="data:image/png;base64,{encoded}"></p>'
