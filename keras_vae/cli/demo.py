"""`keras-vae demo`: trains on digits, evaluates, exports, serves, and generates digits over gRPC."""

import json
import shutil
from pathlib import Path

import numpy as np

from keras_vae import data, plots
from keras_vae.cli.checks import DEMO_MARKER
from keras_vae.cli.options import Demo
from keras_vae.evaluation import log_likelihood
from keras_vae.training import Run, RunConfig, read_history
from keras_vae.utils.files import whole
from serving import Client, Server

_IMPORTANCE_SAMPLES = 500


def run(options: Demo) -> None:
    """Train, evaluate, export, serve and generate; write images and metrics to `options.out`."""
    out = Path(options.out)
    _prepare(out)

    _say("1/5  Training a VAE on 4,000 handwritten digits (mnist_5k), binarized in each epoch")
    training = Run(out / "run")
    model = training.train(RunConfig(), options.epochs, options.data_dir)
    model.save(out / "digits.keras")
    history = read_history(training.history_path)

    _say("2/5  Evaluating it on 1,000 test digits")
    test = data.load("mnist_5k", "test", data_dir=options.data_dir)
    terms = model.evaluate(test, verbose=0, return_dict=True)
    estimate = log_likelihood(model, test, num_samples=_IMPORTANCE_SAMPLES)
    print(f"bound {terms['bound']:.2f} nats per digit")
    print(estimate)

    _say("3/5  Exporting it for TensorFlow Serving")
    version = model.export(out / "models" / "digits" / "1")
    print(f"{version}: written and verified")

    _say("4/5  Serving it on this machine, and generating 64 digits over gRPC")
    with (
        Server(model_name="digits", model_base_path=version.parent, port=0) as server,
        Client(f"127.0.0.1:{server.port}", model="digits") as client,
    ):
        client.wait_until_ready(timeout=30)
        answer = client.generate(n=64, seed=0)
    local = np.asarray(model.sample(64, seed=0))
    print(f"64 digits received; largest difference from the model in memory: {np.abs(answer.mean - local).max():.1e}")

    _say("5/5  Drawing")
    digits = _one_of_each(options.data_dir)
    plots.grid(answer.mean, out / "samples.png", title="Digits generated over gRPC, seed 0")
    plots.reconstructions(digits, model.predict(digits, verbose=0), out / "reconstructions.png")
    plots.traversals(model, np.concatenate([digits, next(iter(test))]), out / "traversals.png")
    plots.history(history, out / "training.png")
    figures = {
        "test_bound": terms["bound"],
        "test_reconstruction": terms["reconstruction"],
        "test_kl": terms["kl"],
        "test_log_likelihood": estimate.mean,
        "test_log_likelihood_standard_error": estimate.standard_error,
        "importance_samples": estimate.num_samples,
        "epochs": len(history),
    }
    with whole(out / "metrics.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")
    for name in sorted(p.name for p in out.iterdir() if not p.name.startswith(".")):
        print(out / name)


def _prepare(out: Path) -> None:
    """Create the folder, or remove the results of an earlier demo."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / DEMO_MARKER).touch()


def _one_of_each(data_dir: str | None) -> np.ndarray:
    labeled = data.load("mnist_5k", "test", batch_size=1000, with_labels=True, data_dir=data_dir)
    x, labels = next(labeled.as_numpy_iterator())
    return np.stack([x[labels == digit][0] for digit in range(10)])


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)
