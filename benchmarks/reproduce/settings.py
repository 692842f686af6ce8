"""Paths, and the settings of a schedule."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "reproduce"
PICTURES = ROOT / "docs" / "images"
OUT = ROOT / "out" / "reproduce"
SCHEDULES = ("short", "full")


def tables(script: Path) -> dict[str, Any]:
    """Return the contents of the `.toml` file of a script."""
    return tomllib.loads(script.with_suffix(".toml").read_text())


def settings_of(script: Path, schedule: str) -> dict[str, Any]:
    """Return the settings of a schedule: those of `short`, updated with its own.

    Raises:
        ValueError: If a schedule has a setting that `short` lacks.
    """
    found = tables(script)
    unknown = found[schedule].keys() - found["short"].keys()
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ValueError(f"{script.stem}.toml: [{schedule}] sets {names}, which [short] lacks. Add it to [short].")
    return {**found["short"], **found[schedule]}


def result_path(name: str, schedule: str) -> Path:
    """Return the path of a script's result."""
    return RESULTS / (f"{name}.json" if schedule == "short" else f"{name}_{schedule}.json")


def command(name: str, schedule: str) -> str:
    """Return the command that runs a script."""
    plain = f"python benchmarks/reproduce/{name}.py"
    return plain if schedule == "short" else f"{plain} --schedule {schedule}"
