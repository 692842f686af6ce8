"""The main figures on full MNIST: bound and log-likelihood for two likelihoods, 20 epochs each.

Bernoulli with dynamic binarization and MLP 784-400-400-20; continuous Bernoulli with the protocol of Loaiza-Ganem &
Cunningham (2019): gray values (x + u)/256 and MLP 784-500-500-20. Both use batch size 100 and Adam with learning rate
1e-3.

    python benchmarks/mnist.py bernoulli            # about 15 minutes on two cores, mostly for the 5,000 samples
    python benchmarks/mnist.py continuous_bernoulli

TFDS downloads MNIST unless TFDS_DATA_DIR contains it. Figures go to benchmarks/results/.
"""

import argparse
import json
import time
from pathlib import Path

import keras

import keras_vae as kv
from keras_vae.utils.files import whole

HIDDEN = {"bernoulli": [400, 400], "continuous_bernoulli": [500, 500]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("likelihood", choices=HIDDEN)
    arguments.add_argument("--epochs", type=int, default=20)
    arguments.add_argument("--num-samples", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()

    keras.utils.set_random_seed(options.seed)
    train, test = (
        kv.data.load("mnist", split, batch_size=100, likelihood=options.likelihood, seed=options.seed)
        for split in ("train", "test")
    )
    vae = kv.models.vae(
        (28, 28, 1), likelihood=options.likelihood, hidden=HIDDEN[options.likelihood], seed=options.seed
    )
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    start = time.perf_counter()
    vae.fit(train, epochs=options.epochs, verbose=2)
    trained = time.perf_counter()
    terms = vae.evaluate(test, verbose=0, return_dict=True)
    estimate = kv.evaluation.log_likelihood(vae, test, num_samples=options.num_samples, seed=options.seed)
    figures = {
        "likelihood": options.likelihood,
        "epochs": options.epochs,
        "seed": options.seed,
        **{f"test_{name}": terms[name] for name in ("bound", "reconstruction", "kl")},
        "test_log_likelihood": estimate.mean,
        "test_log_likelihood_standard_error": estimate.standard_error,
        "num_samples": estimate.num_samples,
        "examples": len(estimate.per_example),
        "training_seconds": round(trained - start),
        "log_likelihood_seconds": round(time.perf_counter() - trained),
    }
    print(json.dumps(figures, indent=1))
    with whole(Path(__file__).parent / "results" / f"mnist_{options.likelihood}.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
