"""What a client's methods do, written once for the blocking and the asynchronous client."""

import operator
import re
import warnings
from collections.abc import AsyncGenerator, Iterator, KeysView, Mapping, Sequence
from contextlib import aclosing, nullcontext
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .connection import Answer, Connection
from .divide_rows import divide_rows
from .errors import NotByRowsError, ServingError, VersionGoneError
from .fit_inputs import fit_inputs, unfitted
from .send_parts import answers
from .specs import SignatureSpec, format_array

try:
    from tqdm import tqdm
except ModuleNotFoundError:  # the light client goes without, unless a bar is asked for
    tqdm = None  # type: ignore[assignment,misc]

_LARGEST_SEED = 2**31 - 1
_ALL_ROWS = [slice(None)]

# TensorFlow Serving's words if a request is larger than max_batch_size; the metadata does not have the number.
_TOO_MANY_ROWS = re.compile(r"larger than maximum input batch size (\d+)")

# How often a divided call is started because its version was retired; versions do not change that fast.
_MOST_ATTEMPTS = 5


class Outputs:
    """A signature's outputs: arrays by name, as the model's own methods return them, and in order.

    Example:
        >>> outputs = Outputs({"mean": np.ones([2, 3]), "z": np.zeros([2, 1])})
        >>> outputs["mean"].shape, outputs.mean.shape
        ((2, 3), (2, 3))
        >>> mean, z = outputs
        >>> dict(outputs).keys()
        dict_keys(['mean', 'z'])
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Holds arrays by name; their order is that of the mapping."""
        self._arrays = dict(arrays)

    def keys(self) -> KeysView[str]:
        """Returns the outputs' names."""
        return self._arrays.keys()

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_"):  # before the arrays are there, as while unpickling
            raise AttributeError(name)
        if name not in self._arrays:
            raise AttributeError(f"unknown output {name!r}: expected one of {', '.join(map(repr, self._arrays))}")
        return self._arrays[name]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self._arrays.values())

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"Outputs({', '.join(f'{name}: {format_array(array)}' for name, array in self._arrays.items())})"


class _NoBar:
    """What is shown without `progress`."""

    def update(self, rows: int) -> None:
        """Shows nothing."""


def _bar(signature: str, rows: int, progress: bool) -> Any:
    if not progress:
        return nullcontext(_NoBar())
    if tqdm is None:
        raise ModuleNotFoundError("progress: expected the package tqdm, received none. Use pip install tqdm.")
    return tqdm(total=rows, desc=signature, unit="row")


class _Plan(NamedTuple):
    """A call, ready to be sent."""

    arrays: dict[str, np.ndarray]
    outputs: Sequence[str]
    parts: list[slice]
    expected: str


class Calls:
    """A client's calls, in coroutines that wait for nothing but the connection's transport."""

    def __init__(self, connection: Connection, max_message_bytes: int) -> None:
        """Prepares to call a model.

        Args:
            connection: The connection to the model.
            max_message_bytes: The size above which a call is divided.

        Raises:
            ValueError: If the size is not positive.
        """
        if max_message_bytes < 1:
            raise ValueError(f"max_message_bytes: expected a positive number of bytes, received {max_message_bytes}.")
        self.connection = connection
        self._max_message_bytes = max_message_bytes
        self._max_rows: int | None = None  # the server's, once it has refused a request for having more
        self._known: tuple[dict[str, SignatureSpec], int | None] | None = None

    async def generate(self, seeds: npt.ArrayLike, *, condition: Any, draws: bool, progress: bool) -> Outputs:
        """Generates from seeds."""
        # A signature of its own, so that nobody waits for draws who has not asked for them.
        signature = "draw" if draws else "generate"
        return _ordered(await self.predict(signature, {"seed": seeds}, None, condition, progress), ("mean", "z"))

    async def encode(self, x: npt.ArrayLike, condition: Any, progress: bool) -> Outputs:
        """Encodes a batch."""
        return _ordered(await self.predict("encode", {"x": x}, None, condition, progress), ("mean", "scale"))

    async def decode(self, z: Any, condition: Any, progress: bool) -> np.ndarray:
        """Decodes latents, bare or by group."""
        named = (
            {f"z/{group.removeprefix('z/')}": value for group, value in z.items()} if isinstance(z, Mapping) else None
        )
        inputs = {"z": z} if named is None else named
        return await self.mean("decode", inputs, condition, progress)

    async def mean(self, signature: str, inputs: Mapping[str, Any], condition: Any, progress: bool) -> np.ndarray:
        """Returns a signature's output `mean`."""
        return (await self.predict(signature, inputs, ["mean"], condition, progress))["mean"]

    async def score(self, x: npt.ArrayLike, seeds: npt.ArrayLike | None, condition: Any, progress: bool) -> np.ndarray:
        """Returns a lower bound on the log-likelihood of each row."""
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
        """Runs a signature, in parts if it is large, and joins their answers."""
        attempts = 0
        while True:
            plan = await self._plan(signature, inputs, outputs or (), condition)
            attempts += 1
            try:
                return _joined([answer async for answer in self._answers(signature, plan, progress)])
            except VersionGoneError:
                if attempts == _MOST_ATTEMPTS:
                    raise
            except NotByRowsError:
                plan = plan._replace(parts=_ALL_ROWS)
                return _joined([answer async for answer in self._answers(signature, plan, progress)])
            except ServingError as error:
                if not self._learn_max_rows(error, plan):
                    raise

    async def stream(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        outputs: Sequence[str] | None,
        condition: Any,
        progress: bool,
    ) -> AsyncGenerator[dict[str, np.ndarray], None]:
        """Runs a signature in parts and yields their answers in order."""
        done, version = 0, None
        while True:
            plan = await self._plan(signature, inputs, outputs or (), condition, done)
            ends = iter([done + (part.stop or 0) for part in plan.parts])
            try:
                async with aclosing(self._answers(signature, plan, progress, version)) as answered:
                    async for answer in answered:
                        done, version = next(ends), answer.version
                        yield _joined([answer])
                return
            except ServingError as error:
                # Parts of strings differ in rows: a later one may be the first with more than the server takes.
                if not self._learn_max_rows(error, plan):
                    raise

    async def metadata(self) -> dict[str, SignatureSpec]:
        """Asks for the inputs and outputs of the model's signatures."""
        self._known = await self.connection.metadata()
        return self._known[0]

    async def _plan(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        outputs: Sequence[str],
        condition: Any,
        done: int = 0,
    ) -> _Plan:
        """Returns a call without the rows that are already done."""
        asked = f"{self.connection.target}, signature {signature!r}"
        known = self._known
        if known is not None and signature in known[0]:
            spec = known[0][signature]
            try:
                return self._divided(signature, fit_inputs(inputs, condition, spec, asked), outputs, spec, done)
            except ValueError:
                pass  # a newer version may accept them: ask before refusing
        signatures = await self.metadata()
        if signature not in signatures:
            # The server refuses it with a message of its own.
            expected = f"one of the signatures {', '.join(sorted(signatures))}"
            return _Plan(unfitted(inputs, condition, asked), outputs, _ALL_ROWS, expected)
        spec = signatures[signature]
        return self._divided(signature, fit_inputs(inputs, condition, spec, asked), outputs, spec, done)

    def _divided(
        self,
        signature: str,
        arrays: dict[str, np.ndarray],
        outputs: Sequence[str],
        spec: SignatureSpec,
        done: int,
    ) -> _Plan:
        if done:
            arrays = {name: array[done:] for name, array in arrays.items()}
        limit, max_rows = self._max_message_bytes, self._max_rows
        parts = divide_rows(arrays, spec, outputs, self.connection.target, signature, limit, max_rows)
        return _Plan(arrays, outputs, parts, spec.takes())

    async def _answers(
        self, signature: str, plan: _Plan, progress: bool, version: int | None = None
    ) -> AsyncGenerator[Answer, None]:
        """Yields the answers of a plan's parts, while a bar shows their rows; of this version if it is given."""
        arrays, outputs, parts, expected = plan
        rows = len(np.atleast_1d(next(iter(arrays.values())))) if arrays else 0
        with _bar(signature, rows, progress) as bar:
            try:
                if len(parts) == 1 and version is None:
                    answer = await self.connection.predict(signature, arrays, outputs, None, expected)
                    self._compare_version(answer)
                    bar.update(rows)
                    yield answer
                    return
                sent = answers(self.connection, signature, arrays, outputs, parts, expected, version)
                async with aclosing(sent) as divided:
                    for part in parts:
                        answer = await anext(divided)
                        self._compare_version(answer)
                        bar.update(part.stop - part.start)
                        yield answer
            except ServingError:
                self._known = None  # the request may have been refused because the model has changed
                raise

    def _learn_max_rows(self, error: ServingError, plan: _Plan) -> bool:
        """Returns whether a server that batches refused a part for its number of rows, and stores its limit."""
        refused = _TOO_MANY_ROWS.search(error.details)
        if refused is None:
            return False
        limit = int(refused[1])
        self._max_rows = limit if self._max_rows is None else min(limit, self._max_rows)
        # Not whether the limit is news: another call, begun at the same time, may have learned it first.
        rows = len(np.atleast_1d(next(iter(plan.arrays.values())))) if plan.arrays else 0
        return any(len(range(rows)[part]) > limit for part in plan.parts)

    def _compare_version(self, answer: Answer) -> None:
        known = self._known
        if known is not None and known[1] != answer.version:
            self._known = None


def _joined(answered: Sequence[Answer]) -> dict[str, np.ndarray]:
    if len(answered) == 1:
        # A view of the message's bytes is read-only, and callers expect writable arrays.
        return {name: np.require(array, requirements="W") for name, array in answered[0].outputs.items()}
    try:
        return {name: np.concatenate([answer.outputs[name] for answer in answered]) for name in answered[0].outputs}
    except ValueError as error:
        raise NotByRowsError(str(error)) from error


def _ordered(arrays: dict[str, np.ndarray], first: Sequence[str]) -> Outputs:
    names = [name for name in first if name in arrays] + sorted(arrays.keys() - set(first))
    return Outputs({name: arrays[name] for name in names})


def seeds_to_send(seeds: npt.ArrayLike | None, n: int | None, seed: int | None) -> npt.ArrayLike:
    """Returns the seeds of a call of `generate`.

    Args:
        seeds: The seeds themselves.
        n: How many to derive from `seed`, if they are not given: the same as those of the model's `sample`.
        seed: An integer from 0 to 2³¹ − 1; 0 by default.

    Raises:
        ValueError: If not exactly one of `seeds` and `n` is given, or `seed` is not an integer from 0 to 2³¹ − 1.
    """
    if isinstance(seeds, str | bytes | float | complex):
        raise ValueError(f"generate: seeds: expected integers, one per row, received {seeds!r}. Use [16], for example.")
    if seeds is not None and np.ndim(seeds) == 0 and n is None:
        warnings.warn("generate(16) is deprecated. Pass n=16, or seeds=[16].", DeprecationWarning, stacklevel=3)
        n, seeds = operator.index(seeds), None  # type: ignore[arg-type]
    if (n is None) == (seeds is None):
        received = "neither" if n is None else "both"
        raise ValueError(f"generate: expected either seeds or n, received {received}. Pass seeds=[...] or n=16.")
    if n is None:
        if seed is not None:
            raise ValueError(
                f"generate: expected either seeds or a seed with n, received seeds and seed={seed}. Remove one."
            )
        assert seeds is not None, "checked above"
        return seeds
    seed = 0 if seed is None else seed
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 0:
        raise ValueError(f"generate: n: expected an integer of 0 or more, received {n!r}. Use 16, for example.")
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= seed <= _LARGEST_SEED:
        raise ValueError(
            f"generate: seed: expected an integer from 0 to {_LARGEST_SEED}, received {seed!r}. Use 0, for example."
        )
    # As keras_vae.utils.seeds.rows_of, so that served and local samples are the same.
    return np.random.SeedSequence(int(seed)).generate_state(int(n), np.uint64).view(np.int64)
