"""`keras-vae train`."""

import sys
from argparse import Namespace

from keras_vae.catalogue import CATALOGUE, OWN_LIKELIHOOD
from keras_vae.names import lookup
from keras_vae.training import Run, RunConfig, read_history


def run(options: Namespace) -> None:
    """Train, and say what came of it."""
    lookup(options.model, CATALOGUE, "model")
    config = RunConfig(
        data=options.data,
        model=options.model,
        likelihood=options.likelihood or OWN_LIKELIHOOD.get(options.model, "bernoulli"),
        preprocess=options.preprocess,
        image_size=options.image_size and tuple(options.image_size),
        network=options.network or "mlp",
        hidden=options.hidden and tuple(options.hidden),
        latent_size=options.latent,
        scale=options.scale,
        num_samples=options.samples,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        precision=options.precision,
        seed=options.seed,
    )
    directory = Run(options.run)
    try:
        directory.train(config, options.epochs, options.data_dir)
    except KeyboardInterrupt:
        if directory.model_path.exists():
            print(f"\nStopped. {directory.model_path} can be used; the same command resumes.", file=sys.stderr)
        raise
    history = read_history(directory.history_path)
    if history:
        last = history[-1]
        figure = f"test bound {last['val_bound']:.2f} nats per example after {last['epoch']} epochs"
        print(f"{directory.model_path}: {figure}")
    print(f"next: keras-vae evaluate {directory.directory}")
