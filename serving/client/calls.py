"""What a client's methods do, for the blocking and the asynchronous client alike."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from serving.client.connection import Answer, Connection
from serving.client.divide_rows import cut
from serving.client.errors import NotByRowsError, ServingError, VersionGoneError
from serving.client.fit_inputs import fit_inputs, unfitted
from serving.client.send_parts import answers
from serving.client.specs import SignatureSpec

_SEEDS = np.iinfo(np.int64)
_ALL_ROWS = [slice(None)]

# How often a divided call begins anew because its version went; versions do not change that fast.
_BEGINNINGS = 5


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


class _Plan(NamedTuple):
    """A call as it is to be sent."""

    arrays: dict[str, np.ndarray]
    parts: list[slice]
    expected: str


class Calls:
    """A client's calls, in coroutines that wait for nothing but the connection's transport."""

    def __init__(self, connection: Connection, max_message_bytes: int) -> None:
        """Takes what it is to speak through.

        Args:
            connection: The connection to the model.
            max_message_bytes: The size above which a call is divided.

        Raises:
            ValueError: If the size is not positive.
        """
        if max_message_bytes < 1:
            raise ValueError(f"max_message_bytes must be a positive number of bytes; got {max_message_bytes}")
        self.connection = connection
        self._max_message_bytes = max_message_bytes
        self._known: tuple[dict[str, SignatureSpec], int | None] | None = None

    async def generate(
        self, n: int | None, seeds: npt.ArrayLike | None, seed: int, condition: Any, progress: bool
    ) -> Generated:
        """Generates from seeds."""
        if (n is None) == (seeds is None):
            raise ValueError(f"generate takes either n, how many, or seeds; got {'neither' if n is None else 'both'}")
        if n is not None:
            seeds = _consecutive(seed, n)
        outputs = await self.predict("generate", {"seed": seeds}, ["mean", "z"], condition, progress)
        return Generated(outputs["mean"], outputs["z"])

    async def encode(self, x: npt.ArrayLike, condition: Any, progress: bool) -> Encoded:
        """Encodes a batch."""
        outputs = await self.predict("encode", {"x": x}, ["mean", "scale"], condition, progress)
        return Encoded(outputs["mean"], outputs["scale"])

    async def mean(self, signature: str, inputs: Mapping[str, Any], condition: Any, progress: bool) -> np.ndarray:
        """Returns a signature's output `mean`."""
        return (await self.predict(signature, inputs, ["mean"], condition, progress))["mean"]

    async def score(self, x: npt.ArrayLike, seeds: npt.ArrayLike | None, condition: Any, progress: bool) -> np.ndarray:
        """Bounds the log-likelihood of each of a batch."""
        x = np.asarray(x)
        if seeds is None:
            seeds = np.arange(len(np.atleast_1d(x)), dtype=np.int64)
        bound = "log_likelihood_bound"
        return (await self.predict("score", {"x": x, "seed": seeds}, [bound], condition, progress))[bound]

    async def predict(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        outputs: Sequence[str] | None,
        condition: Any,
        progress: bool,
    ) -> dict[str, np.ndarray]:
        """Runs a signature, in parts if it is large, and puts their answers together."""
        outputs = outputs or ()
        beginnings = 0
        while True:
            plan = await self._plan(signature, inputs, outputs, condition)
            beginnings += 1
            try:
                answered = [answer async for answer in self._answers(signature, plan, outputs, progress)]
                return _together(answered)
            except VersionGoneError:
                if beginnings == _BEGINNINGS:
                    raise
            except NotByRowsError:
                plan = plan._replace(parts=_ALL_ROWS)
                return _together([answer async for answer in self._answers(signature, plan, outputs, progress)])

    async def stream(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        outputs: Sequence[str] | None,
        condition: Any,
        progress: bool,
    ) -> AsyncGenerator[dict[str, np.ndarray], None]:
        """Runs a signature in parts and yields their answers in order."""
        plan = await self._plan(signature, inputs, outputs or (), condition)
        async with aclosing(self._answers(signature, plan, outputs or (), progress)) as parts:
            async for answer in parts:
                yield _together([answer])

    async def metadata(self) -> dict[str, SignatureSpec]:
        """Asks what the model's signatures take and give."""
        self._known = await self.connection.metadata()
        return self._known[0]

    async def _plan(self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str], condition: Any) -> _Plan:
        asked = f"{self.connection.target}, signature {signature!r}"
        known = self._known
        if known is not None and signature in known[0]:
            spec = known[0][signature]
            try:
                return self._divided(signature, fit_inputs(inputs, condition, spec, asked), outputs, spec)
            except ValueError:
                pass  # a newer version may take them: ask before refusing
        signatures = await self.metadata()
        if signature not in signatures:
            # The server refuses it in words of its own.
            expected = f"one of the signatures {', '.join(sorted(signatures))}"
            return _Plan(unfitted(inputs, condition, asked), _ALL_ROWS, expected)
        spec = signatures[signature]
        return self._divided(signature, fit_inputs(inputs, condition, spec, asked), outputs, spec)

    def _divided(
        self, signature: str, arrays: dict[str, np.ndarray], outputs: Sequence[str], spec: SignatureSpec
    ) -> _Plan:
        parts = cut(arrays, spec, outputs, self.connection.target, signature, self._max_message_bytes)
        return _Plan(arrays, parts, spec.takes())

    async def _answers(
        self, signature: str, plan: _Plan, outputs: Sequence[str], progress: bool
    ) -> AsyncGenerator[Answer, None]:
        """Yields the answers of a plan's parts, while a bar shows their rows."""
        arrays, parts, expected = plan
        rows = len(np.atleast_1d(next(iter(arrays.values())))) if arrays else 0
        with tqdm(total=rows, desc=signature, unit="row", disable=not progress) as bar:
            try:
                if len(parts) == 1:
                    answer = await self.connection.predict(signature, arrays, outputs, None, expected)
                    self._heed(answer)
                    bar.update(rows)
                    yield answer
                    return
                async with aclosing(answers(self.connection, signature, arrays, outputs, parts, expected)) as divided:
                    for part in parts:
                        answer = await anext(divided)
                        self._heed(answer)
                        bar.update(part.stop - part.start)
                        yield answer
            except ServingError:
                self._known = None  # it may have been refused because the model is no longer the one known
                raise

    def _heed(self, answer: Answer) -> None:
        known = self._known
        if known is not None and known[1] != answer.version:
            self._known = None


def _together(answered: Sequence[Answer]) -> dict[str, np.ndarray]:
    if len(answered) == 1:
        # A view of the message's bytes cannot be written to, and callers expect arrays that can.
        return {name: np.require(array, requirements="W") for name, array in answered[0].outputs.items()}
    try:
        return {name: np.concatenate([answer.outputs[name] for answer in answered]) for name in answered[0].outputs}
    except ValueError as error:
        raise NotByRowsError(str(error)) from error


def _consecutive(seed: int, n: int) -> np.ndarray:
    if n < 0:
        raise ValueError(f"cannot generate {n}")
    if not _SEEDS.min <= seed <= _SEEDS.max - max(n - 1, 0):
        raise ValueError(f"the seeds {seed} to {seed + n - 1} are not all 64-bit integers")
    return seed + np.arange(n, dtype=np.int64)
