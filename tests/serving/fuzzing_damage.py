"""Damages any request: as a message, or as bytes."""

from itertools import chain
from random import Random
from typing import Any

from fuzzing import METHODS, REQUESTS, Call, seeds, serialized
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st


def damaged(call: Call, seed: int) -> Call:
    """Returns a call with fields changed to anything of their type, or with bytes changed, or for another method."""
    random = Random(seed)
    if seed % 16 == 0:
        return Call(random.choice(METHODS), random.randbytes(random.randrange(60)))
    if seed % 16 == 1:
        return Call(random.choice(METHODS), call.message)
    if seed % 16 < 7:
        return Call(call.method, _damaged_bytes(call.message, random))
    message = REQUESTS[call.method].FromString(call.message)
    for _ in range(random.randint(1, 3)):
        _change(message, random)
    return Call(call.method, serialized(message))


def _damaged_bytes(message: bytes, random: Random) -> bytes:
    data = bytearray(message)
    for _ in range(random.randint(1, 2)):
        kind, position = random.randrange(8), random.randrange(len(data) + 1)
        if kind == 0:
            del data[position:]
        elif kind == 1:
            data[position:position] = data[: random.randrange(40)]
        elif kind < 4:
            data[position : position + 1] = random.randbytes(1)
        elif data:
            data[position % len(data)] ^= 1 << random.randrange(8)
    return bytes(data)


def _change(message: Message, random: Random) -> None:
    """Changes one field, at any depth."""
    field = random.choice(message.DESCRIPTOR.fields)
    value = getattr(message, field.name)
    often = random.random() < 0.8
    if field.message_type is None:
        values = [_any_value(field, random)]
        if not field.is_repeated:
            setattr(message, field.name, values[0])
        elif often:
            value.extend(values * random.choice([1, 1, 2, 100]))
        else:
            message.ClearField(field.name)
    elif field.message_type.GetOptions().map_entry:
        name = random.choice(sorted(value)) if value and often else random.choice(["", "x", "mean"])
        if field.message_type.fields_by_name["value"].message_type is not None:
            _change(value[name], random)
    elif field.is_repeated:
        _change(random.choice(value) if value and often else value.add(), random)
    elif often:
        value.SetInParent()
        _change(value, random)
    else:
        message.ClearField(field.name)


def _any_value(field: FieldDescriptor, random: Random) -> Any:
    kind, positive = field.cpp_type, random.random() < 0.5
    if kind == field.CPPTYPE_STRING:
        is_text = field.type == field.TYPE_STRING
        return random.choice(["", "vae", "é\0", "a" * 300]) if is_text else random.randbytes(random.randrange(30))
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return random.choice([0.0, -1.5, 3e38, float("nan"), float("inf")])
    if kind == field.CPPTYPE_BOOL:
        return positive
    bits = 64 if kind in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else 32
    if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        return random.choice([0, 1, 2**bits - 1])
    return random.choice([0, 1, 2, 3, 7, 19, -1, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1])


def with_damage(calls: st.SearchStrategy[Call], times: int) -> st.SearchStrategy[list[Call]]:
    """Calls, each with so many damaged copies of it."""
    copies = st.lists(seeds, min_size=times, max_size=times)
    return st.builds(lambda call, drawn: [call, *(damaged(call, seed) for seed in drawn)], calls, copies)


def in_batches(calls: st.SearchStrategy[list[Call]], count: int) -> st.SearchStrategy[list[Call]]:
    """So many of the lists of calls in one."""
    return st.lists(calls, min_size=count, max_size=count).map(lambda lists: list(chain.from_iterable(lists)))
