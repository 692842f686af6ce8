"""What a training run was asked to do, in a file."""

import dataclasses
import json
import os
from pathlib import Path

from keras_vae.utils.files import whole


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The settings that make a run what it is; a run directory never changes them.

    The number of epochs is not among them: a run can be continued. Nor is the data directory, which differs
    between machines.
    """

    data: str = "mnist_5k"
    model: str = "vae"
    likelihood: str = "bernoulli"
    preprocess: str | None = None
    image_size: tuple[int, int] | None = None
    network: str = "mlp"
    hidden: tuple[int, ...] | None = None
    latent_size: int = 20
    scale: float | str | None = None
    num_samples: int | None = None
    batch_size: int = 100
    learning_rate: float = 1e-3
    precision: str = "float32"
    seed: int = 0
    deterministic: bool = False

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the settings as JSON."""
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "RunConfig":
        """Read the settings.

        Raises:
            ValueError: If the file is not a run's config.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            if "model" not in found and found.get("num_samples") == 1:
                found["num_samples"] = None  # runs from before there were ready-made models
            for name in ("hidden", "image_size"):
                found[name] = None if found[name] is None else tuple(found[name])
            return cls(**found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path} is not the config of a keras_vae run: {error}") from None

    def differences(self, other: "RunConfig") -> list[str]:
        """Say in which settings `other` differs, one line each, by the names of the command line's options."""
        mine, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        options = {"latent_size": "latent", "num_samples": "samples"}
        return [
            f"--{options.get(name, name).replace('_', '-')}: {mine[name]!r} → {theirs[name]!r}"
            for name in mine
            if mine[name] != theirs[name]
        ]
