"""The two networks: check their shapes and the range of their outputs."""

from collections.abc import Callable

import keras
import numpy as np

from checks.report import Wrong, check

_MANY, _LARGE, _HIDDEN = 64, 20.0, 200


@check
def networks(build_encoder: Callable, build_decoder: Callable, pixels: int, latents: int) -> str:
    """Check the encoder, x `[n, D]` to (m, log s²), each `[n, K]`, and the decoder, z `[n, K]` to `[n, D]`."""
    encoder, decoder = build_encoder(), build_decoder()
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, [_MANY, pixels]).astype(np.float32)
    outputs = encoder(x)
    if not isinstance(outputs, tuple | list) or len(outputs) != 2:
        raise Wrong("the encoder must return two tensors, m and log s²")
    for name, output in zip(("m", "log s²"), outputs, strict=True):
        _shape(f"the encoder's {name}", output, (_MANY, latents))
    # Large inputs give large outputs of both signs unless an activation limits them.
    for name, output in zip(
        ("m", "log s²"), encoder(_LARGE * rng.normal(size=x.shape).astype(np.float32)), strict=True
    ):
        _both_signs(f"the encoder's {name}", output)
    if np.array_equal(*map(np.asarray, outputs)):
        raise Wrong("m and log s² are equal. Use a separate layer for each")
    logits = decoder(_LARGE * rng.normal(size=[_MANY, latents]).astype(np.float32))
    _shape("the decoder's output", logits, (_MANY, pixels))
    logits = np.asarray(logits)
    if logits.min() >= 0 and logits.max() <= 1:
        raise Wrong("the decoder's outputs are in [0, 1]: expected logits, any real number. Remove the last sigmoid")
    _both_signs("the decoder's output", logits)
    _layers("encoder", encoder, [(pixels, _HIDDEN), (_HIDDEN, _HIDDEN), (_HIDDEN, latents), (_HIDDEN, latents)])
    _layers("decoder", decoder, [(latents, _HIDDEN), (_HIDDEN, _HIDDEN), (_HIDDEN, pixels)])
    return (
        f"x [n, {pixels}] → m, log s² [n, {latents}]; z [n, {latents}] → [n, {pixels}]; outputs can be any real number"
    )


def _shape(what: str, output: object, expected: tuple[int, int]) -> None:
    if np.shape(output) != expected:
        raise Wrong(f"wrong shape of {what} for {_MANY} examples: expected {expected}, received {np.shape(output)}")


def _both_signs(what: str, output: object) -> None:
    if np.min(output) >= 0:
        raise Wrong(f"{what} is never negative: expected any real number. Remove the last layer's activation")
    if np.max(np.abs(output)) <= 1:
        raise Wrong(f"{what} is always in [−1, 1]: expected any real number. Remove the last layer's activation")


def _layers(which: str, network: keras.Model, expected: list[tuple[int, int]]) -> None:
    layers = [layer for layer in network.layers if layer.weights]
    found = [tuple(layer.kernel.shape) if hasattr(layer, "kernel") else layer.name for layer in layers]
    if found != expected:
        raise Wrong(
            f"wrong layers in the {which}: expected kernels {expected}, received {found}. Use two hidden layers of "
            f"{_HIDDEN} units and one layer per output (do not split one, because the weights are copied later)"
        )
    if any(layer.activation is not keras.activations.relu for layer in layers[:2]):
        raise Wrong(f"wrong activation in a hidden layer of the {which}. Use ReLU")
