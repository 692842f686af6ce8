"""The reproductions' settings, results and page agree; a run that is killed goes on where it was."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks" / "reproduce"
# Tried in CI; all of them by `pytest -m "slow or stress" tests/test_reproductions.py`.
_OFTEN = ("conditional.py", "iwae_table1.py")
MACHINE = {"cpu": "CPU", "cores": 1, "accelerators": [], "load": 1.0}
SCRIPTS = sorted(path.with_suffix(".py").name for path in FOLDER.glob("*.toml"))


@pytest.fixture
def module(monkeypatch):
    """Import one of the folder's modules, whose names are not to stay."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(FOLDER.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS)
def test_settings_and_rows(script, module):
    settings, rows = module("settings"), module("rows")
    assert (FOLDER / script).exists()
    assert script in (FOLDER / "README.md").read_text()
    for schedule in (*settings.SCHEDULES, "try"):
        assert "seed" in settings.settings_of(FOLDER / script, schedule)
    told = settings.tables(FOLDER / script)
    assert {"number", "title", "source", "data"} <= told["paper"].keys()
    known = {"what", "figure", "published", "published_figure", "spread", "digits", "reason", "check"}
    aims = {"within", "between", "at_least", "at_most", "yes"}
    for row in told["row"]:
        assert row.keys() <= known | aims
        assert len(row.keys() & aims) <= 1
        assert rows.NOT_RUN in rows.cells(row, None)


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results" / "reproduce").glob("*.json")), ids=str)
def test_results_say_how_they_came_about(path):
    found = json.loads(path.read_text())
    facts = {"command", "date", "seed", "seconds", "machine", "versions", "validation", "settings", "figures"}
    assert facts <= found.keys()
    assert found["schedule"] in ("short", "full")


def test_page_is_written_from_the_results(module):
    assert module("table").page() == (ROOT / "docs" / "reproductions.md").read_text(), "run reproduce/table.py"


def test_every_row_finds_its_figure(module):
    table, rows = module("table"), module("rows")
    for script, told in table.scripts():
        for schedule in ("short", "full"):
            found = table.result(script.stem, schedule)
            if found is not None:
                assert all(rows.NOT_RUN not in rows.cells(row, found["figures"]) for row in told["row"])
    with pytest.raises(KeyError, match="maen"):
        rows.cells({"what": "", "figure": "gain.maen"}, {"gain": {"mean": 1.0}})


def test_what_was_not_reached_has_a_reason(module):
    table, rows = module("table"), module("rows")
    for script, told in table.scripts():
        found = table.result(script.stem, "short")
        for row in told["row"] if found else ():
            verdict, reason = rows.cells(row, found["figures"])[4:]
            assert reason or "**no**" not in verdict, f"{script.stem}.toml: {row['what']}"


@pytest.mark.stress
def test_means_are_inverted_exactly_and_as_the_authors_do(module):
    script = module("continuous_bernoulli")
    mean = np.float32([0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
    parameters = {"logits": tf.constant(np.log(mean / (1 - mean)))}
    grid = (np.arange(20000) + 0.5) / 20000

    def mean_of(lam):  # by quadrature
        return np.average(grid, weights=lam**grid * (1 - lam) ** (1 - grid))

    exact = script.ExactInverse(6).distribution(parameters)
    lowest = mean_of(1e-4)  # λ's bound
    np.testing.assert_allclose(exact.mean(), np.clip(mean, lowest, 1 - lowest), atol=1e-4)
    # Straight lines between the means of 100 λ.
    knots = np.linspace(0.0, 1.0001, 100)
    means = [0.0, *(mean_of(lam) for lam in knots[1:-1]), 1.0001]
    lam = np.clip(np.interp(mean, means, knots), 1e-4, 1 - 1e-4)
    found = script.InterpolatedInverse(6).distribution(parameters)
    np.testing.assert_allclose(tf.sigmoid(found.distribution.logits), lam, atol=2e-4)


def test_rows_say_whether_what_was_wanted_came_out(module):
    cells = module("rows").cells
    row = {"what": "ELBO", "figure": "elbo.vae", "published": 100, "within": 1.0}
    assert cells(row, {"elbo": {"vae": 100.9}}) == ["ELBO", "100", "100.9", "+0.9", "within 1: yes", ""]
    assert cells(row, {"elbo": {"vae": 98.5}})[3:5] == ["-1.5", "within 1: **no**"]
    gain = {"what": "gain", "figure": "gain.mean", "spread": "gain.standard_error", "at_least": 1.0, "digits": 2}
    assert cells(gain, {"gain": {"mean": 0.5, "standard_error": 0.25}})[2:5] == [
        "0.50 ± 0.25",
        "",
        "at least 1: **no**",
    ]
    small = {"what": "variance", "figure": "x", "published": 0, "at_most": 1e-6}
    assert cells(small, {"x": 3.9e-13})[2:5] == ["3.9e-13", "+3.9e-13", "at most 1e-06: yes"]
    assert cells({"what": "", "figure": "x", "between": [2, 4]}, {"x": 3.0})[4] == "2 to 4: yes"
    assert cells({"what": "", "figure": "x", "yes": True}, {"x": False})[2:5] == ["no", "", "yes: **no**"]


def test_grids_hold_figures_of_one_kind(module):
    columns = [
        {"what": "L_1", "figure": "bounds.0.bound", "digits": 2},
        {"what": "gain", "figure": "gain.mean", "spread": "gain.error"},
    ]
    told = {"corner": "nats", "rows": {"k = 1": "k1"}, "columns": columns}
    figures = {"k1": {"bounds": [{"bound": -91.521}], "gain": {"mean": 0.25, "error": 0.125}}}
    grid = module("grids").grid
    assert list(grid(told, figures)) == ["| nats | L_1 | gain |", "|---|---|---|", "| k = 1 | -91.52 | 0.2 ± 0.1 |", ""]
    assert list(grid(told, None))[2] == "| k = 1 | not run | not run |"
    with pytest.raises(LookupError):
        list(grid(told, {"k1": {"bounds": [], "gain": figures["k1"]["gain"]}}))


def test_parts_of_a_run_with_other_settings_are_not_taken_up(module, tmp_path):
    refuse = module("common")._refuse_other_settings
    settings = {"seed": 0, "epochs": 2}
    refuse(tmp_path / "settings.json", settings)
    refuse(tmp_path / "settings.json", dict(settings))
    with pytest.raises(SystemExit, match=r"with different epochs, rates\. Move the folder away"):
        refuse(tmp_path / "settings.json", {"seed": 0, "epochs": 3, "rates": [1.0]})
    assert json.loads((tmp_path / "settings.json").read_text()) == settings


def test_all_machines_that_worked_on_a_run_are_told(module, tmp_path, monkeypatch):
    of, path = module("machine"), tmp_path / "machines.json"
    for cores in (1, 2, 1):
        monkeypatch.setattr(of, "machine", lambda cores=cores: {**MACHINE, "cores": cores})
        of.remember(path)
    assert [kind["cores"] for kind in of.remembered(path)] == [1, 2]
    told = module("table").machine
    assert told({"machine": MACHINE, "machines": of.remembered(path)}) == "1 or 2 cores of CPU"
    assert told({"machine": MACHINE}) == "1 core of CPU"


def test_checks_are_not_counted_among_the_aims(module, monkeypatch):
    table = module("table")
    rows = [
        {"what": "gap", "figure": "gap", "at_least": 0, "check": True},
        {"what": "gain", "figure": "gain", "at_least": 1},
        {"what": "sum", "figure": "sum", "at_most": 4},
        {"what": "x", "figure": "gap"},
    ]
    found = {
        "figures": {"gap": 0.5, "gain": 0.5, "sum": 3.0},
        "command": "run",
        "seed": 0,
        "seconds": 90,
        "machine": MACHINE,
    }
    told = {"paper": {"number": 1, "title": "Paper"}, "row": rows}
    monkeypatch.setattr(table, "scripts", lambda: [(Path("paper.py"), told)])
    monkeypatch.setattr(table, "result", lambda name, schedule: found)
    assert "| 90 s | 1 core of CPU | 1 of 2 |" in "\n".join(table.summary())


def test_a_schedule_sets_only_what_short_has(module, tmp_path):
    (tmp_path / "script.toml").write_text("[short]\nseed = 0\nepochs = 2\n[full]\nepoch = 5\n[try]\nepochs = 1\n")
    settings = module("settings")
    assert settings.settings_of(tmp_path / "script.py", "try") == {"seed": 0, "epochs": 1}
    with pytest.raises(ValueError, match="epoch, which"):
        settings.settings_of(tmp_path / "script.py", "full")


def test_pieces_are_measured_once_and_epochs_go_on(module, tmp_path):
    import keras_vae as kv

    common, work = module("common"), module("work")
    digits = kv.data.read("mnist_5k", "train[:200]")
    fitted, validation = common.held_out(digits, 50)
    assert (fitted.images.shape, validation.images.shape) == ((150, 28, 28, 1), (50, 28, 28, 1))
    assert (validation.images == digits.images[150:]).all()

    def build():
        model = kv.models.vae((28, 28, 1), latent_size=2, hidden=[4], seed=0)
        model.compile("adam")
        return model

    calls = []
    for count in (1, 2):  # the second time as after a kill
        run = work.Work("name", "try", {"seed": 0, "batch_size": 50}, tmp_path)
        model = run.train("vae", build, fitted, count, keep=(1,))
        assert int(model.optimizer.iterations) == 3 * count
        assert run.piece("figure", lambda: calls.append(0) or {"nats": 1.5}) == {"nats": 1.5}
    assert len(calls) == 1
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.piece("broken", lambda: float("nan"))
    assert not (tmp_path / "broken.json").exists()
    assert int(run.kept("vae", 1).optimizer.iterations) == 3
    seconds = [entry["seconds"] for entry in kv.training.read_history(tmp_path / "vae" / "history.json")]
    assert len(seconds) == 2
    assert run.seconds["training vae"] == pytest.approx(sum(seconds))


@pytest.mark.parametrize(
    "script",
    [pytest.param(script, marks=pytest.mark.stress if script in _OFTEN else pytest.mark.slow) for script in SCRIPTS],
)
def test_scripts_run(script):
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), "--try"], capture_output=True, text=True, cwd=ROOT, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(done.stdout[done.stdout.index('{\n "name"') :])]
    assert rows[0]["figures"]
