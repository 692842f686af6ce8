"""The matrix products of the network 784-400-400-20-400-400-784, listed by hand: `[m, k] x [k, n]` each."""

from typing import NamedTuple

ENCODER = [(784, 400), (400, 400), (400, 2 * 20)]
DECODER = [(20, 400), (400, 400), (400, 784)]


class Product(NamedTuple):
    """One product; a transposed operand is stored transposed, as in the backward pass."""

    m: int
    k: int
    n: int
    transpose_left: bool = False
    transpose_right: bool = False

    @property
    def left(self) -> tuple[int, int]:
        """Stored shape of the left operand."""
        return (self.k, self.m) if self.transpose_left else (self.m, self.k)

    @property
    def right(self) -> tuple[int, int]:
        """Stored shape of the right operand."""
        return (self.n, self.k) if self.transpose_right else (self.k, self.n)


def training_step(batch: int) -> list[Product]:
    """Return the products of one step: forward, weight gradients, and input gradients except for the first layer."""
    layers = ENCODER + DECODER
    forward = [Product(batch, inputs, units) for inputs, units in layers]
    weights = [Product(inputs, batch, units, transpose_left=True) for inputs, units in layers]
    features = [Product(batch, units, inputs, transpose_right=True) for inputs, units in layers[1:]]
    return forward + weights + features


def decoder_pass(rows: int) -> list[Product]:
    """Return the products of the decoder for this many latents."""
    return [Product(rows, inputs, units) for inputs, units in DECODER]
