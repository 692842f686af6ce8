"""Arguments that are not data: plots, ready-made models, factories, compile, the backend; each refused in one line."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import keras_vae as kv
from keras_vae.cli import main
from keras_vae.latent import Decoded
from keras_vae.utils.backend import require_tensorflow
from tests.gates.containers import ArrayLike, refusal

IMAGES = np.zeros([4, 8, 8, 1])
MEANS = np.random.default_rng(0).normal(size=[4, 3])
LABELS = [0, 1, 0, 1]
ENTRIES = [{"epoch": 1, "bound": -9.0}]


@pytest.fixture(scope="module")
def vae():
    return kv.models.vae((8, 8, 1), latent_size=2, hidden=[3], seed=0)


def test_plots(vae):
    p = kv.plots
    calls = {
        "grid dict": lambda: p.grid({"a": IMAGES}),
        "grid swapped": lambda: p.grid("images.png", IMAGES),
        "grid list of uneven": lambda: p.grid([IMAGES[0], IMAGES[0, :4]]),
        "grid strings": lambda: p.grid(IMAGES.astype(str)),
        "grid none": lambda: p.grid(None),
        "by_class swapped": lambda: p.by_class(["a", "b"], IMAGES),
        "by_class of images": lambda: p.by_class(IMAGES),
        "by_class number": lambda: p.by_class(3),
        "reconstructions swapped": lambda: p.reconstructions(IMAGES, "pairs.png"),
        "reconstructions model": lambda: p.reconstructions(vae, IMAGES),
        "reconstructions numbers": lambda: p.reconstructions(1, 1),
        "latent_space dict": lambda: p.latent_space({"z1": MEANS}),
        "latent_space encode": lambda: p.latent_space(vae.encode(IMAGES)),
        "latent_space swapped": lambda: p.latent_space(LABELS, MEANS),
        "latent_space path": lambda: p.latent_space(MEANS, "latents.png"),
        "latent_space model": lambda: p.latent_space(vae, LABELS),
        "latent_space labels dict": lambda: p.latent_space(MEANS, {"a": 1}),
        "latent_space path array": lambda: p.latent_space(MEANS, None, np.array(LABELS)),
        "manifold images": lambda: p.manifold(np.zeros([3, 3, 8, 8, 1])),
        "manifold model": lambda: p.manifold(vae),
        "manifold groups": lambda: p.manifold(Decoded(np.zeros([3, 3, 8, 8, 1]), {"z1": np.zeros([3, 3, 2])})),
        "manifold swapped": lambda: p.manifold(Decoded(np.zeros([3, 3, 2]), np.zeros([3, 3, 8, 8, 1]))),
        "traversals swapped": lambda: p.traversals(IMAGES, vae),
        "traversals one image": lambda: p.traversals(vae, IMAGES[0]),
        "traversals text": lambda: p.traversals(vae, "images.png"),
        "traversals nan": lambda: p.traversals(vae, IMAGES * np.nan),
        "interpolation decoded": lambda: p.interpolation(kv.latent.interpolate(vae, IMAGES[0], IMAGES[1])),
        "interpolation dict": lambda: p.interpolation({"a": IMAGES}),
        "edit number": lambda: p.edit(IMAGES, 3),
        "edit decoded": lambda: p.edit(IMAGES, kv.latent.edit(vae, IMAGES, {0: 1.0})),
        "attribute swapped": lambda: p.attribute([-1, 0, 1], np.zeros([4, 3, 8, 8, 1])),
        "attribute one strength": lambda: p.attribute(np.zeros([4, 3, 8, 8, 1]), 1.0),
        "attribute words": lambda: p.attribute(np.zeros([4, 3, 8, 8, 1]), ["a", "b", "c"]),
        "history object": lambda: p.history(vae),
        "history dict": lambda: p.history({"bound": [1.0]}),
        "history array": lambda: p.history(np.zeros(3)),
        "history swapped": lambda: p.history("history.png", ENTRIES),
        "kl swapped": lambda: p.kl("kl.png", MEANS[0]),
        "kl dict": lambda: p.kl({"z1": MEANS[0]}),
        "kl path": lambda: p.kl(MEANS[0], MEANS[0]),
        "tile": lambda: p.tile("images.png"),
        "pairs": lambda: p.pairs(IMAGES, IMAGES[:2]),
    }
    assert not {name: wrong for name, call in calls.items() if (wrong := refusal(call))}


def test_plots_take_what_other_libraries_give(vae):
    for make in (ArrayLike, pd.DataFrame):
        assert kv.plots.latent_space(make(MEANS), pd.Series(LABELS)).axes
        assert kv.plots.kl(make(MEANS[:1])).axes
    assert kv.plots.grid(ArrayLike(IMAGES)).axes
    assert kv.plots.traversals(vae, ArrayLike(IMAGES)).axes
    assert kv.plots.manifold(kv.latent.manifold(vae, 3)).axes


def test_latent_tools(vae):
    tools = kv.latent
    x = IMAGES[0]
    calls = {
        "traverse swapped": lambda: tools.traverse(vae, IMAGES),
        "traverse text": lambda: tools.traverse(vae, "x"),
        "traverse values": lambda: tools.traverse(vae, x, values=["a"]),
        "interpolate": lambda: tools.interpolate(vae, x, {"a": x}),
        "interpolate nan": lambda: tools.interpolate(vae, x, x * np.nan),
        "interpolate_latents": lambda: tools.interpolate_latents([0.0, 1.0], "ab"),
        "edit list": lambda: tools.edit(vae, IMAGES, [0, 1.0]),
        "add_attribute": lambda: tools.add_attribute(vae, IMAGES, ["a", "b"]),
        "add_attribute strength": lambda: tools.add_attribute(vae, IMAGES, [1.0, 0.0], strength="a"),
    }
    assert not {name: wrong for name, call in calls.items() if (wrong := refusal(call))}


def test_models_and_factories(vae):
    without_optimizer = kv.models.vae((4,), latent_size=2, hidden=[3], likelihood="bernoulli")
    without_optimizer.compile(None)  # as in Keras, for evaluation alone
    calls = {
        "compile(None)": lambda: without_optimizer.fit(np.zeros([4, 4])),
        "classes": lambda: kv.models.make("vae", (4,), classes=3),
        "likelihood function": lambda: kv.models.vae((4,), likelihood=os.path.join),
        "likelihood class": lambda: kv.models.vae((4,), likelihood=dict),
        "likelihood path": lambda: kv.models.vae((4,), likelihood="os.path:join"),
        "posterior": lambda: kv.models.vae((4,), posterior=os.path.join),
        "prior": lambda: kv.models.vae((4,), prior=os.path.join),
        "objective": lambda: kv.models.vae((4,), objective=os.path.join),
        "condition": lambda: kv.models.vae((4,), condition=os.path.join),
    }
    assert not {name: wrong for name, call in calls.items() if (wrong := refusal(call, (ValueError, TypeError)))}
    assert kv.models.make("cvae", (4,), hidden=[3], classes=3).condition.size == 3


@pytest.mark.parametrize(
    ("flag", "path", "message"),
    [
        ("--likelihood", "os.path:join", "to return a keras_vae Family, received TypeError"),
        ("--likelihood", "os.path:isabs", "to return a keras_vae Family, received"),
        (
            "--likelihood",
            "collections:OrderedDict",
            "a class derived from keras_vae.families.Family, received",
        ),
        ("--prior", "os.path:join", "to return a keras_vae Prior, received TypeError"),
        ("--prior", "builtins:str", "to return a keras_vae Prior, received '2'"),
        ("--objective", "os.path:join", "to return a keras_vae Objective, received TypeError"),
        ("--objective", "builtins:dict", "to return a keras_vae Objective, received {}"),
    ],
)
def test_factories_on_the_command_line(flag, path, message, digits, tmp_path, capsys):
    words = ["train", "--run", str(tmp_path / "run"), "--data", str(digits), "--latent", "2", flag, path]
    assert main(words) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith(f"keras-vae train: error: {flag}: expected")
    assert message in line


@pytest.mark.parametrize("how", ["variable", "file"])
def test_another_backend_is_refused_at_import(how, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    environment |= {"KERAS_BACKEND": "torch"} if how == "variable" else {"KERAS_HOME": str(tmp_path)}
    command = [sys.executable, "-c", "import keras_vae"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    expected = "ImportError: keras_vae: expected the Keras backend 'tensorflow', received "
    assert found.stderr.splitlines()[-1].startswith(
        expected + ("KERAS_BACKEND=torch" if how == "variable" else "'jax'")
    )


def test_the_backend_in_use_counts(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    require_tensorflow()
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match=r"received 'jax'\. Set KERAS_BACKEND=tensorflow before Keras is imported"):
        require_tensorflow()
