"""The weights of a `keras_vae` model as plain arrays, for the other contestants."""

import os

import numpy as np

ENCODER, DECODER = "encoder", "decoder"


def export(model, path: str | os.PathLike[str]) -> None:
    """Write kernels `[inputs, units]` and biases of both networks as `encoder_0_kernel`, ...

    The last encoder layer outputs means, then log-variances; in keras_vae they are interleaved.
    """
    arrays = {}
    for name, conditional in ((ENCODER, model.encoder), (DECODER, model.decoder)):
        for number, layer in enumerate([*conditional.network.hidden, conditional.head]):
            kernel, bias = (np.asarray(w, np.float32) for w in (layer.kernel, layer.bias))
            if name == ENCODER and layer is conditional.head:
                kernel, bias = (np.concatenate([w[..., ::2], w[..., 1::2]], -1) for w in (kernel, bias))
            arrays[f"{name}_{number}_kernel"], arrays[f"{name}_{number}_bias"] = kernel, bias
    np.savez(path, **arrays)


def layers(path: str, network: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the (kernel, bias) of each layer of `"encoder"` or `"decoder"`."""
    with np.load(path) as arrays:
        count = sum(name.startswith(network) for name in arrays.files) // 2
        return [(arrays[f"{network}_{i}_kernel"], arrays[f"{network}_{i}_bias"]) for i in range(count)]
