"""Mean and variance of each gradient estimator compared with the exact gradient, on small problems where it is known.

python benchmarks/estimators.py       # a minute; writes benchmarks/results/estimators.json

x is a scalar, with p(x|z) = N(wᵀz, σ²). The posterior is a normal over one latent, by quadrature, at the exact
posterior and at two distances from it; or two Bernoulli latents, by enumeration. Bias and variance are those of the
gradient with respect to the unconstrained parameters of the posterior. Bias is the largest distance of the mean from
the exact gradient, in standard errors of the mean; variance is summed over the parameters. The baseline of NVIL has
been trained for 300 steps.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

sys.path.insert(0, str(Path(__file__).parents[1]))

import keras_vae as kv
from keras_vae.objectives import ELBO, IWAE
from keras_vae.utils.files import whole
from tests.estimators import toy

ROWS = 40_000
WEIGHT = np.array([0.9])
OBJECTIVES: dict[str, Any] = {
    "ELBO, reparameterized (closed-form KL)": lambda: ELBO(),
    "ELBO, sticking the landing": lambda: ELBO(estimator="sticking_the_landing"),
    "ELBO, NVIL": lambda: ELBO(estimator="nvil"),
    "ELBO (5), leave-one-out": lambda: ELBO(5, estimator="leave_one_out"),
    "IWAE (5), reparameterized": lambda: IWAE(5),
    "IWAE (5), doubly reparameterized": lambda: IWAE(5, estimator="doubly_reparameterized"),
    "IWAE (5), leave-one-out (VIMCO)": lambda: IWAE(5, estimator="leave_one_out"),
}


def exact_posterior() -> np.ndarray:
    precision = 1 + WEIGHT[0] ** 2 / toy.SIGMA**2
    return np.array([[WEIGHT[0] * toy.X / toy.SIGMA**2 / precision, -np.log(precision)]])


def measure(
    objective: Any, family: Any, prior: Any, values: np.ndarray, weights: np.ndarray, exact: Any
) -> dict[str, float]:
    if isinstance(objective.estimator, kv.estimators.NVIL):
        _train_baseline(objective, family, prior, values, weights)
    (found, _), _ = toy.gradients(objective, family, prior, values, weights, ROWS)
    row: dict[str, float] = {"variance": float(found.var(axis=0).sum())}
    if exact is not None:
        expected = toy.finite_differences(exact, values, weights)[: values.size]
        error = found.std(axis=0) / np.sqrt(ROWS) + 1e-4  # finite differences and float32
        row["bias_in_standard_errors"] = float(np.max(np.abs(found.mean(axis=0) - expected) / error))
    return row


def _train_baseline(objective: Any, family: Any, prior: Any, values: np.ndarray, weights: np.ndarray) -> None:
    for step in range(300):
        toy.gradients(objective, family, prior, values, weights, 100, seed=(7, step))


def normal(offset: float) -> dict[str, Any]:
    values = exact_posterior() + offset * np.array([[0.5, 0.5]])
    prior = tfd.Independent(tfd.Normal([0.0], [1.0]), 1)
    table = {}
    for name, make in OBJECTIVES.items():
        importance = name.startswith("IWAE")

        def exact(v: np.ndarray, w: np.ndarray, importance: bool = importance) -> float:
            return toy.normal_bound(v, w, lambda z: scipy.stats.norm.logpdf(z[:, 0]), 1, importance)

        known = None if importance else exact  # five-dimensional quadrature is too expensive
        table[name] = measure(make(), kv.families.Normal(1), prior, values, WEIGHT, known)
    return table


def bernoulli() -> dict[str, Any]:
    states = np.array(list(itertools.product([0, 1], repeat=2)), float)
    values, weights = np.array([[0.4], [-0.9]]), np.array([0.9, -1.3])
    prior = kv.priors.Uniform(kv.families.Bernoulli(2)).distribution()

    def exact(k: int, importance: bool) -> Any:
        def bound(v: np.ndarray, w: np.ndarray) -> float:
            log_q = np.sum(states * v[:, 0] - np.logaddexp(0, v[:, 0]), axis=1)
            return toy.discrete_bound(log_q, states, w, lambda z: -2 * np.log(2), k, importance)

        return bound

    table = {}
    for name, make in OBJECTIVES.items():
        if "NVIL" in name or "leave" in name:
            family = kv.families.Bernoulli(2)
            table[name] = measure(make(), family, prior, values, weights, exact(5, "IWAE" in name))
    for temperature in (1.0, 0.3):
        family = kv.families.RelaxedBernoulli(2, temperature=temperature)
        name = f"ELBO, relaxed, temperature {temperature}"
        table[name] = measure(ELBO(), family, prior, values, weights, exact(1, False))
    return table


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    tables = {
        "normal, exact posterior": normal(0.0),
        "normal, near": normal(0.5),
        "normal, far": normal(2.0),
        "two Bernoulli latents": bernoulli(),
    }
    for title, table in tables.items():
        print(f"\n{title}")
        for name, row in table.items():
            bias = row.get("bias_in_standard_errors")
            print(f"  {name:40} variance {row['variance']:10.2e}   bias {'' if bias is None else f'{bias:.1f} s.e.'}")
    with whole(Path(__file__).parent / "results" / "estimators.json") as unfinished:
        unfinished.write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
