"""Write docs/reproductions.md from the results of the runs in benchmarks/results/reproduce/.

python benchmarks/reproduce/table.py

None of our figures is typed by hand: a row without a result is shown as not run. The `.toml` file next to each script
says which figures are compared, and why they differ.
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

This page compares published figures with ours. `python benchmarks/reproduce/table.py` generates it from the results of
the runs, and marks rows that have not been run. The *short* schedules are for two cores, the *full* schedules need a
GPU. [benchmarks/reproduce](../benchmarks/reproduce/README.md) explains how to run them.

- Results are for one seed unless several are listed. A different seed may change them by a few tenths of a nat.
- ± is the standard error over test examples, for one training seed, unless stated otherwise; it covers no other seed.
- *Difference* is our figure minus the published one.
- *Target* was set before the first run of a script. Variants added later have the same target.
- Rows that can hardly fail, such as a gap that is not negative, are checked but not counted as targets.
- If a script was changed after its test figures had been seen, its section says how.
"""


def scripts() -> list[tuple[Path, dict[str, Any]]]:
    """Return each script and the contents of its `.toml` file, in the order of the section numbers."""
    found = [(path.with_suffix(".py"), tables(path)) for path in HERE.glob("*.toml")]
    return sorted(found, key=lambda pair: pair[1]["paper"]["number"])


def result(name: str, schedule: str) -> dict[str, Any] | None:
    """Return the result of a run, or None if there is none."""
    path = result_path(name, schedule)
    return json.loads(path.read_text()) if path.exists() else None


def spreads(name: str, found: dict[str, Any]) -> Iterator[str]:
    """Return a table of figures by name, such as the variance of each gradient estimator."""
    columns = list(dict.fromkeys(key for row in found.values() if isinstance(row, dict) for key in row))
    title = name.replace("_", " ").capitalize()
    yield f"| {title} | {' | '.join(c.replace('_', ' ') for c in columns or ['variance'])} |"
    yield "|---" * (1 + len(columns or ["variance"])) + "|"
    for key, row in found.items():
        values = [row.get(c) for c in columns] if isinstance(row, dict) else [row]
        yield f"| {key} | {' | '.join('' if v is None else f'{v:.2e}' for v in values)} |"
    yield ""


def machine(found: dict[str, Any]) -> str:
    """Return a description of the machine."""
    kind = found["machine"]
    # A run that was interrupted may have continued on another machine.
    counts = sorted({each["cores"] for each in found.get("machines", [kind])})
    names = dict.fromkeys(each["cpu"] for each in found.get("machines", [kind]))
    cores = f"{' or '.join(map(str, counts))} core{'s' if counts != [1] else ''} of {' and '.join(names)}"
    # On its own, a run keeps no more than its cores busy.
    busy = ["shared with other jobs"] if kind["load"] > 1.5 * kind["cores"] else []
    return ", ".join([cores, *kind["accelerators"], *busy])


def minutes(seconds: float) -> str:
    """Return a duration in readable form."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def words(settings: dict[str, Any]) -> str:
    """Return the settings as text."""
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())


def folded(found: dict[str, Any]) -> Iterator[str]:
    """Return the collapsed details: the settings of a run and the warnings about its estimates."""
    warned = dict(found["warnings"])
    for name, part in found["figures"].items():
        if isinstance(part, dict) and part.get("warnings"):
            warned[name.replace("_", ", ")] = part["warnings"]
    lines = [f"- {name}: {warning}." for name, warnings in warned.items() for warning in warnings]
    what = f"Settings and {len(lines)} warning{'s' if len(lines) > 1 else ''} about estimates" if lines else "Settings"
    yield from (f"<details><summary>{what}</summary>", "", f"{words(found['settings'])}.", "")
    yield from ([*lines, ""] if lines else [])
    yield from ("</details>", "")


def section(script: Path, spec: dict[str, Any], schedule: str) -> Iterator[str]:
    """Return the section of a script for one schedule."""
    paper, found = spec["paper"], result(script.stem, schedule)
    if schedule == "short":
        yield from (
            f"## {paper['number']}. {paper['title']}",
            "",
            f"{paper['data']}. Published: {paper['source']}.",
            "",
        )
        notes = {"other": "Differences from the paper", "changed": "Changed after test figures were seen"}
        for key, words_before in notes.items():
            yield from ([f"{words_before}: {paper[key]}.", ""] if key in paper else [])
    if found is None:
        what = f"Full schedule ({words(spec['full'])})" if schedule == "full" else "Short schedule"
        yield from (f"{what}: {NOT_RUN}. `{command(script.stem, schedule)}`", "")
        if schedule == "full":
            return
    else:
        facts = f"seed {found['seed']}, {minutes(found['seconds'])} on {machine(found)}, {found['date']}"
        yield from (f"`{found['command']}`: {facts}. Validation split: {found['validation']}.", "")
        if settings_of(script, schedule) != found["settings"]:
            yield from ("The settings have changed since this run.", "")
    figures = found and found["figures"]
    yield "| | Published | Ours | Difference | Target | Why they differ |"
    yield "|---|---|---|---|---|---|"
    for row in spec["row"]:
        *leading, reason = cells(row, figures)
        # Reasons are written for the short schedule.
        escaped = (cell.replace("|", r"\|") for cell in (*leading, reason if schedule == "short" else ""))
        yield f"| {' | '.join(escaped)} |"
    yield ""
    for part in spec.get("grid", ()):
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
    """Return the summary table of all scripts."""
    yield "| | Command | Seed | Time | Machine | Targets reached |"
    yield "|---|---|---|---|---|---|"
    for script, spec in scripts():
        link = f"{spec['paper']['number']}. {spec['paper']['title']}"
        found = result(script.stem, "short")
        if found is None:
            yield f"| {link} | `{command(script.stem, 'short')}` | | | | {NOT_RUN} |"
            continue
        answers = [cells(row, found["figures"])[4] for row in spec["row"] if not row.get("check")]
        reached = f"{sum(a.endswith(': yes') for a in answers)} of {sum(bool(a) for a in answers)}"
        facts = [f"`{found['command']}`", str(found["seed"]), minutes(found["seconds"]), machine(found), reached]
        yield f"| {link} | {' | '.join(facts)} |"
    yield ""


def page() -> str:
    """Return the text of docs/reproductions.md."""
    lines = [HEAD, *summary()]
    for script, spec in scripts():
        for schedule in SCHEDULES:
            lines += section(script, spec, schedule)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    with whole(PAGE) as unfinished:
        unfinished.write_text(page())


if __name__ == "__main__":
    main()
