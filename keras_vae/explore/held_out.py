"""Held-out examples as the model takes them, with their codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_vae.data.examples import Column, Examples
from keras_vae.explore.sources import Arrays, Source

_MOST = 1000
# Encoded at a time.
_ROWS = 128


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Encoded examples.

    Attributes:
        name: The name of the data.
        x: `[n, *event]`, as the model takes it.
        labels: `[n]` integers, or None.
        codes: `mean` and `scale` of the posteriors, by output name.
        condition: y of each example, or None.
    """

    name: str
    x: np.ndarray
    labels: np.ndarray | None
    codes: Arrays
    condition: np.ndarray | None


def encode(source: Source, examples: Examples, event_shape: tuple[int, ...]) -> HeldOut:
    """Return some of the examples, encoded.

    Raises:
        ValueError: If the model does not take them.
    """
    shape = examples.images.shape[1:]
    if shape != event_shape:
        raise ValueError(f"expected examples of shape {event_shape}, received {shape}")
    count = min(len(examples), _MOST)
    chosen = np.sort(np.random.default_rng(0).choice(len(examples), count, replace=False))
    labels = None if examples.labels is None else np.asarray(examples.labels)[chosen]
    if labels is not None and labels.ndim > 1:
        labels = labels[:, 0]
    condition = None
    spec = source.specs["encode"].get("condition")
    if spec is not None:
        if spec.shape or labels is None:
            raise ValueError("the data has no condition to encode its examples with")
        condition = labels.astype(spec.dtype)
    x, codes = accepted(source, unit_values(examples.images[chosen]), condition)
    return HeldOut(examples.name, x, labels, codes, condition)


def unit_values(images: np.ndarray) -> np.ndarray:
    """Return float32: 8-bit pixels in [0, 1], others unchanged."""
    return images.astype(np.float32) / np.float32(255.0) if images.dtype == np.uint8 else images.astype(np.float32)


def accepted(source: Source, x: np.ndarray, condition: np.ndarray | None) -> tuple[np.ndarray, Arrays]:
    """Return x as the model takes it, with its codes: unchanged, in 256 levels, binarized at 1/2, or between 0 and 1.

    An export does not say what its likelihood supports, but refuses what it does not.

    Raises:
        ValueError: If it takes none of them, with the reason for x unchanged.
    """
    levels = np.round(np.clip(x, 0, 1) * 255)
    forms = (x, (levels / 255), (x > 0.5), ((levels + 0.5) / 256))
    refused: ValueError | None = None
    for form in forms:
        form = form.astype(np.float32)
        try:
            return form, encoded(source, form, condition)
        except ValueError as error:
            refused = refused or error
    assert refused is not None, "there are forms"
    raise refused


def encoded(source: Source, x: np.ndarray, condition: np.ndarray | None) -> Arrays:
    """Return what the signature `encode` returns for x, `[n, *event]`."""
    parts = []
    for start in range(0, len(x), _ROWS):
        part = slice(start, start + _ROWS)
        given = {} if condition is None else {"condition": condition[part]}
        parts.append(source.run("encode", {"x": x[part], **given}))
    return {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}


def columns_json(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Return the columns of a table as the page shows them."""
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "start": column.start,
            "stop": column.stop,
            "vocabulary": [str(value) for value in column.vocabulary],
        }
        for column in columns
    ]
