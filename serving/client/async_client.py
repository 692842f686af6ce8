"""The client for an event loop, on NumPy arrays."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
import numpy.typing as npt

from .arguments import Arguments
from .async_transport import AsyncTransport
from .calls import Calls, Outputs, seeds_to_send
from .connection import Connection, Target
from .specs import SignatureSpec


class AsyncClient:
    """Does what `Client` does, in coroutines.

    A request is sent again, within its timeout and after growing random pauses, while the server is UNAVAILABLE or has
    too much to do: requests only compute, so even one whose server died while answering may be repeated. A call whose
    request or answer would be larger than `max_message_bytes` is divided by rows into several requests, a few of which
    are in flight at a time. They are all answered by one version of the model, and the result is that of one request up
    to rounding. Several tasks of one event loop may share a client.

    ```python
    async with AsyncClient("127.0.0.1:8500", model="digits") as client:
        await client.wait_until_ready(30)
        digits = (await client.generate(n=16, seed=7)).mean
        nats = await client.score(digits)
    ```
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 10.0,
        credentials: grpc.ChannelCredentials | None = None,
        max_message_bytes: int = 4 * 2**20,
    ) -> None:
        """Prepares a client; it connects when it is first used.

        Args:
            address: The server's host and port, such as `127.0.0.1:8500`, or `unix:` and a socket's path.
            model: The model's name.
            version: The version to ask for; None for the latest.
            version_label: The label of the version to ask for, instead of its number.
            timeout: The seconds a request may take, including retries.
            credentials: For TLS, such as `tls_credentials` reads; None for none.
            max_message_bytes: The size of request and answer above which a call is divided; the default is what any
                gRPC server and client accepts.

        Raises:
            ValueError: If the address is not one, `timeout` or `max_message_bytes` is not positive, or both `version`
                and `version_label` are given.
        """
        self._arguments = Arguments(address, model, version, version_label, timeout, credentials, max_message_bytes)
        self._arguments.check()
        self._transport = AsyncTransport(address, credentials)
        connection = Connection(self._transport, Target.of(model, version, version_label), timeout)
        self._calls = Calls(connection, max_message_bytes)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return self._arguments.rebuild(type(self))

    async def generate(
        self,
        seeds: npt.ArrayLike | None = None,
        *,
        n: int | None = None,
        seed: int | None = None,
        condition: npt.ArrayLike | None = None,
        draws: bool = False,
        progress: bool = False,
    ) -> Outputs:
        """Generates one example per seed, as the model's own `generate` does; the same seed gives the same z.

        Args:
            seeds: The seeds, `[batch]` integers.
            n: How many to generate, instead of `seeds`; the same as the model's `sample(n, seed=seed)`.
            seed: From 0 to 2³¹ − 1; different ones give different examples. 0 by default. Only with `n`.
            condition: For a conditional model, such as the label 7: one for all, or one per seed.
            draws: Whether to ask the signature `draw`, which also returns `draw`, x ~ p(x|z), `[batch, *event]`.
            progress: Whether to show a progress bar.

        Returns:
            The signature's outputs: the decoder's `mean`, `[batch, *event]`, the latents `z`, `[batch, *latent]`, or
            `z/<group>` for each of several groups, and any others it has.

        Raises:
            ValueError: If not exactly one of `seeds` and `n` is given, a seed does not fit in 64 bits, or `seed` is not
                an integer from 0 to 2³¹ − 1.
            ServingError: If the server does not answer, or does not serve draws.
        """
        seeds = seeds_to_send(seeds, n, seed)
        return await self._calls.generate(seeds, condition=condition, draws=draws, progress=progress)

    async def encode(
        self, x: npt.ArrayLike, *, condition: npt.ArrayLike | None = None, progress: bool = False
    ) -> Outputs:
        """Encodes a batch.

        Args:
            x: The batch, `[batch, *event]`.
            condition: For a conditional model: one for all, or one per row.
            progress: Whether to show a progress bar.

        Returns:
            The signature's outputs: the posterior's `mean` and `scale`, `[batch, *latent]`, and any others it has.

        Raises:
            ValueError: If `x` does not fit the model.
            ServingError: If the server does not answer.
        """
        return await self._calls.encode(x, condition, progress)

    async def decode(
        self,
        z: npt.ArrayLike | Mapping[str, npt.ArrayLike],
        *,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> np.ndarray:
        """Decodes latent points.

        Args:
            z: The latents, `[batch, *latent]`; for several groups a dict of them by group.
            condition: For a conditional model: one for all, or one per row.
            progress: Whether to show a progress bar.

        Returns:
            The decoder's mean, `[batch, *event]`.

        Raises:
            ValueError: If `z` does not fit the model.
            ServingError: If the server does not answer.
        """
        return await self._calls.decode(z, condition, progress)

    async def reconstruct(
        self, x: npt.ArrayLike, *, condition: npt.ArrayLike | None = None, progress: bool = False
    ) -> np.ndarray:
        """Encodes a batch and decodes the posterior's mean.

        Args:
            x: The batch, `[batch, *event]`.
            condition: For a conditional model: one for all, or one per row.
            progress: Whether to show a progress bar.

        Returns:
            The decoder's mean, `[batch, *event]`.

        Raises:
            ValueError: If `x` does not fit the model.
            ServingError: If the server does not answer.
        """
        return await self._calls.mean("reconstruct", {"x": x}, condition, progress)

    async def score(
        self,
        x: npt.ArrayLike,
        *,
        seeds: npt.ArrayLike | None = None,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> np.ndarray:
        """Returns a lower bound on the log-likelihood of each row of a batch.

        Args:
            x: The batch, `[batch, *event]`.
            seeds: One seed per row, for the samples of the bound; 0, 1, 2, ... by default.
            condition: For a conditional model: one for all, or one per row; bounds log p(x|condition).
            progress: Whether to show a progress bar.

        Returns:
            The bounds in nats, `[batch]`.

        Raises:
            ValueError: If `x` or `seeds` do not fit the model.
            ServingError: If the server does not answer.
        """
        return await self._calls.score(x, seeds, condition, progress)

    async def predict(
        self,
        signature: str,
        inputs: Mapping[str, npt.ArrayLike],
        outputs: Sequence[str] | None = None,
        *,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> dict[str, np.ndarray]:
        """Runs any signature.

        Where all inputs and outputs have a batch dimension, rows are assumed not to depend on each other. For a
        signature where they do, set `max_message_bytes` high enough that the call is not divided.

        Args:
            signature: The signature's name.
            inputs: Its inputs by name; cast to its dtypes where that loses no value.
            outputs: The outputs to return; all by default.
            condition: The input `condition`: one for all, or one per row; None if it is among the inputs.
            progress: Whether to show a progress bar.

        Returns:
            The outputs by name.

        Raises:
            ValueError: If the inputs do not fit the signature.
            ServingError: If the server does not answer.
        """
        return await self._calls.predict(signature, inputs, outputs, condition, progress)

    def stream(
        self,
        signature: str,
        inputs: Mapping[str, npt.ArrayLike],
        outputs: Sequence[str] | None = None,
        *,
        condition: npt.ArrayLike | None = None,
        progress: bool = False,
    ) -> AsyncGenerator[dict[str, np.ndarray], None]:
        """Runs any signature, as `predict` does, and yields the answer in parts, of which it holds only a few.

        ```python
        async for part in client.stream("generate", {"seed": range(10**6)}, ["mean"]):
            part["mean"].tofile(file)
        ```

        Args:
            signature: The signature's name.
            inputs: Its inputs by name; cast to its dtypes where that loses no value.
            outputs: The outputs to return; all by default.
            condition: The input `condition`: one for all, or one per row; None if it is among the inputs.
            progress: Whether to show a progress bar.

        Yields:
            The outputs by name, one part of the rows after another, in order.

        Raises:
            ValueError: If the inputs do not fit the signature.
            NotByRowsError: If a part's outputs do not have one row per input row.
            VersionGoneError: If the version that answered the first part is no longer served.
            ServingError: If the server does not answer.
        """
        return self._calls.stream(signature, inputs, outputs, condition, progress)

    async def metadata(self) -> dict[str, SignatureSpec]:
        """Asks for the inputs and outputs of the model's signatures.

        Returns:
            The signatures by name, each with the dtype and shape of its inputs and outputs.

        Raises:
            ServingError: If the server does not answer.
        """
        return await self._calls.metadata()

    async def status(self) -> dict[int, str]:
        """Asks for the state of the model's versions.

        Returns:
            The name of each version's state, such as `AVAILABLE`, newest version first; all versions, unless the
            client asks for one by number.

        Raises:
            ServingError: If the server does not answer.
        """
        return await self._calls.connection.status()

    async def wait_until_ready(self, timeout: float) -> None:
        """Waits until the model, in the client's version if it asks for one, is available.

        Args:
            timeout: The seconds to wait at most.

        Raises:
            ServingError: If it is not available by then.
        """
        await self._calls.connection.wait_until_ready(timeout)

    async def close(self) -> None:
        """Closes the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """Returns the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the connection."""
        await self.close()
