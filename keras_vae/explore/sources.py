"""Where the page's images come from: a model in memory, or an export. Both answer the signatures of an export."""

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from keras_vae.conditions import Label
from keras_vae.export.signatures import signatures
from keras_vae.latent.codes import followed
from keras_vae.trainer.value_checks import MARK
from keras_vae.utils.files import newest_version

Arrays = dict[str, np.ndarray]

# The signatures that the page cannot do without.
NEEDED = ("generate", "encode", "decode")
_ROWS = 256
_SEED = 0


class SourceError(RuntimeError):
    """The model cannot be asked now: its server does not answer, for example. The message is one line."""


class InputSpec(NamedTuple):
    """An input of a signature: its dtype, and its shape without the batch axis."""

    dtype: np.dtype
    shape: tuple[int, ...]


Specs = Mapping[str, Mapping[str, InputSpec]]


class Source(Protocol):
    """What the page needs of a model: the signatures of its export, and what only a model in memory knows.

    Attributes:
        name: The name on the page.
        origin: Where the model is, in words.
        likelihood: The name of the likelihood, where it is known.
    """

    name: str
    origin: str
    likelihood: str | None

    @property
    def specs(self) -> Specs:
        """Return the inputs of each signature."""

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        """Return the outputs of a signature.

        Raises:
            ValueError: If the model refuses the inputs; the message is one line.
            SourceError: If the model cannot be asked.
        """

    def classes(self) -> int | None:
        """Return the number of labels of a model that is conditional on a label, where it is known."""

    def kl(self, x: np.ndarray, condition: np.ndarray | None) -> dict[str, np.ndarray | None]:
        """Return the KL of each latent in nats, a mean over x, `[latents]` by group, where it is known."""

    def followed(self, z: Arrays, moved: str, condition: np.ndarray | None) -> Arrays:
        """Return z with the groups that the prior draws after `moved` at their prior's mean, where it is known."""


class ModelSource:
    """A model in memory.

    Args:
        model: A `keras_vae.VAE`.
        name: The name on the page.
        origin: Where the model is, in words.
    """

    def __init__(self, model: Any, name: str, origin: str) -> None:
        self.name, self.origin = name, origin
        self.likelihood: str | None = type(model.decoder.family).__name__
        self._model = model
        self._signatures = {key: each for key, each in signatures(model, 1).items() if key in (*NEEDED, "draw")}
        # Without the inputs' names: TensorFlow warns of those of groups, such as z/z1.
        self._functions = {
            key: tf.function(
                each.function, input_signature=[tf.TensorSpec(spec.shape, spec.dtype) for spec in each.inputs]
            )
            for key, each in self._signatures.items()
        }

    @property
    def specs(self) -> Specs:
        """Return the inputs of each signature."""
        return {key: _specs(each.inputs) for key, each in self._signatures.items()}

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        """Return the outputs of a signature."""
        given = [tf.convert_to_tensor(inputs[spec.name]) for spec in self._signatures[signature].inputs]
        return _answer(lambda: self._functions[signature](*given))

    def classes(self) -> int | None:
        """Return the number of labels of a model that is conditional on a label."""
        condition = self._model.condition
        return condition.size if isinstance(condition, Label) else None

    def kl(self, x: np.ndarray, condition: np.ndarray | None) -> dict[str, np.ndarray | None]:
        """Return the KL of each latent in nats; None for a group whose KL is not a sum over latents."""
        sums: dict[str, Any] = {}
        for start in range(0, len(x), _ROWS):
            part = slice(start, start + _ROWS)
            inference = self._model.infer(x[part], condition=None if condition is None else condition[part])
            densities = inference.densities(inference.draw(1, _SEED))
            for name, nats in densities.kl_per_latent.items():
                if nats is None:
                    sums[name] = None
                    continue
                # One sample per x, whether or not nats have an axis for it.
                rows = np.reshape(nats, [len(x[part]), -1])
                sums[name] = sums.get(name, 0) + rows.sum(axis=0, dtype=np.float64)
        return {name: None if total is None else total / len(x) for name, total in sums.items()}

    def followed(self, z: Arrays, moved: str, condition: np.ndarray | None) -> Arrays:
        """Return z with the groups that the prior draws after `moved` at their prior's mean."""
        order = list(self._model.prior.groups)
        if moved not in order[:-1]:
            return z
        given = {name: z[name] for name in order[: order.index(moved) + 1]}
        known = {} if condition is None else {"condition": condition}
        try:
            return followed(self._model, given, "explore", **known)
        except ValueError:  # the prior has no mean in closed form
            return z


class ExportSource:
    """An export, loaded into this process.

    Args:
        path: The directory of a version, or the base path, for its newest version.

    Raises:
        FileNotFoundError: If there is no version.
        ValueError: If it cannot be loaded.
    """

    likelihood: str | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        version = newest_version(path)
        if version is None:
            raise FileNotFoundError(f"{path}: expected an export, received none. Check the path.")
        place = version.resolve()
        self.name = place.parent.name if place.name.isdecimal() else place.name
        self.origin = f"the export {version}"
        try:
            self._loaded = tf.saved_model.load(str(version))
        except (tf.errors.OpError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{version}: expected a SavedModel, received one that cannot be loaded ({reason:.200}). "
                "Export the model again."
            ) from error
        self._signatures = self._loaded.signatures

    @property
    def specs(self) -> Specs:
        """Return the inputs of each signature."""
        return {name: _specs(each.structured_input_signature[1].values()) for name, each in self._signatures.items()}

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        """Return the outputs of a signature."""
        given = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        return _answer(lambda: self._signatures[signature](**given))

    def classes(self) -> int | None:
        """Return the number of labels: an export does not say it, so labels are tried until one is refused."""
        z = self.run("generate", {"seed": np.zeros(1, np.int64), "condition": np.zeros(1, np.int64)})
        inputs = {name: value for name, value in z.items() if name in self.specs["decode"]}
        known, refused = 0, 1
        while refused < _MOST_CLASSES and self._takes(inputs, refused):
            known, refused = refused, 2 * refused
        if refused >= _MOST_CLASSES:
            return None
        while refused - known > 1:
            middle = (known + refused) // 2
            known, refused = (middle, refused) if self._takes(inputs, middle) else (known, middle)
        return refused

    def _takes(self, inputs: Arrays, label: int) -> bool:
        try:
            self.run("decode", {**inputs, "condition": np.array([label])})
        except ValueError:
            return False
        return True

    def kl(self, x: np.ndarray, condition: np.ndarray | None) -> dict[str, np.ndarray | None]:
        """Return nothing: an export has no densities."""
        return {}

    def followed(self, z: Arrays, moved: str, condition: np.ndarray | None) -> Arrays:
        """Return z unchanged: an export has no prior of one group given another."""
        return z


# Beyond this many a list of labels is no use.
_MOST_CLASSES = 4096


def _specs(inputs: Any) -> dict[str, InputSpec]:
    return {
        spec.name: InputSpec(np.dtype(spec.dtype.as_numpy_dtype), tuple(spec.shape.as_list()[1:])) for spec in inputs
    }


def _answer(function: Any) -> Arrays:
    try:
        return {name: value.numpy() for name, value in function().items()}
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(one_line(str(error.message))) from None
    except tf.errors.ResourceExhaustedError as error:
        raise SourceError("the model ran out of memory for this request. Ask for fewer images.") from error


def one_line(message: str) -> str:
    r"""Return a refusal of a graph as one line of what the model says.

    Example:
        >>> one_line("Graph execution error:\n\nassertion failed: [x: expected 0 or 1, received] [0.5] [Round it.]\n")
        'x: expected 0 or 1, received 0.5. Round it.'
    """
    _, found, said = message.partition("assertion failed: ")
    said = (said if found else message).replace(MARK, "").split("\n")[0].strip()
    if found:
        said = re.sub(r"\] \[(?=[A-Z])", ". ", said.removeprefix("[").removesuffix("]")).replace("] [", " ")
    return " ".join(said.replace("\\'", "'").replace("..", ".").split())
