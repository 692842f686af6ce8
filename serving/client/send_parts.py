"""Sends a divided call's parts, a few at once, and gives their answers in order."""

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import grpc
import numpy as np

from serving.client.connection import Answer, Connection
from serving.client.errors import NotByRowsError, ServingError, VersionGoneError

IN_FLIGHT = 4


async def answers(
    connection: Connection,
    signature: str,
    arrays: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    parts: Sequence[slice],
    expected: str,
) -> AsyncGenerator[Answer, None]:
    """Sends the first part, then the others to the version that answered it.

    Args:
        connection: The connection to the model.
        signature: The signature's name.
        arrays: The inputs by name.
        outputs: The outputs wanted; all when empty.
        parts: The rows of each part.
        expected: What the signature takes, for an error's words.

    Yields:
        The parts' answers in order, all of one version; no more than `IN_FLIGHT` are under way or waiting.

    Raises:
        NotByRowsError: If an answer has not one row for each row of its part.
        VersionGoneError: If the version that answered the first part is served no longer.
        ServingError: If the server does not answer.
    """
    transport = connection.transport

    async def ask(rows: slice, version: int | None) -> Answer:
        part = {name: array[rows] for name, array in arrays.items()}
        answer = await connection.predict(signature, part, outputs, version, expected)
        _check(answer, rows, f"{connection.target}, signature {signature!r}")
        return answer

    first = await ask(parts[0], None)
    waiting = iter(parts[1:])
    begun: deque[Any] = deque()

    def begin() -> None:
        begun.extend(
            transport.start(partial(ask, rows, first.version)) for rows in islice(waiting, IN_FLIGHT - len(begun))
        )

    try:
        begin()
        yield first
        while begun:
            answer = await transport.result(begun.popleft())
            begin()
            yield answer
    except ServingError as error:
        pinned = connection.target.version is None and first.version is not None
        if pinned and error.code is grpc.StatusCode.NOT_FOUND:
            raise _gone(error, first.version, len(parts)) from error
        raise
    finally:
        await transport.drop(begun)


def _check(answer: Answer, rows: slice, asked: str) -> None:
    wanted = rows.stop - rows.start
    for name, array in answer.outputs.items():
        if array.ndim == 0 or len(array) != wanted:
            raise NotByRowsError(
                f"{asked}: {wanted} rows were sent and output {name!r} came back with shape {array.shape}: it "
                "cannot be asked for in parts; raise max_message_bytes"
            )


def _gone(error: ServingError, version: int | None, parts: int) -> VersionGoneError:
    details = f"{error.details} (version {version} answered the first of {parts} parts and is served no longer)"
    return VersionGoneError(error.code, error.model, error.signature, details, error.sent, error.expected)
