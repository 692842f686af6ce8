"""Makes the golden files: models, a SavedModel and run directories, with the figures that they gave.

Run at commit 666c27d with TensorFlow 2.21.0, TensorFlow Probability 0.25.0, Keras 3.15.1 and NumPy 2.4.6 on a CPU.
Later versions must read these files, also when classes, modules and settings have new names, and give the same figures.
So old files are NEVER made again: `python -m tests.golden_files.make` leaves a file that exists alone, and only adds
new ones (`two_layers_iwae` came with groups of latents, `standardized_mixture` with `Standardized`). An entry below
whose file exists is a record of how it was made; it may use names that are gone.

Figures that a fix rightly changed were replaced, and no others in the same files:
- Seeds keep all their bits: `generate` of one_hot_autoregressive_nvil; what draws a second group in two_layers_iwae;
  the samples of the prior in info_vae_float64 (`evaluate/loss`, `evaluate/mmd` and the step).
- Splits share no noise: the third epoch of the run dequantised.
- The mean of a flow is no longer f(loc), and its scale a better estimate: `encode` of iaf_real_nvp_stl and planar_maf.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_vae as kv
from tests.golden_files.figures import HERE, RUNS, SAVED_MODEL, ask, ask_signatures, read, resume

EXAMPLES, ASKED = 16, 4
GREY, RGB, VECTOR = (4, 4, 1), (4, 4, 3), (6,)


@dataclass(frozen=True)
class Golden:
    """A model: how it is composed and trained."""

    posterior: Callable[[], Any]
    likelihood: Callable[[], Any]
    prior: Callable[[], Any]
    objective: Callable[[], Any]
    event: tuple[int, ...] = VECTOR
    values: str = "binary"
    condition: Callable[[], Any] = lambda: None
    conv: bool = False
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(1e-2)
    policy: str = "float32"
    # A second group of latents, read off the first.
    upper: Callable[[], Any] | None = None

    def build(self) -> kv.VAE:
        """Compose and compile the model."""
        encoder = kv.networks.ConvEncoder([4], units=8) if self.conv else kv.networks.MLP([8])
        decoder = (
            kv.networks.ConvDecoder((4, 4), [4], units=8) if self.conv else kv.networks.MLP([8], activation="tanh")
        )
        lower = kv.Encoder(encoder, self.posterior())
        vae = kv.VAE(
            encoder=lower
            if self.upper is None
            else kv.ChainEncoder({"z1": lower, "z2": kv.Encoder(kv.networks.MLP([4]), self.upper())}),
            decoder=kv.Decoder(decoder, self.likelihood()),
            prior=self.prior(),
            objective=self.objective(),
            condition=self.condition(),
            seed=11,
        )
        vae.compile(self.optimizer(), jit_compile=False)
        return vae

    def data(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw x in the likelihood's support, and y."""
        rng = np.random.default_rng(18)
        shape = (EXAMPLES, *self.event)
        x = {
            "binary": lambda: rng.integers(0, 2, shape),
            "grey": lambda: rng.integers(5, 251, shape) / 255,
            "real": lambda: rng.normal(size=shape),
        }[self.values]()
        y = {
            type(None): lambda: None,
            kv.conditions.Label: lambda: np.arange(EXAMPLES) % 3,
            kv.conditions.Vector: lambda: rng.normal(size=[EXAMPLES, 2]).astype(np.float32),
        }[type(self.condition())]()
        return x.astype(np.float32), y


families, priors, objectives = kv.families, kv.priors, kv.objectives


def _label() -> Any:
    return kv.conditions.Label(3)


def _vector() -> Any:
    return kv.conditions.Vector(2)


MODELS: dict[str, Golden] = {
    "plain": Golden(
        posterior=lambda: families.Normal(2),
        likelihood=lambda: families.Bernoulli(VECTOR),
        prior=lambda: priors.StandardNormal(2),
        objective=lambda: objectives.ELBO(),
    ),
    "conv_label": Golden(
        posterior=lambda: families.Normal(2),
        likelihood=lambda: families.ContinuousBernoulli(GREY),
        prior=lambda: priors.Learned(families.Normal(2)),
        objective=lambda: objectives.ELBO(free_bits=0.02, beta=kv.schedules.Cyclical(0.5, 1.0, period=10)),
        event=GREY,
        values="grey",
        condition=_label,
        conv=True,
    ),
    "full_normal_vamp_iwae": Golden(
        posterior=lambda: families.FullNormal(3),
        likelihood=lambda: families.Normal(VECTOR, scale="learned"),
        prior=lambda: priors.VampPrior(families.FullNormal(3), VECTOR, components=4, bounded=False),
        objective=lambda: objectives.IWAE(3),
        values="real",
        condition=_vector,
    ),
    "iaf_real_nvp_stl": Golden(
        posterior=lambda: families.InverseAutoregressiveFlow(3, flows=2, hidden=[4], context_size=4),
        likelihood=lambda: families.Beta(VECTOR),
        prior=lambda: priors.RealNVP(3, flows=2, hidden=[4]),
        objective=lambda: objectives.ELBO(estimator="sticking_the_landing"),
        values="grey",
    ),
    "planar_maf": Golden(
        posterior=lambda: families.PlanarFlow(3, flows=2),
        likelihood=lambda: families.Normal(VECTOR),
        prior=lambda: priors.MaskedAutoregressiveFlow(3, flows=2, hidden=[4]),
        objective=lambda: objectives.ELBO(2, beta=kv.schedules.Linear(0.5, 1.0, 10)),
        values="real",
        optimizer=lambda: keras.optimizers.SGD(kv.schedules.Exponential(0.01, 0.001, 20), momentum=0.9, clipnorm=5.0),
    ),
    "mixtures_dreg_rgb": Golden(
        posterior=lambda: families.NormalMixture(2, components=2),
        likelihood=lambda: families.DiscretisedLogisticMixture(RGB, components=2),
        prior=lambda: priors.Learned(families.NormalMixture(2, components=2)),
        objective=lambda: objectives.IWAE(3, estimator="doubly_reparametrised"),
        event=RGB,
        values="grey",
        conv=True,
    ),
    "piecewise_uniform": Golden(
        posterior=lambda: families.PiecewiseConstant(2, pieces=3),
        likelihood=lambda: families.DiscretisedLogisticMixture(GREY, components=2),
        prior=lambda: priors.Uniform(families.PiecewiseConstant(2, pieces=3)),
        objective=lambda: objectives.ELBO(),
        event=GREY,
        values="grey",
    ),
    "one_hot_autoregressive_nvil": Golden(
        posterior=lambda: families.OneHotCategorical((2, 3)),
        likelihood=lambda: families.Bernoulli(VECTOR),
        prior=lambda: priors.Autoregressive(families.OneHotCategorical((2, 3)), hidden=[4]),
        objective=lambda: objectives.ELBO(estimator=kv.estimators.NVIL(kv.networks.MLP([4]))),
    ),
    "bernoulli_conditional_vimco": Golden(
        posterior=lambda: families.Bernoulli(3),
        likelihood=lambda: families.GreyLevels((2, 2, 1)),
        prior=lambda: kv.ConditionalPrior(kv.networks.MLP([4]), families.Bernoulli(3)),
        objective=lambda: objectives.IWAE(3, estimator="leave_one_out"),
        event=(2, 2, 1),
        values="grey",
        condition=_label,
    ),
    "gumbel_vector": Golden(
        posterior=lambda: families.GumbelSoftmax((2, 3), temperature=kv.schedules.Exponential(1.0, 0.5, 100)),
        likelihood=lambda: families.Normal(VECTOR, scale="learned_per_element"),
        prior=lambda: priors.Uniform(families.OneHotCategorical((2, 3))),
        objective=lambda: objectives.ELBO(),
        values="real",
        condition=_vector,
    ),
    "relaxed_bernoulli": Golden(
        posterior=lambda: families.RelaxedBernoulli(3, temperature=0.7, straight_through=True),
        likelihood=lambda: families.Bernoulli(GREY),
        prior=lambda: priors.Learned(families.Bernoulli(3)),
        objective=lambda: objectives.ELBO(5),
        event=GREY,
        conv=True,
    ),
    "beta_tc_mixed_bfloat16": Golden(
        posterior=lambda: families.Normal(2),
        likelihood=lambda: families.Bernoulli(VECTOR),
        prior=lambda: priors.StandardNormal(2),
        objective=lambda: objectives.BetaTC(EXAMPLES, beta=2.0),
        policy="mixed_bfloat16",
    ),
    "info_vae_float64": Golden(
        posterior=lambda: families.Normal(2),
        likelihood=lambda: families.Normal(VECTOR, scale=0.5),
        prior=lambda: priors.StandardNormal(2),
        objective=lambda: objectives.InfoVAE(alpha=0.5, lambda_=10.0),
        values="real",
        policy="float64",
    ),
    "two_layers_iwae": Golden(
        posterior=lambda: families.Normal(3),
        likelihood=lambda: families.Bernoulli(VECTOR),
        prior=lambda: priors.Chain(
            {"z2": priors.StandardNormal(2), "z1": kv.Decoder(kv.networks.MLP([4]), families.Normal(3))}
        ),
        objective=lambda: objectives.IWAE(3),
        upper=lambda: families.Normal(2),
    ),
    "standardized_mixture": Golden(
        posterior=lambda: families.Normal(2),
        likelihood=lambda: families.Standardized(
            families.NormalMixture(VECTOR, components=2), np.linspace(-1.0, 1.0, 6), np.linspace(0.5, 3.0, 6)
        ),
        prior=lambda: priors.StandardNormal(2),
        objective=lambda: objectives.ELBO(),
        values="real",
    ),
}
EXPORTED = "conv_label"
_RUN = ["--data", "digits.npz", "--batch-size", "8", "--seed", "5", "--epochs", "2", "--latent", "2"]
# Named with what the likelihood needs spelled out, so that the run's config holds these names.
TRAINED: dict[str, list[str]] = {
    "logistics": [*_RUN, "--likelihood", "discretised_logistic_mixture", "--preprocess", "grey", "--hidden", "8"],
    "dequantised": [*_RUN, "--model", "iwae", "--likelihood", "beta", "--preprocess", "dequantised", "--hidden", "8"],
    "grey_levels": [*_RUN, "--model", "cvae", "--likelihood", "grey_levels", "--hidden", "4"],
}


def make_model(name: str) -> None:
    """Train for a few steps, save, and note what the saved model answers."""
    golden = MODELS[name]
    keras.utils.set_random_seed(18)
    keras.config.set_dtype_policy(golden.policy)
    vae = golden.build()
    keras.config.set_dtype_policy("float32")
    x, y = golden.data()
    vae.fit(x, y, batch_size=8, epochs=4, verbose=0)
    path = HERE / f"{name}.keras"
    vae.save(path)
    given = {} if y is None else {"condition": y[:ASKED]}
    z = vae.generate(np.arange(100, 100 + ASKED), **given)["z"]
    if vae.latents.several:
        z = vae.latents.flatten(z)
    asked = {"x": x[:ASKED], "z": np.array(z, np.float32), **({} if y is None else {"y": y[:ASKED]})}
    _write(f"{name}.npz", {**asked, **ask(vae, asked)})


def make_saved_model() -> None:
    """Export one of the models, and note what its signatures answer; each input's key starts with `asked/`."""
    vae = keras.saving.load_model(HERE / f"{EXPORTED}.keras")
    vae.export(SAVED_MODEL, score_samples=4)
    held = read(HERE / f"{EXPORTED}.npz")
    x, z, condition, seed = held["x"], held["z"], held["y"], np.arange(-1, ASKED - 1)
    requests = {
        "generate": {"seed": seed},
        "encode": {"x": x},
        "decode": {"z": z},
        "reconstruct": {"x": x},
        "score": {"x": x, "seed": seed},
    }
    requests = {name: {**inputs, "condition": condition} for name, inputs in requests.items()}
    asked = {f"asked/{name}/{key}": value for name, inputs in requests.items() for key, value in inputs.items()}
    _write("saved_model.npz", {**asked, **ask_signatures(SAVED_MODEL, requests)})


def make_run(name: str) -> None:
    """Train as the command does, in `RUNS`, and note what one more epoch of a copy gives."""
    if not (RUNS / "digits.npz").exists():
        rng = np.random.default_rng(18)
        images, labels = rng.integers(0, 256, [24, 2, 2, 1], np.uint8), np.arange(24) % 3
        np.savez_compressed(
            RUNS / "digits.npz", x_train=images[:16], y_train=labels[:16], x_test=images[16:], y_test=labels[16:]
        )
    subprocess.run(
        [sys.executable, "-m", "keras_vae", "train", "--run", name, *TRAINED[name]],
        cwd=RUNS,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        check=True,
    )
    shutil.rmtree(RUNS / name / "logs")  # for TensorBoard: nothing reads them again
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(RUNS, copy, dirs_exist_ok=True)
        resumed = resume(Path(copy), name)
    (RUNS / f"{name}-resumed.json").write_text(json.dumps(resumed, indent=1) + "\n")


def _write(name: str, arrays: dict[str, Any]) -> None:
    np.savez_compressed(HERE / name, **arrays)


def main() -> None:
    """Make what is missing."""
    RUNS.mkdir(exist_ok=True)
    for name in MODELS:
        if not (HERE / f"{name}.keras").exists():
            make_model(name)
    if not SAVED_MODEL.exists():
        make_saved_model()
    for name in TRAINED:
        if not (RUNS / name).exists():
            make_run(name)


if __name__ == "__main__":
    main()
