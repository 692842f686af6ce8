"""Write the tables of docs/models.md from the files in benchmarks/results/.

python benchmarks/models_page.py
"""

import json
from pathlib import Path
from typing import Any

from keras_vae.models.catalog import CATALOG, CONDITIONAL, OWN_LIKELIHOOD
from keras_vae.utils.files import whole

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "models.md"
# The least gain in log p(x) over another model that the papers suggest, and why.
EXPECTED = {
    "iwae": ("vae", 0.5, "Burda et al. 2016: 0.9 better with k = 5"),
    "vamp": ("vae", 1.0, "Tomczak & Welling 2018: 1.2 to 3.0 better"),
    "cvae": ("vae", 3.0, "the class is worth log 10 = 2.3 nats, and helps inference"),
    "gumbel": ("nvil", 4.0, "Jang et al. 2017: 9.1 better than the score function (bound)"),
}


def catalog() -> str:
    """Return the table of all models on mnist_5k."""
    found = _read("ready_made_mnist_5k")
    models, settings = found["models"], found["settings"]
    lines = [
        f"mnist_5k, dynamic binarization, {settings['epochs']} epochs, seed {settings['seed']}. Nats per test digit; "
        f"log p(x) with {settings['num_samples']} importance samples. Differences from the plain VAE are paired "
        "over the same 1,000 digits, ± standard error over the digits, not over training seeds. Command: "
        "`python benchmarks/ready_made.py "
        f"--epochs {settings['epochs']}`.",
        "",
        "| `--model` | Description | Paper | Bound | log p(x) ≥ | Gain over `vae` |",
        "|---|---|---|---|---|---|",
    ]
    for name, (paper, sentence) in CATALOG.items():
        if name not in models:
            lines.append(f"| `{name}` | {sentence} | {paper} | not measured | | |")
            continue
        row = models[name]
        difference = "other data" if name in OWN_LIKELIHOOD else _difference(row, "vae")
        figure = f"{row['log_likelihood']:.2f}{', given y' if name in CONDITIONAL else ''}"
        lines.append(f"| `{name}` | {sentence} | {paper} | {row['bound']:.2f} | {figure} | {difference} |")
    return "\n".join(lines) + "\n"


def expectations() -> str:
    """Return the table that compares models on MNIST with published results."""
    found = _read("ready_made_mnist")
    models, settings = found["models"], found["settings"]
    lines = [
        f"MNIST (60,000 + 10,000), dynamic binarization, {settings['epochs']} epochs, seed {settings['seed']}, "
        f"{settings['num_samples']} importance samples. ± is the standard error over test digits, not over training "
        "seeds. Command: `python benchmarks/ready_made.py --data mnist "
        f"--epochs {settings['epochs']} --models {' '.join(models)}`.",
        "",
        "| `--model` | Bound | log p(x) ≥ | Gain in log p(x) | Gain in bound | Target: at least | Reason for target |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in models.items():
        other, least, paper = EXPECTED.get(name, ("", 0.0, ""))
        cells = [f"`{name}`", f"{row['bound']:.2f}", f"{row['log_likelihood']:.2f} ± {row['standard_error']:.2f}"]
        if other:
            cells += [f"{_difference(row, other)} over `{other}`", f"{row['bound'] - models[other]['bound']:+.2f}"]
            cells += [f"{least}", paper]
        lines.append(f"| {' | '.join([*cells, *[''] * (7 - len(cells))])} |")
    return "\n".join(lines) + "\n"


def bounds() -> str:
    """Return the table of L_k."""
    rows = _read("bounds")["bounds"]
    names = " | ".join(f"L_{row['k']}" for row in rows)
    figures = " | ".join(f"{row['bound']:.2f}" for row in rows)
    return f"| {names} |\n{'|---' * len(rows)}|\n| {figures} |\n"


def estimators() -> str:
    """Return the table of gradient variances."""
    tables = _read("estimators")
    lines = ["| Estimator | " + " | ".join(tables) + " |", "|---" * (len(tables) + 1) + "|"]
    for name in dict.fromkeys(name for table in tables.values() for name in table):
        cells = [_estimator(table.get(name)) for table in tables.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _estimator(row: dict[str, float] | None) -> str:
    if row is None:
        return ""
    bias = row.get("bias_in_standard_errors")
    return f"{row['variance']:.1e}" + (f", bias {bias:.0f} s.e." if bias is not None and bias > 5 else "")


def _difference(row: dict[str, Any], other: str) -> str:
    if other not in row["against"]:
        return ""
    mean, error = row["against"][other]
    return f"{mean:+.2f} ± {error:.2f}"


def _read(name: str) -> Any:
    return json.loads((HERE / "results" / f"{name}.json").read_text())


_TABLES = {"catalog": catalog, "expectations": expectations, "bounds": bounds, "estimators": estimators}


def main() -> None:
    text = PAGE.read_text()
    for name, make in _TABLES.items():
        begin, end = f"<!-- {name}: benchmarks/models_page.py -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + make() + end + rest.split(end)[1]
    with whole(PAGE) as unfinished:
        unfinished.write_text(text)


if __name__ == "__main__":
    main()
