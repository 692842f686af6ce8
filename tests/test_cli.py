import json
import subprocess
import sys

import numpy as np
import pytest

from keras_vae import cli
from keras_vae.arguments import COMMANDS
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


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help_needs_no_tensorflow(words):
    code = (
        "import sys; sys.argv = ['keras-vae', *sys.argv[1:]]\n"
        "from keras_vae.cli import main\n"
        "try: main()\n"
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
        assert cli.main(generate) == 1
        assert "the served model is conditional" in capsys.readouterr().err
    assert cli.main([*sample, "--condition", "3"]) == 1
    assert "expected every label an integer from 0 to 2" in capsys.readouterr().err
    assert cli.main(sample) == 0  # the classes in turn
    history = json.loads((run / "history.json").read_text())
    assert 0 <= history[0]["active_units"] <= 2


def test_train_again_continues(run, digits, capsys):
    assert cli.main([*_train(run, digits), "--epochs", "3"]) == 0
    assert "after 3 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--model", "iwea", "--run", "x"], "received 'iwea'. Did you mean 'iwae'"),
        (["sample", "{run}", "--condition", "1"], "the model has no condition; received --condition"),
        (["evaluate", "nowhere"], "nowhere does not exist; wanted a run directory or a .keras file"),
        (["sample", "{run}", "--out", "x.gif"], "must end in .png or .npy; received x.gif"),
        (["sample", "{run}", "--out", "{run}/no/x.png"], "does not exist; make it first"),
        (["export", "{run}", "{run}/digits"], "must end in a version"),
        (["train", "--run", "{run}", "--data", "mnist_6k"], "other settings"),
        (["train", "--run", "{run}2", "--data", "mnist_6k"], "mnist_6k"),
        (["demo", "--out", "{run}"], "holds other files than a demo's"),
        (["train", "--run", "{run}2", "--likelihood", "bernoulli", "--preprocess", "gray"], "continuous"),
        (["generate", "--model", "m", "--server", "127.0.0.1:1", "--timeout", "0.3"], "127.0.0.1:1"),
    ],
)
def test_a_mistake_gives_one_clear_line(run, words, message, capsys):
    code = cli.main([w.format(run=run) for w in words])
    captured = capsys.readouterr()
    line = captured.err.strip().splitlines()[-1]
    assert code == 1
    assert line.startswith(f"keras-vae {words[0]}: error: ")
    assert message in line
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["train"],
        ["train", "--run", "r", "--latent", "0"],
        ["train", "--run", "r", "--scale", "x"],
        ["train", "--run", "r", "--learning-rate", "nan"],
    ],
)
def test_a_wrong_call_exits_with_2(words, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "usage: keras-vae" in capsys.readouterr().err


def test_ctrl_c_exits_with_130(run, monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_vae.commands.evaluate.run", interrupted)
    assert cli.main(["evaluate", str(run)]) == 130
    assert "interrupted" in capsys.readouterr().err
