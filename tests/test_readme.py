"""The README's Python must run as it stands, but for the number of epochs and the port."""

import importlib.util
import re
from pathlib import Path

import pytest

from serving import Server

README = Path(__file__).parent.parent / "README.md"


def test_readme_code_runs(tmp_path, monkeypatch):
    library, conditional, groups, table, client = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(library.replace("epochs=60", "epochs=1").replace("num_samples=500", "num_samples=2"), names)
    assert (tmp_path / "vae.keras").exists()
    assert (tmp_path / "samples.png").exists()
    exec(conditional.replace("epochs=60", "epochs=1"), {"kv": names["kv"]})
    few = {"kv": names["kv"], "train": names["train"].take(3), "test": names["test"]}
    exec(groups.replace("epochs=60", "epochs=1"), few)
    assert {name: value.shape for name, value in few["z"].items()} == {"z1": (100, 100), "z2": (100, 50)}
    exec(table, few)
    assert few["vae"].sample(5, seed=0).shape == (5, 4)
    with Server(model_name="digits", model_base_path="models/digits", port=0) as server:
        exec(client.replace("127.0.0.1:8500", f"127.0.0.1:{server.port}"), names)
    assert names["images"].shape == names["x"].shape == (64, 28, 28, 1)
    assert names["nats"].shape == (64,)


@pytest.mark.stress
def test_the_code_on_measures_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (README.parent / "docs" / "evaluation.md").read_text(), re.DOTALL)
    names: dict[str, object] = {}
    few = (
        code.replace("epochs=20", "epochs=1")
        .replace("[:50]", "[:5]")
        .replace("num_samples=1000", "num_samples=100, max_steps=100")
    )
    exec(few.replace("bidirectional(vae)", "bidirectional(vae, num_examples=5, num_steps=20)"), names)
    assert names["imputed"].means.shape == (5, 28, 28, 1)


def test_readme_figures_are_those_of_the_results():
    spec = importlib.util.spec_from_file_location("readme", README.parent / "benchmarks" / "readme.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.table() in README.read_text(), "python benchmarks/readme.py"


def test_readme_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        if not target.startswith("http"):
            assert (README.parent / target).exists(), target


@pytest.mark.parametrize("name", ["demo", "test", "lint", "types", "doctest", "figures", "conformance"])
def test_readme_make_targets_exist(name):
    assert re.search(rf"^{name}:", (README.parent / "Makefile").read_text(), re.MULTILINE)
