"""Every ready-made model beside the plain VAE, at equal epochs, on real digits.

Each is trained with Adam 1e-3, batch 100, nets 784-400-400, 20 latents (discrete ones: 20 variables of ten categories),
and measured on the test digits: the bound it reports with β = 1, and log p(x) by importance sampling.

    python benchmarks/ready_made.py                          # mnist_5k, all models: about an hour on two cores
    python benchmarks/ready_made.py --data mnist --epochs 20 --models vae iwae vamp cvae gumbel nvil

TFDS downloads MNIST unless TFDS_DATA_DIR holds it. One file a run in benchmarks/results/; models that it holds already
with the same settings are not trained again. The table goes to docs/models.md by benchmarks/models_page.py.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_vae as kv
from keras_vae.files import whole
from keras_vae.models.catalogue import OWN_LIKELIHOOD


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    ready = kv.models.READY_MADE[name]
    likelihood = OWN_LIKELIHOOD.get(name, "bernoulli")
    keras.utils.set_random_seed(options.seed)
    settings = {"batch_size": 100, "likelihood": likelihood, "seed": options.seed, "with_labels": ready.conditional}
    train, test = (kv.data.load(options.data, split, **settings) for split in ("train", "test"))
    examples = kv.data.read(options.data, "train").images / np.float32(255)
    model = kv.models.make(name, (28, 28, 1), likelihood=likelihood, classes=10, examples=examples, seed=options.seed)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    start = time.perf_counter()
    model.fit(train, epochs=options.epochs, verbose=0)
    trained = time.perf_counter()
    terms = model.evaluate(test, verbose=0, return_dict=True)
    estimate = kv.evaluation.log_likelihood(model, test, options.num_samples, seed=options.seed, verbose=False)
    return {
        "bound": terms["bound"],
        "kl": terms["kl"],
        "log_likelihood": estimate.mean,
        "standard_error": estimate.standard_error,
        "per_example": [round(float(v), 3) for v in estimate.per_example],
        "training_seconds": round(trained - start),
    }


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
    for name in options.models:
        if name not in found["models"]:
            found["models"][name] = measure(name, options)
            with whole(path) as unfinished:
                unfinished.write_text(json.dumps(found) + "\n")
        figures = found["models"][name]
        print(
            f"{name:25} bound {figures['bound']:9.2f}   log-likelihood {figures['log_likelihood']:9.2f} ± "
            f"{figures['standard_error']:.2f}   {figures['training_seconds']} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
