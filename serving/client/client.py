"""A client, on NumPy arrays, for a variational autoencoder behind TensorFlow Serving."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc
import numpy as np
import numpy.typing as npt

from serving.client.blocking_transport import BlockingTransport, each, finish
from serving.client.calls import Calls, Encoded, Generated
from serving.client.connection import Connection, Target
from serving.client.specs import SignatureSpec


class Client:
    """Talks to a model served by TensorFlow Serving, or by `serving.Server`.

    A request is sent again, within its timeout, while the server is UNAVAILABLE: all of them only compute, so
    that even one whose server died over it may be. A call whose request or answer would be larger than
    `max_message_bytes` is divided by rows into several requests, a few of which are under way at once. They
    are all answered by one version of the model, as one request would be but for rounding. One client may be
    used from several threads.

    ```python
    with Client("127.0.0.1:8500", model="digits") as client:
        client.wait_until_ready(30)
        digits = client.generate(16, seed=7).mean
        nats = client.score(digits)
    ```
    """

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None = None,
        timeout: float = 10.0,
        *,
        version_label: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        max_message_bytes: int = 4 * 2**20,
    ) -> None:
        """Prepares a client; it connects when it is first used.

        Args:
            address: The server's host and port, such as `127.0.0.1:8500`, or `unix:` and a socket's path.
            model: The model's name.
            version: The version to ask for; None for the latest.
            timeout: The seconds a request may take, retries included.
            version_label: The label of the version to ask for, instead of its number.
            credentials: For TLS, such as `serving.tls_credentials` reads; None for none.
            max_message_bytes: The size of request and answer above which a call is divided; the default is
                what any gRPC server and client takes.

        Raises:
            ValueError: If both `version` and `version_label` are given, or `max_message_bytes` is not positive.
        """
        self._transport = BlockingTransport(address, credentials)
        connection = Connection(self._transport, Target.of(model, version, version_label), timeout)
        self._calls = Calls(connection, max_message_bytes)

    def generate(
        self,
        n: int | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        seed: int = 0,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> Generated:
        """Generates from seeds; the same seed always gives the same.

        Args:
            n: How many to generate, from the seeds `seed` to `seed + n - 1`.
            seeds: The seeds themselves, instead of `n`.
            seed: The first seed.
            condition: Of a conditional model, such as the label 7: one for all, or one for each.
            progress: Whether to show a bar.

        Returns:
            The decoder's means and the latent points.

        Raises:
            ValueError: If not exactly one of `n` and `seeds` is given, or the seeds are not 64-bit integers.
            ServingError: If the server does not answer with them.
        """
        return finish(self._calls.generate(n, seeds, seed, condition, progress))

    def encode(self, x: npt.ArrayLike, condition: npt.ArrayLike | None = None, *, progress: bool = False) -> Encoded:
        """Encodes a batch.

        Args:
            x: The batch, `[batch, *event]`.
            condition: Of a conditional model: one for all, or one for each.
            progress: Whether to show a bar.

        Returns:
            The posterior's mean and scale.

        Raises:
            ValueError: If `x` does not fit the model.
            ServingError: If the server does not answer with them.
        """
        return finish(self._calls.encode(x, condition, progress))

    def decode(self, z: npt.ArrayLike, condition: npt.ArrayLike | None = None, *, progress: bool = False) -> np.ndarray:
        """Decodes latent points.

        Args:
            z: The points, `[batch, latent]`.
            condition: Of a conditional model: one for all, or one for each.
            progress: Whether to show a bar.

        Returns:
            The decoder's mean, `[batch, *event]`.

        Raises:
            ValueError: If `z` does not fit the model.
            ServingError: If the server does not answer with it.
        """
        return finish(self._calls.mean("decode", {"z": z}, condition, progress))

    def reconstruct(
        self, x: npt.ArrayLike, condition: npt.ArrayLike | None = None, *, progress: bool = False
    ) -> np.ndarray:
        """Encodes a batch and decodes the posterior's mean.

        Args:
            x: The batch, `[batch, *event]`.
            condition: Of a conditional model: one for all, or one for each.
            progress: Whether to show a bar.

        Returns:
            The decoder's mean, `[batch, *event]`.

        Raises:
            ValueError: If `x` does not fit the model.
            ServingError: If the server does not answer with it.
        """
        return finish(self._calls.mean("reconstruct", {"x": x}, condition, progress))

    def score(
        self,
        x: npt.ArrayLike,
        seeds: npt.ArrayLike | None = None,
        condition: npt.ArrayLike | None = None,
        *,
        progress: bool = False,
    ) -> np.ndarray:
        """Bounds the log-likelihood of each of a batch from below.

        Args:
            x: The batch, `[batch, *event]`.
            seeds: A seed for each, for the samples the bound is made of; 0, 1, 2, ... by default.
            condition: Of a conditional model: one for all, or one for each; bounds log p(x|condition).
            progress: Whether to show a bar.

        Returns:
            The bounds in nats, `[batch]`.

        Raises:
            ValueError: If `x` or `seeds` do not fit the model.
            ServingError: If the server does not answer with them.
        """
        return finish(self._calls.score(x, seeds, condition, progress))

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, npt.ArrayLike],
        outputs: Sequence[str] | None = None,
        *,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> dict[str, np.ndarray]:
        """Runs any signature.

        Rows are taken not to depend on each other, where all inputs and outputs have a batch dimension. For a
        signature where they do, set `max_message_bytes` so high that it is not divided.

        Args:
            signature: Its name.
            inputs: Its inputs by name; cast to its dtypes where no value is lost by it.
            outputs: The outputs wanted; all by default.
            condition: The input `condition`: one for all, or one for each; None if it is among the inputs.
            progress: Whether to show a bar.

        Returns:
            The outputs by name.

        Raises:
            ValueError: If the inputs do not fit the signature.
            ServingError: If the server does not answer with the outputs.
        """
        return finish(self._calls.predict(signature, inputs, outputs, condition, progress))

    def stream(
        self,
        signature: str,
        inputs: Mapping[str, npt.ArrayLike],
        outputs: Sequence[str] | None = None,
        *,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Runs any signature, as `predict` does, and yields the answer in parts; a few at a time are held.

        ```python
        for part in client.stream("generate", {"seed": range(10**6)}, ["mean"]):
            part["mean"].tofile(file)
        ```

        Args:
            signature: Its name.
            inputs: Its inputs by name; cast to its dtypes where no value is lost by it.
            outputs: The outputs wanted; all by default.
            condition: The input `condition`: one for all, or one for each; None if it is among the inputs.
            progress: Whether to show a bar.

        Yields:
            The outputs by name, of one part of the rows after another, in their order.

        Raises:
            ValueError: If the inputs do not fit the signature.
            ServingError: If the server does not answer with the outputs, or the version that answered the
                first part is served no longer.
        """
        return each(self._calls.stream(signature, inputs, outputs, condition, progress))

    def metadata(self) -> dict[str, SignatureSpec]:
        """Asks what the model's signatures take and give.

        Returns:
            The signatures by name, each with the dtype and shape of its inputs and outputs.

        Raises:
            ServingError: If the server does not answer.
        """
        return finish(self._calls.metadata())

    def status(self) -> dict[int, str]:
        """Asks for the state of the model's versions.

        Returns:
            From version to the name of its state, such as `AVAILABLE`, the newest first; all versions, unless
            one was asked for by number.

        Raises:
            ServingError: If the server does not answer.
        """
        return finish(self._calls.connection.status())

    def wait_until_ready(self, timeout: float) -> None:
        """Waits until the model, in the version asked for if any, is available.

        Args:
            timeout: The seconds to wait at most.

        Raises:
            ServingError: If it is not available by then.
        """
        finish(self._calls.connection.wait_until_ready(timeout))

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

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
