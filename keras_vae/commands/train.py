"""`keras-vae train`."""

import sys
from argparse import Namespace
from typing import Any

from keras_vae.models.catalog import CATALOG, OWN_LIKELIHOOD
from keras_vae.training import Run, RunConfig, read_history, strategy
from keras_vae.training.cluster import Cluster
from keras_vae.utils.arguments import lookup


def run(options: Namespace) -> None:
    """Train, and say what came of it."""
    lookup(options.model, CATALOG, "model")
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
        deterministic=options.deterministic,
    )
    directory = Run(options.run)
    devices = _strategy(options)
    try:
        directory.train(config, options.epochs, options.data_dir, devices)
    except KeyboardInterrupt:
        if directory.model_path.exists():
            print(f"\nStopped. {directory.model_path} can be used; the same command resumes.", file=sys.stderr)
        raise
    if not strategy.is_chief(devices):
        return
    history = read_history(directory.history_path)
    if history:
        last = history[-1]
        figure = f"test bound {last['val_bound']:.2f} nats per example after {last['epoch']} epochs"
        print(f"{directory.model_path}: {figure}")
    print(f"next: keras-vae evaluate {directory.directory}")


def _strategy(options: Namespace) -> Any:
    if (options.workers is None) != (options.worker_index is None):
        raise ValueError("--workers and --worker-index go together: give both, or neither and set TF_CONFIG")
    cluster = None if options.workers is None else Cluster.from_text(options.workers, options.worker_index)
    if cluster is not None and options.strategy not in ("auto", "multi-worker"):
        raise ValueError(f"--workers goes with --strategy multi-worker; received --strategy {options.strategy}")
    if options.tpu is not None and options.strategy not in ("auto", "tpu"):
        raise ValueError(f"--tpu goes with --strategy tpu; received --strategy {options.strategy}")
    return strategy.make(options.strategy, cluster=cluster, tpu=options.tpu)
