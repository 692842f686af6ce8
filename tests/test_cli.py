import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import keras_vae as kv
from keras_vae import cli
from keras_vae.cli import stored_models
from keras_vae.cli.app import app
from keras_vae.models import catalog
from keras_vae.training import RunConfig
from keras_vae.utils.flag_types import flag_names
from serving import Server


@pytest.fixture(scope="module")
def digits(tmp_path_factory, binary_images):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    gray = (binary_images * 250).astype(np.uint8)
    labels = np.arange(64) % 3
    np.savez(path, x_train=gray, y_train=labels, x_test=gray[:16], y_test=labels[:16])
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert cli.main([*_train(folder, digits), "--epochs", "2"]) == 0
    return folder


def _train(folder, digits):
    return f"train --run {folder} --data {digits} --hidden 16 --latent 2 --batch-size 16".split()


@pytest.mark.parametrize(
    "words", [["--help"], *([name, "--help"] for name in app if not name.startswith("-")), ["--version"]]
)
def test_help_needs_no_tensorflow(words):
    code = (
        "import sys\n"
        "from keras_vae.cli import main\n"
        "try: assert main() == 0\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'matplotlib'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_the_whole_way(run, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    assert cli.main(["evaluate", str(run), "--num-samples", "50", "--json", str(figures)]) == 0
    printed = capsys.readouterr().out
    found = json.loads(figures.read_text())
    assert f"{found['log_likelihood']:.2f}" in printed
    assert found["bound"] < found["log_likelihood"] < 0
    assert found["examples"] == 16
    assert found["bound"] == pytest.approx(found["reconstruction"] - found["kl"], rel=1e-5)

    assert cli.main(["sample", str(run), "--n", "4", "--seed", "3", "--out", str(tmp_path / "s.npy")]) == 0
    assert cli.main(["sample", str(run / "model.keras"), "--n", "4", "--out", str(tmp_path / "s.png")]) == 0
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["export", str(run), str(tmp_path / "digits" / "1")]) == 0
    with Server(model_name="digits", model_base_path=tmp_path / "digits", port=0) as server:
        words = ["generate", "--server", f"127.0.0.1:{server.port}", "--model", "digits", "--n", "4", "--seed", "3"]
        assert cli.main([*words, "--out", str(tmp_path / "g.npy")]) == 0
        capsys.readouterr()
        words[words.index("digits")] = "letters"
        assert cli.main(words) == 1
        assert "Servable not found" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), np.load(tmp_path / "g.npy"))


def test_models_are_listed_with_their_papers(capsys):
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("iwae ") and "Burda, Grosse & Salakhutdinov 2016" in line for line in lines)


@pytest.mark.stress
def test_a_conditional_model_all_the_way(tmp_path, digits, capsys):
    run = tmp_path / "run"
    assert cli.main([*_train(run, digits), "--model", "cvae", "--epochs", "1"]) == 0
    assert cli.main(["evaluate", str(run), "--num-samples", "5"]) == 0
    assert cli.main(["export", str(run), str(tmp_path / "m" / "1")]) == 0
    sample = ["sample", str(run), "--n", "3", "--seed", "3", "--out", str(tmp_path / "s.npy")]
    with Server(model_name="m", model_base_path=tmp_path / "m", port=0) as server:
        generate = ["generate", "--server", f"127.0.0.1:{server.port}", "--model", "m", "--n", "3", "--seed", "3"]
        generate += ["--out", str(tmp_path / "g.npy")]
        assert cli.main([*generate, "--condition", "2"]) == 0
        assert cli.main([*sample, "--condition", "2"]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), np.load(tmp_path / "g.npy"))
        assert cli.main([*sample, "--condition", "1"]) == 0
        assert np.any(np.load(tmp_path / "s.npy") != np.load(tmp_path / "g.npy"))
        capsys.readouterr()
        assert cli.main(generate) == 2
        assert "for this conditional model, received none" in capsys.readouterr().err
    assert cli.main([*sample, "--condition", "3"]) == 1
    assert "expected every label an integer from 0 to 2" in capsys.readouterr().err
    assert cli.main(sample) == 0  # the classes in turn
    history = json.loads((run / "history.json").read_text())
    assert 0 <= history[0]["active_units"] <= 2


def test_train_again_continues_with_the_settings_of_the_run(run, digits, capsys):
    """Flags that are not given come from config.json; those that differ are refused, the defaults among them."""
    before = (run / "config.json").read_text()
    assert cli.main(["train", "--run", str(run), "--epochs", "3"]) == 0
    assert "after 3 epochs" in capsys.readouterr().out
    assert cli.main([*_train(run, digits), "--epochs", "3"]) == 0
    assert (run / "config.json").read_text() == before
    for flag, change in (("--batch-size 100", "16 → 100"), ("--hidden 400 400", "(16,) → (400, 400)")):
        assert cli.main(["train", "--run", str(run), *flag.split()]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert f"received others ({flag.split()[0]}: {change})" in line
        assert "leave the flags out" in line


def test_every_setting_of_a_run_is_taken_from_it(tmp_path):
    settings = RunConfig(
        data="d.npz",
        preprocess="gray",
        image_size=(3, 4),
        standardize=True,
        model="iwae",
        likelihood="normal",
        scale=0.1 + 0.2,
        prior="a:b",
        latent_size=3,
        network="conv",
        hidden=(5, 6),
        num_samples=7,
        batch_size=8,
        learning_rate=1 / 3,
        precision="mixed_bfloat16",
        seed=9,
        deterministic=True,
    )
    settings.write(tmp_path / "config.json")
    for words, wanted in (([], settings), (["--seed", "1"], dataclasses.replace(settings, seed=1))):
        _, call, _ = app.parse_args(["train", "--run", str(tmp_path), *words], exit_on_error=False)
        assert call.arguments["options"].config == wanted
    (tmp_path / "config.json").write_text("{")
    assert cli.main(["train", "--run", str(tmp_path)]) == 1


def test_one_epoch_is_singular(tmp_path, digits, capsys):
    """And a table trains, standardized, and is measured and sampled."""
    rows = np.random.default_rng(0).normal([170.0, 4e4], [10.0, 1e4], [200, 2])
    lines = "\n".join(f"{height:.1f},{income:.0f}.5,{'ab'[i % 2]}" for i, (height, income) in enumerate(rows))
    (tmp_path / "people.csv").write_text(f"height,income,city\n{lines}\n")
    run = tmp_path / "run"
    words = f"train --run {run} --data {tmp_path}/people.csv --hidden 8 --latent 2 --epochs 1"
    assert cli.main(words.split()) == 1
    assert "--likelihood: expected one that allows the values of column 'height'" in capsys.readouterr().err
    assert cli.main([*words.split(), "--likelihood", "normal", "--standardize"]) == 0
    assert "nats per example after 1 epoch\n" in capsys.readouterr().out
    assert cli.main(["train", "--run", str(run), "--epochs", "1"]) == 0
    assert "Trained already, for 1 epoch;" in capsys.readouterr().err
    assert cli.main(["evaluate", str(run), "--num-samples", "5"]) == 0
    assert cli.main(["sample", str(run), "--n", "5", "--out", str(tmp_path / "s.npy")]) == 0
    assert cli.main(["sample", str(run), "--n", "5", "--out", str(tmp_path / "s.png")]) == 2
    assert "--out: expected a name that ends in .npy, since x is not an image" in capsys.readouterr().err
    means = np.load(tmp_path / "s.npy")
    assert means.shape == (5, 4)
    assert 130 < means[:, 0].mean() < 210


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "nowhere"], "nowhere: expected a run directory or a .keras file, received none"),
        (["train", "--run", "{run}", "--data", "mnist_6k"], "expected the settings of this run, received others"),
        (["train", "--run", "{run}2", "--data", "mnist_6k"], "mnist_6k"),
        (["train", "--run", "{run}2", "--likelihood", "bernoulli", "--preprocess", "gray"], "--preprocess"),
        (["train", "--run", "{run}2", "--data", "{images}"], "--image-size"),
        (
            ["train", "--run", "{run}2", "--data", "{digits}", "--image-size", "4", "4"],
            "--image-size: expected None except for folders, received (4, 4)",
        ),
        (["generate", "--model", "m", "--server", "127.0.0.1:1", "--timeout", "0.3"], "127.0.0.1:1"),
    ],
)
def test_an_error_is_one_line_in_the_words_of_the_command_line(run, images, digits, words, message, capsys):
    code = cli.main([w.format(run=run, images=images, digits=digits) for w in words])
    captured = capsys.readouterr()
    line = captured.err.strip().splitlines()[-1]
    assert code == 1
    assert line.startswith(f"keras-vae {words[0]}: error: ")
    assert message in line
    assert "image_size" not in line
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "expected a command, one of demo, train, .*, received none"),
        ("fly", "expected one of 'demo', .*, received 'fly'"),
        ("train", "--run: expected a value, received none"),
        *(
            (f"{command} --seed {seed}", f"--seed: expected an integer from 0 to 2147483647, received '{seed}'")
            for command in ("sample {run}", "evaluate {run}", "train --run r", "generate --model m")
            for seed in ("-3", "1.7", "2147483648", "x")
        ),
        ("train --run r --image-size 28", "--image-size: expected 2 values, received 1"),
        ("train --run r --image-size 28 x", "--image-size: expected a positive integer, received 'x'"),
        ("train --run r --latent 0", "--latent: expected a positive integer, received '0'"),
        ("train --run r --hidden 16 1.5", "--hidden: expected a positive integer, received '1.5'"),
        ("train --run r --scale x", "--scale: expected learned, .* or a positive number, received 'x'"),
        ("train --run r --learning-rate nan", "--learning-rate: expected a positive number, .*received 'nan'"),
        ("train --run r --worker-index -1", "--worker-index: expected an integer from 0, received '-1'"),
        ("train --run r --model iwea", "--model: expected one of .*, received 'iwea'. Did you mean 'iwae'"),
        ("train --run r --network cnv", "--network: expected one of 'mlp', 'conv', received 'cnv'"),
        ("train --run r --likelihood poisson", "--likelihood: expected one of .*, received 'poisson'"),
        ("train --run r --likelihood parts:", "--likelihood: expected package.module:Name, received 'parts:'"),
        ("train --run r --likelihood no_module:Poisson", "--likelihood: .*no_module cannot be imported .*No module"),
        ("train --run r --prior math:Flow", "--prior: .*received 'math:Flow': math has no attribute 'Flow'"),
        ("train --run r --prior math:gcd", "--prior: expected a class or a function, received math:gcd, which is <"),
        ("train --run r --prior mixture", "--prior: expected package.module:Name, received 'mixture'"),
        ("train --run r --objective math:pi --model iwae", "--objective: expected --model vae, received --model iwae"),
        ("train --run r --hidden 4 8 --hidden 3", "Parameter --hidden specified multiple times"),
        ("train --run r --latnt 3", "Unknown option: --latnt. Did you mean --latent"),
        ("sample {run} --condition 1", "--condition: expected none for an unconditional model, received 1"),
        ("sample {run} --out x.gif", "--out: expected a name that ends in .png or .npy, received x.gif"),
        ("sample {run} --out {run}/no/x.png", "--out: expected an existing folder, received .*Create .* first"),
        ("demo --out {run}", "--out: expected a new or empty folder"),
        ("demo --out {run}/model.keras", "--out: expected a folder, received the file"),
        ("export {run} {run}/digits", "expected a path that ends in a version"),
        ("train --run r --hidden", "--hidden: expected one or more values, received none"),
        ("train --run r --hidden --latent 3", "--hidden: expected one or more values, received none"),
        ("sample {run} --condition", "--condition: expected one or more values, received none"),
        ("generate --model m --timeout 0", "--timeout: expected a positive number, received '0'"),
        ("evaluate {run} --split nope", "--split: .*: expected images for split 'nope'"),
        ("evaluate {run} --report {run}/x.pdf", "--report: expected a name that ends in .html, received .*x.pdf"),
        ("evaluate {run} --report {run}/no/x.html", "--report: expected an existing folder, received .* Create .*/no"),
        (
            "evaluate {run} --json {run}/no/x.json",
            "--json: expected an existing folder, received .* Create .*/no first",
        ),
        ("evaluate {run} --json {run}", "--json: expected the name of a file, received the folder"),
        ("evaluate {run} --json /proc/x.json", "--json: expected a folder that can be written to, received /proc"),
    ],
)
def test_a_wrong_call_is_one_line_and_exits_with_2(run, words, message, capsys):
    assert cli.main(words.format(run=run).split()) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    command = words.split()[:1] if words != "fly" else []
    name = " ".join(["keras-vae", *command])
    assert re.fullmatch(rf"{name}: error: .*{message}.* See {name} --help", line)


def test_wrong_calls_need_no_tensorflow(tmp_path):
    (tmp_path / "model.keras").write_text("")
    calls = [
        "train --run r --hidden",
        "train --run r --objective a:b --model iwae",
        "train --run r --workers a:1,b:2",
        "train --run r --tpu local --strategy one",
        "evaluate model.keras --report x.pdf",
        "evaluate model.keras --report no/x.html",
        "evaluate model.keras --json no/x.json",
        "evaluate model.keras --json /proc/x.json",
        "sample model.keras --out x.gif",
        "generate --model m --out no/x.png",
        "export model.keras digits",
        "demo --out model.keras",
    ]
    code = (
        "import sys\n"
        "from keras_vae.cli import main\n"
        "for words in sys.argv[1:]: assert main(words.split()) == 2, words\n"
        "assert main(['evaluate', 'nowhere']) == main(['sample', 'nowhere']) == main(['export', 'no', 'm/1']) == 1\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'matplotlib'} & set(sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *calls], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stderr.splitlines()) == len(calls) + 3


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of images of two sizes."""
    folder = tmp_path_factory.mktemp("images")
    for split in ("train", "test"):
        (folder / split).mkdir()
        for size in (4, 5):
            Image.new("L", (size, size)).save(folder / split / f"{size}.png")
    return folder


def test_old_spellings_are_read(tmp_path, run):
    path = tmp_path / "config.json"
    old = json.loads((run / "config.json").read_text())
    del old["prior"], old["objective"]
    path.write_text(json.dumps({**old, "likelihood": "grey_levels", "preprocess": "grey"}))
    assert RunConfig.read(path).likelihood == "gray_levels"
    assert RunConfig.read(path).preprocess == "gray"
    path.write_text(json.dumps({**old, "likelihood": "discretised_logistic_mixture", "preprocess": "dequantised"}))
    assert RunConfig.read(path).differences(RunConfig.read(run / "config.json")) == [
        "--preprocess: 'dequantized' → None",
        "--likelihood: 'discretized_logistic_mixture' → 'bernoulli'",
    ]


def test_the_flags_and_their_help_are_those_of_the_settings(capsys):
    assert cli.main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    for flag in flag_names(RunConfig).values():
        assert re.search(rf"{flag}\b", shown), flag
    assert set(kv.families.LIKELIHOODS) == set(catalog.LIKELIHOODS)


def test_a_prior_and_an_objective_of_ones_own(tmp_path, digits, monkeypatch, capsys):
    (tmp_path / "own_parts.py").write_text(
        "import keras_vae as kv\n"
        "def prior(latents): return kv.priors.Learned(kv.families.Normal(latents))\n"
        "class TwoSamples(kv.objectives.ELBO):\n"
        "    def __init__(self): super().__init__(num_samples=2)\n"
        "    def get_config(self): return {}\n"
        "import keras\n"
        "keras.saving.register_keras_serializable('own_parts')(TwoSamples)\n"
    )
    monkeypatch.chdir(tmp_path)
    words = [
        *_train("run", digits),
        "--epochs",
        "1",
        "--prior",
        "own_parts:prior",
        "--objective",
        "own_parts:TwoSamples",
    ]
    assert cli.main(words) == 0
    config = RunConfig.read("run/config.json")
    assert (config.prior, config.objective) == ("own_parts:prior", "own_parts:TwoSamples")
    model, _ = stored_models.load("run")
    assert type(model.prior) is kv.priors.Learned
    assert type(model.objective).__name__ == "TwoSamples"
    assert cli.main(["evaluate", "run", "--num-samples", "5"]) == 0


def test_draws_are_asked_for_only_with_the_flag(run, tmp_path, monkeypatch):
    asked = []

    def sample(self, n, **others):
        asked.append(others)
        return np.zeros([n, 8, 8, 1])

    monkeypatch.setattr(kv.VAE, "sample", sample)
    for words in ([], ["--draws"]):
        assert cli.main(["sample", str(run), "--n", "2", "--out", str(tmp_path / "x.npy"), *words]) == 0
    plain = {"seed": 0, "condition": None}
    assert asked == [plain, {**plain, "draws": True}]


def test_the_last_one_of_a_repeated_flag_counts():
    words = ["train", "--run", "r", "--hidden", "4", "8", "--latent", "2", "--image-size", "1", "2", "--latent=3"]
    _, call, _ = app.parse_args(words, exit_on_error=False)
    config = call.arguments["options"].config
    assert (config.latent_size, config.hidden, config.image_size) == (3, (4, 8), (1, 2))


def test_a_likelihood_of_ones_own_is_passed_on_and_stored_by_name(tmp_path, monkeypatch):
    (tmp_path / "own_likelihood.py").write_text(
        "import keras_vae as kv\nclass Mine(kv.families.Bernoulli): ...\ndef make(shape): return Mine(shape)\n"
    )
    monkeypatch.chdir(tmp_path)
    made = []

    def make(name, event_shape, **others):
        made.append(others["likelihood"])
        raise ValueError("seen")

    monkeypatch.setattr("keras_vae.training.run.models.make", make)
    images = np.full([4, 8, 8], 200, np.uint8)
    np.savez("d.npz", x_train=images, x_test=images)
    for name in ("Mine", "make"):
        assert cli.main(["train", "--run", "run", "--data", "d.npz", "--likelihood", f"own_likelihood:{name}"]) == 1
    assert made[0].__name__ == type(made[1]).__name__ == "Mine"
    assert made[1].event_shape == (8, 8, 1)


def test_ctrl_c_exits_with_130(run, monkeypatch, capsys):
    def interrupted(path, options):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_vae.cli.evaluate.run", interrupted)
    assert cli.main(["evaluate", str(run)]) == 130
    assert "interrupted" in capsys.readouterr().err
