"""The matrix products of the network 784-400-400-20-400-400-784, counted by hand: `[m, k] x [k, n]` each."""

from typing import NamedTuple

ENCODER = [(784, 400), (400, 400), (400, 2 * 20)]
DECODER = [(20, 400), (400, 400), (400, 784)]


class Product(NamedTuple):
    """One product; a transposed operand is stored the other way round, as it is in the backward pass."""

    m: int
    k: int
    n: int
    transpose_left: bool = False
    transpose_right: bool = False

    @property
    def left(self) -> tuple[int, int]:
        """The left operand's stored shape."""
        return (self.k, self.m) if self.transpose_left else (self.m, self.k)

    @property
    def right(self) -> tuple[int, int]:
        """The right operand's stored shape."""
        return (self.n, self.k) if self.transpose_right else (self.k, self.n)


def training_step(batch: int) -> list[Product]:
    """Return the products of one step: forward, weights' gradients, and inputs' gradients but the first layer's."""
    layers = ENCODER + DECODER
    forward = [Product(batch, inputs, units) for inputs, units in layers]
    weights = [Product(inputs, batch, units, transpose_left=True) for inputs, units in layers]
    features = [Product(batch, units, inputs, transpose_right=True) for inputs, units in layers[1:]]
    return forward + weights + features


def decoder_pass(rows: int) -> list[Product]:
    """Return the products of the decoder on this many latents."""
    return [Product(rows, inputs, units) for inputs, units in DECODER]
