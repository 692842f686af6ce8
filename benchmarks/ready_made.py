"""Every ready-made model against the plain VAE, at equal epochs, on real digits.

Each model is trained with Adam 1e-3, batch size 100, 784-400-400 networks, and 20 latents (if discrete: 20 variables
with ten categories). On the test digits we measure its bound, with β = 1, and log p(x) by importance sampling.

    python benchmarks/ready_made.py                          # mnist_5k, all models: about an hour on two cores
    python benchmarks/ready_made.py --data mnist --epochs 20 --models vae iwae vamp cvae gumbel nvil

TFDS downloads MNIST unless TFDS_DATA_DIR contains it. Figures go to benchmarks/results/, and per-example values to
out/ready_made/. Models that already have results with the same settings are not trained again. Differences are paired
over the examples. benchmarks/models_page.py generates the tables in docs/models.md.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_vae as kv
from keras_vae.models.catalog import OWN_LIKELIHOOD
from keras_vae.utils.files import whole

# Models that the others are compared with.
REFERENCES = ("vae", "nvil")
OUT = Path(__file__).parents[1] / "out" / "ready_made"


def measure(name: str, options: argparse.Namespace, per_example: Path) -> dict[str, Any]:
    ready = kv.models.READY_MADE[name]
    likelihood = OWN_LIKELIHOOD.get(name, "bernoulli")
    keras.utils.set_random_seed(options.seed)
    settings = {"batch_size": 100, "likelihood": likelihood, "seed": options.seed, "with_labels": ready.conditional}
    train, test = (kv.data.load(options.data, split, **settings) for split in ("train", "test"))
    examples = kv.data.read(options.data, "train").images / np.float32(255)
    own = {"likelihood": likelihood, "classes": 10 if ready.conditional else None}
    model = kv.models.make(name, (28, 28, 1), examples=examples, seed=options.seed, **own)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    start = time.perf_counter()
    model.fit(train, epochs=options.epochs, verbose=0)
    trained = time.perf_counter()
    terms = model.evaluate(test, verbose=0, return_dict=True)
    estimate = kv.evaluation.log_likelihood(
        model, test, num_samples=options.num_samples, seed=options.seed, verbose=False
    )
    per_example.mkdir(parents=True, exist_ok=True)
    np.save(per_example / f"{name}.npy", estimate.per_example)
    return {
        "bound": terms["bound"],
        "kl": terms["kl"],
        "log_likelihood": estimate.mean,
        "standard_error": estimate.standard_error,
        "training_seconds": round(trained - start),
    }


def against(name: str, per_example: Path) -> dict[str, list[float]]:
    """Return the mean and standard error of the difference from each measured reference."""
    found = {}
    for other in REFERENCES:
        files = [per_example / f"{n}.npy" for n in (name, other)]
        if name != other and all(f.exists() for f in files):
            mine, theirs = map(np.load, files)
            gain = (mine - theirs).astype(np.float64)
            found[other] = [float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))]
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", default="mnist_5k", choices=("mnist_5k", "mnist"))
    arguments.add_argument("--epochs", type=int, default=60)
    arguments.add_argument("--num-samples", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--models", nargs="+", default=list(kv.models.READY_MADE), choices=kv.models.READY_MADE)
    options = arguments.parse_args()

    path = Path(__file__).parent / "results" / f"ready_made_{options.data}.json"
    settings = {name: getattr(options, name) for name in ("data", "epochs", "num_samples", "seed")}
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("settings") != settings:
        found = {"settings": settings, "models": {}}
    per_example = OUT / "-".join(str(value) for value in settings.values())
    for name in options.models:
        if name not in found["models"]:
            found["models"][name] = measure(name, options, per_example)
        for measured, row in found["models"].items():
            row["against"] = row.get("against", {}) | against(measured, per_example)
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps(found, indent=1) + "\n")
        figures = found["models"][name]
        print(
            f"{name:25} bound {figures['bound']:9.2f}   log-likelihood {figures['log_likelihood']:9.2f} ± "
            f"{figures['standard_error']:.2f}   {figures['training_seconds']} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
