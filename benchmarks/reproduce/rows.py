"""One row of the page: the published figure, our figure, and whether the target was reached."""

from typing import Any

NOT_RUN = "not run"


def at(figures: dict[str, Any], path: str) -> Any:
    """Return the figure at a path such as `gain.mean` or `bounds.0.bound`.

    Raises:
        LookupError: If the run has no such figure.
    """
    found: Any = figures
    for part in path.split("."):
        found = found[int(part) if isinstance(found, list) else part]
    return found


def figure(value: float, digits: int, sign: str = "") -> str:
    """Format a number with the given decimals, or in scientific notation if it is too small for them."""
    if isinstance(value, int):
        return f"{value:{sign}d}"
    return f"{value:{sign}.1e}" if 0 < abs(value) < 0.5 * 10**-digits else f"{value:{sign}.{digits}f}"


def target(row: dict[str, Any]) -> str:
    """Return the target of a row as text, empty if it has none."""
    if "yes" in row:
        return "yes"
    if "between" in row:
        return "{:g} to {:g}".format(*row["between"])
    words = {"within": "within", "at_least": "at least", "at_most": "at most"}
    return next((f"{words[key]} {row[key]:g}" for key in words if key in row), "")


def holds(row: dict[str, Any], ours: float, published: float | None) -> bool:
    """Return whether the target was reached."""
    if "yes" in row:
        return bool(ours)
    if "within" in row:
        assert published is not None, row
        return abs(ours - published) <= row["within"]
    low, high = row.get("between", (row.get("at_least", ours), row.get("at_most", ours)))
    return low <= ours <= high


def cells(row: dict[str, Any], figures: dict[str, Any] | None) -> list[str]:
    """Return the cells: name, published, ours, difference, target, and why they differ."""
    digits, published, aim = row.get("digits", 1), row.get("published"), target(row)
    if figures is None:
        return [row["what"], "" if published is None else f"{published:g}", NOT_RUN, "", aim, ""]
    theirs = "" if published is None else f"{published:g}"
    if "published_figure" in row:
        published = at(figures, row["published_figure"])
        theirs = f"{published:.{digits}f}"
    ours = at(figures, row["figure"])
    number = ("yes" if ours else "no") if isinstance(ours, bool) else figure(ours, digits)
    if "spread" in row:
        number += f" ± {at(figures, row['spread']):.{digits}f}"
    difference = ""
    if published is not None:
        apart = ours - published
        difference = f"{apart:+.{digits}f}" if published and not isinstance(ours, int) else figure(apart, digits, "+")
    verdict = f"{aim}: {'yes' if holds(row, ours, published) else '**no**'}" if aim else ""
    return [row["what"], theirs, number, difference, verdict, row.get("reason", "")]
