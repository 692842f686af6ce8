"""A client, on NumPy arrays, for a variational autoencoder behind TensorFlow Serving."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from serving.client.connection import Connection
from serving.client.fitting import fit_inputs
from serving.client.serving_error import ServingError
from serving.client.specs import SignatureSpec

_SEEDS = np.iinfo(np.int64)


class Generated(NamedTuple):
    """What a model made of seeds.

    Attributes:
        mean: The decoder's mean, `[batch, *event]`.
        z: The latent points it was decoded from, `[batch, latent]`.
    """

    mean: np.ndarray
    z: np.ndarray


class Encoded(NamedTuple):
    """A model's posterior over the latent points of its inputs.

    Attributes:
        mean: `[batch, latent]`.
        scale: The standard deviation, `[batch, latent]`.
    """

    mean: np.ndarray
    scale: np.ndarray


class Client:
    """Talks to a model served by TensorFlow Serving, or by `serving.Server`.

    A call is made again, within its timeout, while the server is UNAVAILABLE. One client may be used from
    several threads.

    ```python
    with Client("127.0.0.1:8500", model="digits") as client:
        client.wait_until_ready(30)
        digits = client.generate(16, seed=7).mean
        nats = client.score(digits)
    ```
    """

    def __init__(self, address: str, model: str, version: int | None = None, timeout: float = 10.0) -> None:
        """Prepares a client; it connects when it is first used.

        Args:
            address: The server's host and port, such as `127.0.0.1:8500`.
            model: The model's name.
            version: The version to ask for; None for the latest.
            timeout: The seconds a call may take, retries included.
        """
        self._connection = Connection(address, model, version, timeout)
        self._known: tuple[dict[str, SignatureSpec], int] | None = None

    def generate(
        self,
        n: int | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        seed: int = 0,
        condition: npt.ArrayLike | None = None,
    ) -> Generated:
        """Generates from seeds; the same seed always gives the same.

        Args:
            n: How many to generate, from the seeds `seed` to `seed + n - 1`.
            seeds: The seeds themselves, instead of `n`.
            seed: The first seed.
            condition: Of a conditional model, such as the label 7: one for all, or one for each.

        Returns:
            The decoder's means and the latent points.

        Raises:
            ValueError: If not exactly one of `n` and `seeds` is given, or the seeds are not 64-bit integers.
            ServingError: If the server does not answer with them.
        """
        if (n is None) == (seeds is None):
            raise ValueError("generate takes either n, how many, or seeds")
        if seeds is None:
            assert n is not None, "one of the two is given"
            seeds = _consecutive(seed, n)
        outputs = self.predict("generate", self._given("generate", {"seed": seeds}, condition), ["mean", "z"])
        return Generated(outputs["mean"], outputs["z"])

    def encode(self, x: npt.ArrayLike, condition: npt.ArrayLike | None = None) -> Encoded:
        """Encodes a batch.

        Args:
            x: The batch, `[batch, *event]`.
            condition: Of a conditional model: one for all, or one for each.

        Returns:
            The posterior's mean and scale.

        Raises:
            ValueError: If `x` does not fit the model.
            ServingError: If the server does not answer with them.
        """
        outputs = self.predict("encode", self._given("encode", {"x": x}, condition))
        return Encoded(outputs["mean"], outputs["scale"])

    def decode(self, z: npt.ArrayLike, condition: npt.ArrayLike | None = None) -> np.ndarray:
        """Decodes latent points.

        Args:
            z: The points, `[batch, latent]`.
            condition: Of a conditional model: one for all, or one for each.

        Returns:
            The decoder's mean, `[batch, *event]`.

        Raises:
            ValueError: If `z` does not fit the model.
            ServingError: If the server does not answer with it.
        """
        return self.predict("decode", self._given("decode", {"z": z}, condition), ["mean"])["mean"]

    def reconstruct(self, x: npt.ArrayLike, condition: npt.ArrayLike | None = None) -> np.ndarray:
        """Encodes a batch and decodes the posterior's mean.

        Args:
            x: The batch, `[batch, *event]`.
            condition: Of a conditional model: one for all, or one for each.

        Returns:
            The decoder's mean, `[batch, *event]`.

        Raises:
            ValueError: If `x` does not fit the model.
            ServingError: If the server does not answer with it.
        """
        return self.predict("reconstruct", self._given("reconstruct", {"x": x}, condition), ["mean"])["mean"]

    def score(
        self, x: npt.ArrayLike, seeds: npt.ArrayLike | None = None, condition: npt.ArrayLike | None = None
    ) -> np.ndarray:
        """Bounds the log-likelihood of each of a batch from below.

        Args:
            x: The batch, `[batch, *event]`.
            seeds: A seed for each, for the samples the bound is made of; 0, 1, 2, ... by default.
            condition: Of a conditional model: one for all, or one for each; bounds log p(x|condition).

        Returns:
            The bounds in nats, `[batch]`.

        Raises:
            ValueError: If `x` or `seeds` do not fit the model.
            ServingError: If the server does not answer with them.
        """
        x = np.asarray(x)
        if seeds is None:
            seeds = np.arange(len(np.atleast_1d(x)), dtype=np.int64)
        inputs = self._given("score", {"x": x, "seed": seeds}, condition)
        return self.predict("score", inputs, ["log_likelihood_bound"])["log_likelihood_bound"]

    def predict(
        self, signature: str, inputs: Mapping[str, npt.ArrayLike], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs any signature.

        Args:
            signature: Its name.
            inputs: Its inputs by name; cast to its dtypes where no value is lost by it.
            outputs: The outputs wanted; all by default.

        Returns:
            The outputs by name.

        Raises:
            ValueError: If the inputs do not fit the signature.
            ServingError: If the server does not answer with the outputs.
        """
        arrays = self._fit(signature, inputs)
        try:
            answer, version = self._connection.predict(signature, arrays, outputs or ())
        except ServingError:
            self._known = None  # it may have been refused because the model is no longer the one known
            raise
        known = self._known
        if known is not None and known[1] != version:
            self._known = None
        return answer

    def metadata(self) -> dict[str, SignatureSpec]:
        """Asks what the model's signatures take and give.

        Returns:
            The signatures by name, each with the dtype and shape of its inputs and outputs.

        Raises:
            ServingError: If the server does not answer.
        """
        self._known = self._connection.metadata()
        return self._known[0]

    def status(self) -> dict[int, str]:
        """Asks for the state of the model's versions.

        Returns:
            From version to the name of its state, such as `AVAILABLE`, the newest first.

        Raises:
            ServingError: If the server does not answer.
        """
        return self._connection.status()

    def wait_until_ready(self, timeout: float) -> None:
        """Waits until the model, in the version asked for if any, is available.

        Args:
            timeout: The seconds to wait at most.

        Raises:
            ServingError: If it is not available by then.
        """
        self._connection.wait_until_ready(timeout)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the connection."""
        self.close()

    def _given(self, signature: str, inputs: dict[str, Any], condition: Any) -> dict[str, Any]:
        """Adds the condition, repeated for each row if there is one for all."""
        if condition is None:
            return inputs
        condition = np.asarray(condition)
        known = self._known
        spec = (known[0] if known is not None else self.metadata()).get(signature)
        wanted = spec.inputs.get("condition") if spec is not None else None
        if wanted is not None and wanted.shape is not None:
            rows = len(np.atleast_1d(next(iter(inputs.values()))))
            if condition.ndim == len(wanted.shape) - 1:
                condition = np.broadcast_to(condition, (rows, *condition.shape))
            elif condition.ndim and len(condition) != rows:
                asked = self._asked(signature)
                raise ValueError(f"{asked}: expected one condition, or {rows}, one for each row; got {len(condition)}")
        return {**inputs, "condition": condition}

    def _fit(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        known = self._known
        if known is not None and signature in known[0]:
            try:
                return fit_inputs(inputs, known[0][signature], self._asked(signature))
            except ValueError:
                pass  # a newer version may take them: ask before refusing
        signatures = self.metadata()
        if signature not in signatures:
            # The server refuses it in words of its own.
            return {name: np.asarray(value) for name, value in inputs.items()}
        return fit_inputs(inputs, signatures[signature], self._asked(signature))

    def _asked(self, signature: str) -> str:
        return f"model {self._connection.model!r}, signature {signature!r}"


def _consecutive(seed: int, n: int) -> np.ndarray:
    if n < 0:
        raise ValueError(f"cannot generate {n}")
    if not _SEEDS.min <= seed <= _SEEDS.max - max(n - 1, 0):
        raise ValueError(f"the seeds {seed} to {seed + n - 1} are not all 64-bit integers")
    return seed + np.arange(n, dtype=np.int64)
