"""Write docs/models.md's tables from the files in benchmarks/results/.

python benchmarks/models_page.py
"""

import json
from pathlib import Path
from typing import Any

from keras_vae.models.catalog import CATALOG, CONDITIONAL, OWN_LIKELIHOOD
from keras_vae.utils.files import whole

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "models.md"
# What the papers lead one to expect: of log p(x), against the model named.
EXPECTED = {
    "iwae": ("vae", 0.5, "Burda et al. 2016: 0.9 better with k = 5"),
    "vamp": ("vae", 1.0, "Tomczak & Welling 2018: 1.2 to 3.0 better"),
    "cvae": ("vae", 3.0, "the class is log 10 = 2.3 nats, and helps to infer"),
    "gumbel": ("nvil", 4.0, "Jang et al. 2017: 9.1 better than the score function (bound)"),
}


def catalog() -> str:
    """Return the table of all models on mnist_5k."""
    found = _read("ready_made_mnist_5k")
    models, settings = found["models"], found["settings"]
    lines = [
        f"mnist_5k, dynamic binarization, {settings['epochs']} epochs, seed {settings['seed']}; nats per test digit, "
        f"log p(x) by {settings['num_samples']} importance samples; the difference to the plain VAE is paired "
        "over the same 1,000 digits, ± its standard error. Command: `python benchmarks/ready_made.py "
        f"--epochs {settings['epochs']}`.",
        "",
        "| `--model` | what it is | paper | bound | log p(x) ≥ | against `vae` |",
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
    """Return the table of the models that papers lead one to expect something of, on MNIST."""
    found = _read("ready_made_mnist")
    models, settings = found["models"], found["settings"]
    lines = [
        f"MNIST (60,000 + 10,000), dynamic binarization, {settings['epochs']} epochs, seed {settings['seed']}, "
        f"{settings['num_samples']} importance samples. Command: `python benchmarks/ready_made.py --data mnist "
        f"--epochs {settings['epochs']} --models {' '.join(models)}`.",
        "",
        "| `--model` | bound | log p(x) ≥ | gain in log p(x) | in the bound | wanted at least | the papers |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in models.items():
        other, least, paper = EXPECTED.get(name, ("", 0.0, ""))
        cells = [f"`{name}`", f"{row['bound']:.2f}", f"{row['log_likelihood']:.2f} ± {row['standard_error']:.2f}"]
        if other:
            cells += [f"{_difference(row, other)} on `{other}`", f"{row['bound'] - models[other]['bound']:+.2f}"]
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
    """Return the table of the estimators' variances."""
    tables = _read("estimators")
    lines = ["| estimator | " + " | ".join(tables) + " |", "|---" * (len(tables) + 1) + "|"]
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
