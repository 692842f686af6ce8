"""`keras-vae evaluate`."""

import json
import math
from argparse import Namespace

from keras_vae import data
from keras_vae.commands import stored
from keras_vae.evaluation import log_likelihood
from keras_vae.files import whole


def run(options: Namespace) -> None:
    """Print the bound, its parts and the log-likelihood."""
    model, config = stored.load(options.model)
    examples = data.load(
        options.data or (config.data if config else "mnist_5k"),
        options.split,
        batch_size=config.batch_size if config else 100,
        likelihood=stored.likelihood_name(model),
        preprocess=options.preprocess or (config.preprocess if config else None),
        image_size=config.image_size if config else None,
        with_labels=model.condition is not None,
        seed=options.seed,
        data_dir=options.data_dir,
    )
    terms = model.evaluate(examples, verbose=0, return_dict=True)
    estimate = log_likelihood(model, examples, options.num_samples, seed=options.seed)
    figures = {
        "bound": terms["bound"],
        "reconstruction": terms["reconstruction"],
        "kl": terms["kl"],
        "log_likelihood": estimate.mean,
        "log_likelihood_standard_error": estimate.standard_error,
        "num_samples": estimate.num_samples,
        "examples": len(estimate.per_example),
    }
    print(f"{options.split}, {figures['examples']} examples, nats per example")
    whole_elbo = math.isclose(terms["bound"], terms["reconstruction"] - terms["kl"], rel_tol=1e-4)
    print(f"  bound            {terms['bound']:9.2f}{'  = reconstruction − KL' if whole_elbo else ''}")
    print(f"  reconstruction   {terms['reconstruction']:9.2f}")
    print(f"  KL               {terms['kl']:9.2f}")
    print(
        f"  log-likelihood   {estimate.mean:9.2f} ± {estimate.standard_error:.2f}  "
        f"({estimate.num_samples} importance samples)"
    )
    if options.json:
        with whole(options.json) as unfinished:
            unfinished.write_text(json.dumps(figures, indent=1) + "\n")
