"""The settings of a run: one dataclass defines the flags of `keras-vae train`, their help and `config.json`."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from keras_vae.models.catalog import CATALOG, LIKELIHOODS, OWN_LIKELIHOOD
from keras_vae.utils.arguments import RESPELLED
from keras_vae.utils.files import whole
from keras_vae.utils.flag_types import (
    Positive,
    PositiveIntegers,
    PositiveNumber,
    PositivePair,
    Scale,
    Seed,
    choice,
    flag_names,
    one_of,
)

_DATA = Parameter(group=Group("Data", sort_key=1))
_MODEL = Parameter(group=Group("Model", sort_key=2))
_TRAINING = Parameter(group=Group("Training", sort_key=3))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The settings that define a run. They cannot change later.

    The number of epochs is not among them, because a run can be continued, nor is the data directory, which differs
    between machines.

    Attributes:
        data: TFDS name, folder of images, .npz file of images, or .csv file of a table (with --likelihood normal).
        preprocess: Binarize in every epoch, binarize once, scale to [0, 1], or add noise to 8-bit values. Default:
            the one that the likelihood requires.
        image_size: Resize the images of a folder to this height and width.
        standardize: Give each column of a table, or channel of images, mean 0 and variance 1 inside the model; for real
            data of any scale. All results are in the original units.
        model: Name of a ready-made model; keras-vae models lists them.
        likelihood: p(x|z): bernoulli for binary data, continuous_bernoulli or beta for [0, 1], normal for real data,
            gray_levels or discretized_logistic_mixture for 8-bit data (gray_levels has 256 values per pixel: use
            --network conv). Or package.module:Name, your own family class, or a function that takes the shape of x and
            returns a family. Default: that of the model, or bernoulli.
        scale: Scale of a normal likelihood: learned (its default), learned_per_element, predicted or a number.
        prior: package.module:Name, a class or function that takes the number of latents, instead of the model's prior.
        objective: package.module:Name, a class or function that takes no arguments; for --model vae.
        latent_size: Number of latents; for hierarchical, of the first layer, and the second has half as many.
        network: Kind of network.
        hidden: Widths (mlp, default 400 400) or filters (conv, default 32 64) of the encoder; reversed in the decoder.
        num_samples: Monte Carlo samples per example. Default: that of the model.
        batch_size: Examples per step.
        learning_rate: Learning rate of Adam.
        precision: Precision of the computations.
        seed: Seed of weights, order and noise.
        deterministic: Use TensorFlow's op determinism: runs on one machine, including resumed ones, are identical bit
            for bit. Can be slower.
    """

    data: Annotated[str, _DATA] = "mnist_5k"
    preprocess: Annotated[
        Literal["dynamic", "static", "gray", "dequantized"] | None, choice("preprocessing"), _DATA
    ] = None
    image_size: Annotated[PositivePair | None, _DATA] = None
    standardize: Annotated[bool, _DATA] = False
    model: Annotated[str, one_of("model", list(CATALOG)), _MODEL] = "vae"
    likelihood: Annotated[str | None, one_of("likelihood", LIKELIHOODS, or_import=True), _MODEL] = None
    scale: Annotated[Scale | None, _MODEL] = None
    prior: Annotated[str | None, one_of("prior", (), or_import=True), _MODEL] = None
    objective: Annotated[str | None, one_of("objective", (), or_import=True), _MODEL] = None
    latent_size: Annotated[Positive, Parameter(name="--latent"), _MODEL] = 20
    network: Annotated[Literal["mlp", "conv"], choice("network"), _MODEL] = "mlp"
    hidden: Annotated[PositiveIntegers | None, _MODEL] = None
    num_samples: Annotated[Positive | None, Parameter(name="--samples"), _MODEL] = None
    batch_size: Annotated[Positive, _TRAINING] = 100
    learning_rate: Annotated[PositiveNumber, _TRAINING] = 1e-3
    precision: Annotated[Literal["float32", "mixed_bfloat16"], choice("precision"), _TRAINING] = "float32"
    seed: Annotated[Seed, _TRAINING] = 0
    deterministic: Annotated[bool, _TRAINING] = False

    def __post_init__(self) -> None:
        """Set the default likelihood of the model; refuse an empty list of widths."""
        if self.hidden is not None and not self.hidden:
            raise ValueError("hidden: expected one or more positive integers, received none. Leave it out for 400 400.")
        if self.likelihood is None:
            object.__setattr__(self, "likelihood", OWN_LIKELIHOOD.get(self.model, "bernoulli"))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the settings as JSON."""
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "RunConfig":
        """Read the settings, including files of version 0.1.

        Raises:
            ValueError: If the file does not contain the settings of a run.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            if "model" not in found and found.get("num_samples") == 1:
                found["num_samples"] = None  # runs from before there were ready-made models
            for name in ("hidden", "image_size"):
                found[name] = None if found[name] is None else tuple(found[name])
            for name in ("likelihood", "preprocess"):
                found[name] = RESPELLED.get(found[name], found[name])
            return cls(**found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path}: expected the settings of a keras_vae run, received another file ({error}). Restore a "
                "copy of it."
            ) from None

    def differences(self, other: "RunConfig") -> list[str]:
        """Return one line per setting that differs in `other`, with the flags of the command line."""
        return [
            f"{flag}: {getattr(self, name)!r} → {getattr(other, name)!r}"
            for name, flag in flag_names(type(self)).items()
            if getattr(self, name) != getattr(other, name)
        ]
