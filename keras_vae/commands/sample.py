"""`keras-vae sample`."""

from argparse import Namespace

import numpy as np

from keras_vae.commands import conditioning, output, stored


def run(options: Namespace) -> None:
    """Generate in this process."""
    output.check(options.out)
    model, _ = stored.load(options.model)
    condition = conditioning.read(options, model.condition)
    output.write(options.out, np.asarray(model.sample(options.n, seed=options.seed, condition=condition)))
