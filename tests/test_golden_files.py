"""Files written by the first version are read by this one, under their old names, and give the same figures.

`tests/golden_files/make.py` made them; they are never made again, and a new part gets a new file. It lists the
figures that a fix has rightly changed since.
"""

import inspect
import json
import shutil

import keras
import numpy as np
import pytest

import keras_vae as kv
import serving
from tests.golden_files import figures

MODELS = sorted(path.stem for path in figures.HERE.glob("*.keras"))
RUNS = sorted(path.parent.name for path in figures.RUNS.glob("*/config.json"))
# Other kernels add in another order: measured with oneDNN off, that moves float32 figures by up to 6e-7. In bfloat16 a
# result can be rounded the other way, by 2^-8 of itself: measured, figures move by up to 5e-3.
CLOSE, CLOSE_IN_BFLOAT16 = 1e-5, 1e-2


def _compare(found, stored, tolerance=CLOSE):
    assert set(found) == set(stored)
    for name, value in stored.items():
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


# The first of each two here, the others in `make stress`.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.stress] if i % 2 else []) for i, name in enumerate(MODELS)]
)
def test_a_stored_model_gives_the_figures_it_gave(name):
    vae = keras.saving.load_model(figures.HERE / f"{name}.keras")
    stored = figures.read(figures.HERE / f"{name}.npz")
    asked = {key: stored.pop(key) for key in ("x", "y", "z") if key in stored}
    assert stored["iterations"] == 8
    tolerance = CLOSE_IN_BFLOAT16 if vae.decoder.network.compute_dtype == "bfloat16" else CLOSE
    _compare(figures.ask(vae, asked), stored, tolerance)


def test_every_public_part_is_in_a_stored_model():
    used = set().union(*(figures.parts(figures.HERE / f"{name}.keras") for name in MODELS))
    for package, base in (
        (kv, keras.layers.Layer),
        (kv.families, kv.families.Family),
        (kv.networks, keras.Model),
        (kv.priors, kv.priors.Prior),
        (kv.objectives, kv.objectives.Objective),
        (kv.estimators, kv.estimators.Estimator),
        (kv.conditions, kv.conditions.Condition),
        (kv.schedules, keras.optimizers.schedules.LearningRateSchedule),
    ):
        public = [getattr(package, name) for name in package.__all__]
        parts = {p for p in public if inspect.isclass(p) and issubclass(p, base) and p not in (base, kv.LatentEncoder)}
        assert parts, package
        assert parts <= used, f"in no golden file: {parts - used}"


def test_a_stored_saved_model_answers_as_it_did(tmp_path):
    requests, answers = {}, {}
    for key, value in figures.read(figures.HERE / "saved_model.npz").items():
        first, *rest = key.split("/")
        if first == "asked":
            requests.setdefault(rest[0], {})[rest[1]] = value
        else:
            answers[key] = value
    assert {key.split("/")[0] for key in answers} == set(requests)
    _compare(figures.ask_signatures(figures.SAVED_MODEL, requests), answers)

    shutil.copytree(figures.SAVED_MODEL, tmp_path / "m" / "1")
    with (
        serving.Server(model_name="m", model_base_path=tmp_path / "m", port=0) as server,
        serving.Client(f"127.0.0.1:{server.port}", model="m", timeout=60.0) as client,
    ):
        client.wait_until_ready(timeout=60)
        asked = requests["score"]
        served = client.score(asked["x"], seeds=asked["seed"], condition=asked["condition"])
    np.testing.assert_allclose(served, answers["score/log_likelihood_bound"], rtol=CLOSE, atol=CLOSE)


@pytest.mark.filterwarnings("ignore::keras_vae.training.PosteriorCollapseWarning")
# One of them by default, the others in `make stress`.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.stress] if name != RUNS[0] else []) for name in RUNS]
)
def test_a_stored_run_goes_on_where_it_stopped(name, tmp_path, capsys):
    shutil.copytree(figures.RUNS, tmp_path, dirs_exist_ok=True)
    stored = json.loads((figures.RUNS / f"{name}-resumed.json").read_text())
    with_two_epochs = kv.training.read_history(tmp_path / name / "history.json")
    assert with_two_epochs == stored[:2]
    history = figures.resume(tmp_path, name)
    assert f"{name}: Resuming after epoch 2 of 3" in capsys.readouterr().err
    assert history[:2] == stored[:2]
    _compare(history[2], stored[2])
    assert int(kv.training.Run(tmp_path / name).load_model().optimizer.iterations) == 3 * 2
