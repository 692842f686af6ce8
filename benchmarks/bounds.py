"""The bounds L_k of one trained model, in order: ELBO ≤ IWAE(5) ≤ IWAE(50) ≤ … ≤ L_5000.

python benchmarks/bounds.py       # about five minutes on two cores; writes benchmarks/results/bounds.json

The model is the plain VAE on mnist_5k after 40 epochs. The bounds are means over the 1,000 test digits, dynamically
binarized. L_1 is the ELBO. By theorem 1 of Burda, Grosse & Salakhutdinov (2016), the bounds increase with k.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_vae as kv
from keras_vae.utils.files import whole

EPOCHS = 40
KS = (1, 5, 50, 500, 5000)


def in_order(model: kv.VAE, data: Any, ks: Sequence[int] = KS, repetitions: int = 100) -> list[dict[str, Any]]:
    """Return the mean L_k for each k over at most `repetitions` estimates, with at most 5,000 samples in total."""
    rows = []
    for k in ks:
        estimates = [
            kv.evaluation.log_likelihood(model, data, num_samples=k, seed=seed, verbose=False)
            for seed in range(min(repetitions, 5000 // k))
        ]
        rows.append({"k": k, "bound": float(np.mean([e.mean for e in estimates])), "repetitions": len(estimates)})
        print(f"L_{k:<5} {rows[-1]['bound']:9.3f} nats, mean of {len(estimates)}", flush=True)
    return rows


def main() -> None:
    keras.utils.set_random_seed(0)
    vae = kv.models.make("vae", (28, 28, 1), seed=0)
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    vae.fit(kv.data.load("mnist_5k"), epochs=EPOCHS, verbose=0)
    test = kv.data.load("mnist_5k", "test")
    rows = in_order(vae, test)  # more repetitions for small k, so that no bound is noisier than the last
    assert [r["bound"] for r in rows] == sorted(r["bound"] for r in rows), "the bounds are out of order"
    with whole(Path(__file__).parent / "results" / "bounds.json") as unfinished:
        unfinished.write_text(json.dumps({"epochs": EPOCHS, "bounds": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
