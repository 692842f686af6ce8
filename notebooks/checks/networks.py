"""The two networks: their shapes, and the range of what they return."""

from collections.abc import Callable

import numpy as np

from checks.report import Wrong, check

_MANY, _LARGE = 64, 20.0


@check
def networks(build_encoder: Callable, build_decoder: Callable, pixels: int, latents: int) -> str:
    """Check what builds an encoder, x `[n, D]` to (m, log s²), each `[n, K]`, and a decoder, z `[n, K]` to `[n, D]`."""
    encoder, decoder = build_encoder(), build_decoder()
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, [_MANY, pixels]).astype(np.float32)
    outputs = encoder(x)
    if not isinstance(outputs, tuple | list) or len(outputs) != 2:
        raise Wrong("the encoder must return two tensors, m and log s²")
    for name, output in zip(("m", "log s²"), outputs, strict=True):
        _shape(f"the encoder's {name}", output, (_MANY, latents))
    # Large inputs drive the outputs far both ways, unless an activation holds them back.
    for name, output in zip(
        ("m", "log s²"), encoder(_LARGE * rng.normal(size=x.shape).astype(np.float32)), strict=True
    ):
        _both_signs(f"the encoder's {name}", output)
    if np.array_equal(*map(np.asarray, outputs)):
        raise Wrong("m and log s² are equal: they need a layer each")
    logits = decoder(_LARGE * rng.normal(size=[_MANY, latents]).astype(np.float32))
    _shape("the decoder's output", logits, (_MANY, pixels))
    logits = np.asarray(logits)
    if logits.min() >= 0 and logits.max() <= 1:
        raise Wrong("the decoder's outputs lie in [0, 1]: wanted logits, any real number; drop the last sigmoid")
    _both_signs("the decoder's output", logits)
    return f"x [n, {pixels}] → m, log s² [n, {latents}]; z [n, {latents}] → [n, {pixels}], all of them any real number"


def _shape(what: str, output: object, wanted: tuple[int, int]) -> None:
    if np.shape(output) != wanted:
        raise Wrong(f"{what} has shape {np.shape(output)} for {_MANY} examples; wanted {wanted}")


def _both_signs(what: str, output: object) -> None:
    if np.min(output) >= 0:
        raise Wrong(f"{what} is never negative: the last layer has an activation; wanted none, any real number")
    if np.max(np.abs(output)) <= 1:
        raise Wrong(f"{what} never leaves [−1, 1]: the last layer has an activation; wanted none, any real number")
