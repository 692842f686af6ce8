"""What a client's calls return."""

from typing import NamedTuple

import numpy as np


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
