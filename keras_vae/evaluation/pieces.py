"""How much may go through the networks at once."""

import math

from keras_vae.vae import VAE

# Enough rows for full-speed matrix products; few enough for the inner maps of convolutions.
_ROWS = 4096
# The likelihood's parameters in one piece, for families with many: 16 MB a tensor.
_VALUES = 2**22


def rows_at_once(model: VAE) -> int:
    """Return how many latents may be decoded in one piece, at least one.

    Example:
        >>> import keras_vae as kv
        >>> rows_at_once(kv.models.vae((28, 28, 1), latent_size=2, hidden=[8]))
        4096
    """
    return max(1, min(_ROWS, _VALUES // math.prod(model.decoder.family.parameters_shape)))
