"""`keras-vae sample` and `keras-vae generate`: images from a model on disk, or over gRPC."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_vae import plots
from keras_vae.cli.errors import UsageError
from keras_vae.cli.options import Generate, Images
from keras_vae.cli.stored_models import load
from keras_vae.conditions import Condition, Label
from keras_vae.utils.arguments import counted
from keras_vae.utils.files import whole
from serving import Client, ServingError, tls_credentials
from serving.client.specs import SignatureSpec


def sample(path: str, options: Images) -> None:
    """Generate images with a model on disk."""
    model, _ = load(path)
    condition = _condition(options, model.condition)
    images = model.sample(options.n, seed=options.seed, condition=condition, **_draws(options))
    _write(options.out, np.asarray(images))


def generate(options: Generate) -> None:
    """Generate images with a served model."""
    images = options.images
    files = {"root": options.tls_root, "certificate": options.tls_certificate, "key": options.tls_key}
    credentials = tls_credentials(**files) if any(files.values()) else None
    with Client(options.server, model=options.model, timeout=options.timeout, credentials=credentials) as client:
        try:
            condition = _served_condition(images, client.metadata())
            progress = sys.stderr.isatty()
            answer: Any = client.generate(
                n=images.n, seed=images.seed, condition=condition, progress=progress, **_draws(images)
            )
        except ServingError as error:
            raise ValueError(str(error)) from error
    _write(images.out, answer["draw"] if images.draws else answer.mean)


def _draws(options: Images) -> dict[str, Any]:
    return {"draws": True} if options.draws else {}


def _condition(options: Images, condition: Condition | None) -> np.ndarray | None:
    """Return y for a model on disk: the one given, or all classes in turn."""
    if condition is None:
        _refuse(options)
        return None
    if options.condition is None:
        if isinstance(condition, Label):
            return np.arange(options.n) % condition.size
        raise UsageError(f"--condition: expected {condition.support.expected} for a conditional model, received none")
    given = np.asarray(options.condition)
    return condition.rows(given[0] if condition.shape == () and len(given) == 1 else given, options.n)


def _served_condition(options: Images, signatures: Mapping[str, SignatureSpec]) -> np.ndarray | None:
    """Return y for a served model, according to its signature."""
    signature = signatures.get("generate")
    spec = signature.inputs.get("condition") if signature else None
    if spec is None:
        _refuse(options)
        return None
    if options.condition is None:
        raise UsageError(f"--condition: expected {spec}, such as 7, for this conditional model, received none")
    given = np.asarray(options.condition)
    if np.array_equal(given, given.astype(np.int64)):
        given = given.astype(np.int64)
    return given[0] if len(given) == 1 and spec.shape is not None and len(spec.shape) == 1 else given


def _refuse(options: Images) -> None:
    if options.condition is not None:
        received = " ".join(f"{number:g}" for number in options.condition)
        raise UsageError(f"--condition: expected none for an unconditional model, received {received}")


def _write(path: str, images: np.ndarray) -> None:
    """Write images as a grid (.png) or as an array (.npy)."""
    if Path(path).suffix == ".png" and images.ndim != 4:
        raise UsageError(f"--out: expected a name that ends in .npy, since x is not an image, received {path}")
    if Path(path).suffix == ".npy":
        with whole(path) as unfinished:
            np.save(unfinished, images)
    else:
        plots.grid(images, path)
    print(f"{path}: {counted(len(images), 'image' if images.ndim == 4 else 'row')}")
