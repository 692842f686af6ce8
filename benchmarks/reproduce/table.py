"""Write docs/reproductions.md from the results that runs have left in benchmarks/results/reproduce/.

python benchmarks/reproduce/table.py

No figure of ours is typed by hand: a row whose result does not exist is shown as not run. What is compared with what,
and why the two differ, stands in the `.toml` beside each script.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grids import grid
from rows import NOT_RUN, cells
from settings import PICTURES, ROOT, SCHEDULES, command, result_path, settings_of, tables

from keras_vae.utils.files import whole

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "reproductions.md"
HEAD = """# Reproductions

Figures of papers beside ours; this page is written by `python benchmarks/reproduce/table.py` from the results of runs,
and a row without a run says so. The *short* schedules are for two cores, the *full* ones for those with a GPU.
How to run them: [benchmarks/reproduce](../benchmarks/reproduce/README.md). One seed, unless several are named:
differences of a few tenths of a nat may be the seed's. ± is the standard error over test examples, unless it says
otherwise. A difference is ours less the published figure. *Wanted* is from before the first run of a script; a variant
that came after it is held to the same. What can hardly fail, such as a gap that is not negative, is checked, and not
counted among the aims. Where a script was changed after its test figures had been seen, its section says how.
"""


def scripts() -> list[tuple[Path, dict[str, Any]]]:
    """Return each script and what the file beside it says, in the order of the numbers."""
    found = [(path.with_suffix(".py"), tables(path)) for path in HERE.glob("*.toml")]
    return sorted(found, key=lambda pair: pair[1]["paper"]["number"])


def result(name: str, schedule: str) -> dict[str, Any] | None:
    """Return what a run left, or None."""
    path = result_path(name, schedule)
    return json.loads(path.read_text()) if path.exists() else None


def spreads(name: str, found: dict[str, Any]) -> Iterator[str]:
    """Return a table of figures by name, such as the variances of gradient estimators."""
    columns = list(dict.fromkeys(key for row in found.values() if isinstance(row, dict) for key in row))
    title = name.replace("_", " ").capitalize()
    yield f"| {title} | {' | '.join(c.replace('_', ' ') for c in columns or ['variance'])} |"
    yield "|---" * (1 + len(columns or ["variance"])) + "|"
    for key, row in found.items():
        values = [row.get(c) for c in columns] if isinstance(row, dict) else [row]
        yield f"| {key} | {' | '.join('' if v is None else f'{v:.2e}' for v in values)} |"
    yield ""


def machine(found: dict[str, Any]) -> str:
    """Return the kind of machine, in words."""
    kind = found["machine"]
    # The kinds that worked on it, if the run was stopped and went on.
    counts = sorted({each["cores"] for each in found.get("machines", [kind])})
    names = dict.fromkeys(each["cpu"] for each in found.get("machines", [kind]))
    cores = f"{' or '.join(map(str, counts))} core{'s' if counts != [1] else ''} of {' and '.join(names)}"
    # A run alone keeps no more than its cores busy.
    busy = ["busy with other work too"] if kind["load"] > 1.5 * kind["cores"] else []
    return ", ".join([cores, *kind["accelerators"], *busy])


def minutes(seconds: float) -> str:
    """Return a time for people."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def words(settings: dict[str, Any]) -> str:
    """Return settings as they are told."""
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())


def folded(found: dict[str, Any]) -> Iterator[str]:
    """Return what few will want to read: the settings of a run, and the warnings of its estimates."""
    told = dict(found["warnings"])
    for name, part in found["figures"].items():
        if isinstance(part, dict) and part.get("warnings"):
            told[name.replace("_", ", ")] = part["warnings"]
    lines = [f"- {name}: {warning}." for name, warnings in told.items() for warning in warnings]
    what = f"Settings, and {len(lines)} warning{'s' if len(lines) > 1 else ''} of estimates" if lines else "Settings"
    yield from (f"<details><summary>{what}</summary>", "", f"{words(found['settings'])}.", "")
    yield from ([*lines, ""] if lines else [])
    yield from ("</details>", "")


def section(script: Path, told: dict[str, Any], schedule: str) -> Iterator[str]:
    """Return a script's part of the page, under one schedule."""
    paper, found = told["paper"], result(script.stem, schedule)
    if schedule == "short":
        yield from (
            f"## {paper['number']}. {paper['title']}",
            "",
            f"{paper['data']}. Published: {paper['source']}.",
            "",
        )
        for key, words_before in (("other", "Other than there"), ("changed", "Changed after test figures were seen")):
            yield from ([f"{words_before}: {paper[key]}.", ""] if key in paper else [])
    if found is None:
        what = f"Full schedule ({words(told['full'])})" if schedule == "full" else "Short schedule"
        yield from (f"{what}: {NOT_RUN}. `{command(script.stem, schedule)}`", "")
        if schedule == "full":
            return
    else:
        facts = f"seed {found['seed']}, {minutes(found['seconds'])} on {machine(found)}, {found['date']}"
        yield from (f"`{found['command']}`: {facts}. Validation split: {found['validation']}.", "")
        if settings_of(script, schedule) != found["settings"]:
            yield from ("The settings have been changed since this run.", "")
    figures = found and found["figures"]
    yield "| | published | ours | difference | wanted | why they differ |"
    yield "|---|---|---|---|---|---|"
    for row in told["row"]:
        *told_of, reason = cells(row, figures)
        # Reasons are written for the short schedule.
        escaped = (cell.replace("|", r"\|") for cell in (*told_of, reason if schedule == "short" else ""))
        yield f"| {' | '.join(escaped)} |"
    yield ""
    for part in told.get("grid", ()):
        yield from grid(part, figures)
    if found is None:
        return
    for name in paper.get("tables", ()):
        yield from spreads(name, found["figures"][name])
    picture = paper.get("picture", "") + ("" if schedule == "short" else "_full")
    if "picture" in paper:
        yield from (f"![{paper['title']}]({(PICTURES / picture).relative_to(PAGE.parent)}.png)", "")
    yield from folded(found)


def summary() -> Iterator[str]:
    """Return the table of all scripts."""
    yield "| | command | seed | time | machine | aims reached |"
    yield "|---|---|---|---|---|---|"
    for script, told in scripts():
        link = f"{told['paper']['number']}. {told['paper']['title']}"
        found = result(script.stem, "short")
        if found is None:
            yield f"| {link} | `{command(script.stem, 'short')}` | | | | {NOT_RUN} |"
            continue
        answers = [cells(row, found["figures"])[4] for row in told["row"] if not row.get("check")]
        reached = f"{sum(a.endswith(': yes') for a in answers)} of {sum(bool(a) for a in answers)}"
        facts = [f"`{found['command']}`", str(found["seed"]), minutes(found["seconds"]), machine(found), reached]
        yield f"| {link} | {' | '.join(facts)} |"
    yield ""


def page() -> str:
    """Return docs/reproductions.md."""
    lines = [HEAD, *summary()]
    for script, told in scripts():
        for schedule in SCHEDULES:
            lines += section(script, told, schedule)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    with whole(PAGE) as unfinished:
        unfinished.write_text(page())


if __name__ == "__main__":
    main()
