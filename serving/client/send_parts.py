"""Sends the parts of a divided call, a few at a time, and yields their answers in order."""

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import grpc
import numpy as np

from .connection import Answer, Connection
from .errors import NotByRowsError, ServingError, VersionGoneError

IN_FLIGHT = 4


async def answers(
    connection: Connection,
    signature: str,
    arrays: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    parts: Sequence[slice],
    expected: str,
    version: int | None = None,
) -> AsyncGenerator[Answer, None]:
    """Sends the first part, then the others to the version that answered it.

    Args:
        connection: The connection to the model.
        signature: The signature's name.
        arrays: The inputs by name.
        outputs: The outputs to return; all if empty.
        parts: The rows of each part.
        expected: The signature's inputs, for error messages.
        version: The version that answered earlier parts, if there were any; the first part then goes to it too.

    Yields:
        The parts' answers in order, all of one version; at most `IN_FLIGHT` are in flight or waiting.

    Raises:
        NotByRowsError: If an answer does not have one row per row of its part.
        VersionGoneError: If the version that answered the first part is no longer served.
        ServingError: If the server does not answer.
    """
    transport = connection.transport

    async def ask(rows: slice, version: int | None) -> Answer:
        part = {name: array[rows] for name, array in arrays.items()}
        answer = await connection.predict(signature, part, outputs, version, expected)
        _check(answer, rows, f"{connection.target}, signature {signature!r}")
        return answer

    waiting = iter(parts[1:])
    begun: deque[Any] = deque()

    def send_more() -> None:
        begun.extend(transport.start(partial(ask, rows, version)) for rows in islice(waiting, IN_FLIGHT - len(begun)))

    try:
        first = await ask(parts[0], version)
        version = first.version
        send_more()
        yield first
        while begun:
            answer = await transport.result(begun.popleft())
            send_more()
            yield answer
    except ServingError as error:
        pinned = connection.target.version is None and version is not None
        if pinned and error.code is grpc.StatusCode.NOT_FOUND:
            raise _gone(error, version, len(parts)) from error
        raise
    finally:
        await transport.drop(begun)


def _check(answer: Answer, rows: slice, asked: str) -> None:
    sent = rows.stop - rows.start
    for name, array in answer.outputs.items():
        if array.ndim == 0 or len(array) != sent:
            raise NotByRowsError(
                f"{asked}: cannot be answered in parts: expected output {name!r} with {sent} rows, received shape"
                f" {array.shape}. Use a larger max_message_bytes."
            )


def _gone(error: ServingError, version: int | None, parts: int) -> VersionGoneError:
    details = f"{error.details} (version {version} answered the first of {parts} parts and is no longer served)"
    return VersionGoneError(error.code, error.model, error.signature, details, error.sent, error.expected)
