"""Write the tables of docs/speed.md from the files in benchmarks/results/.

python benchmarks/speed_page.py
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_vae.utils.files import whole

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "speed.md"
AIMS = {(100, "float32"): "2.2", (1000, "float32"): "1.7", (1000, "bfloat16"): "2.4"}


def training(found: dict[str, Any]) -> list[str]:
    cases = found["cases"]
    names = list(dict.fromkeys(name for case in cases for name in case["steps_per_second"]))
    rows = [["Steps per second, median", *(f"batch {case['batch_size']:,}, {case['dtype']}" for case in cases)]]
    for name in names:
        speeds = [case["steps_per_second"].get(name, {}).get("median") for case in cases]
        rows.append([name, *("–" if speed is None else f"{speed:.{0 if speed >= 100 else 1}f}" for speed in speeds)])
    rows.append(["**keras_vae relative to the fastest peer**", *(times(case) for case in cases)])
    rows.append(["keras_vae, fraction of the limit", *(f"{case['share_of_limit']['median']:.2f}" for case in cases)])
    rows.append(["limit relative to the fastest peer", *(f"{room(case):.2f}" for case in cases)])
    rows.append(["largest difference between last-epoch losses, nats", *(f"{apart(case):.1f}" for case in cases)])
    quality = found["log_likelihood_of_keras_vae"]
    return [
        *table(rows),
        "",
        f"log p(x) of keras_vae after 20 epochs at batch 1,000: float32 {quality['float32']:.2f}, bfloat16 "
        f"{quality['bfloat16']:.2f} nats (target: a difference of at most 0.2).",
    ]


def times(case: dict[str, Any]) -> str:
    found = case["times_fastest_peer"]
    text = f"{found['median']:.2f} ({found['least']:.2f} to {found['most']:.2f})"
    aim = AIMS.get((case["batch_size"], case["dtype"]))
    if aim is None:
        return text
    return f"{text}; target {aim}: {'reached' if found['median'] >= float(aim) else 'not reached'}"


def room(case: dict[str, Any]) -> float:
    """Return the speed of the matrix products alone, relative to the fastest peer."""
    medians = {name: speed["median"] for name, speed in case["steps_per_second"].items()}
    limit = max(speed for name, speed in medians.items() if name.startswith("products"))
    return limit / max(speed for name, speed in medians.items() if not name.startswith(("products", "keras_vae")))


def apart(case: dict[str, Any]) -> float:
    losses = case["loss_in_last_epoch"].values()
    return max(losses) - min(losses)


def log_likelihood(found: dict[str, Any]) -> list[str]:
    speeds, estimates = found["samples_per_second"], found["log_likelihood"]
    rows = [["", "Decoder samples per second: median (min to max)", "Estimate, nats"]]
    for name, speed in speeds.items():
        estimate = f"{estimates[name]:.2f}" if name in estimates else ""
        rows.append([name, f"{speed['median']:,.0f} ({speed['least']:,.0f} to {speed['most']:,.0f})", estimate])
    limit = max(speed["median"] for name, speed in speeds.items() if name.startswith("products"))
    memory = ", ".join(f"{mib:.0f} MiB at {int(count):,}" for count, mib in found["memory_growth_mib"].items())
    pythae, share = found["times_pythae"]["median"], found["share_of_limit"]["median"]
    return [
        *table(rows),
        "",
        f"{pythae:.2f} times the speed of `get_nll` in pythae (target 5: "
        f"{'reached' if pythae >= 5 else 'not reached'}; the products alone reach "
        f"{limit / speeds['pythae']['median']:.1f} times), and {share:.2f} of the limit (target 0.7: "
        f"{'reached' if share >= 0.7 else 'not reached'}). Growth of peak process memory by number of importance "
        f"samples: {memory}.",
    ]


def scaling(found: dict[str, Any]) -> list[str]:
    rows = [["Global batch", "Processes", "ms per step", "Relative to one process", "CPU time relative to one process"]]
    for row in found["workers"]:
        rows.append([
            f"{row['global_batch']:,}", str(row["processes"]), f"{row['median_step_ms']:.1f}",
            f"{row['times_one_process']:.2f}", f"{row['cpu_times_one_process']:.2f}",
        ])  # fmt: skip
    slopes = ", ".join(f"{name} {value:.2f}" for name, value in found["slopes"].items())
    return [f"Slopes on a log-log scale: {slopes}.", "", *table(rows)]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


PARTS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "training": training,
    "log_likelihood": log_likelihood,
    "scaling": scaling,
}


def main() -> None:
    page = PAGE.read_text()
    for name, write in PARTS.items():
        begin, end = f"<!-- figures: {name} -->\n", f"<!-- end of {name} -->"
        text = "\n".join(write(json.loads((HERE / "results" / f"{name}.json").read_text())))
        before, rest = page.split(begin)
        page = before + begin + text + "\n" + end + rest.split(end)[1]
    with whole(PAGE) as unfinished:
        unfinished.write_text(page)


if __name__ == "__main__":
    main()
