"""`keras-vae evaluate`."""

import datetime
import functools
import json
import math
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_vae import data
from keras_vae.cli.errors import UsageError
from keras_vae.cli.evaluate_report import Material, sections
from keras_vae.cli.options import Evaluate
from keras_vae.cli.stored_models import likelihood_of, load
from keras_vae.data.examples import Examples
from keras_vae.evaluation import LogLikelihood, log_likelihood, report
from keras_vae.evaluation.result import plain
from keras_vae.training import RunConfig
from keras_vae.utils.arguments import counted
from keras_vae.utils.files import whole
from keras_vae.vae import VAE


def run(path: str, options: Evaluate) -> None:
    """Print the bound, its parts and the log-likelihood; with `--report`, most measures too, as a page."""
    model, config = load(path)
    name = options.data or (config.data if config else "mnist_5k")
    image_size = config.image_size if config else None
    try:
        test = data.read(name, options.split, image_size=image_size, data_dir=options.data_dir)
    except data.UnknownSplitError as error:
        raise UsageError(f"--split: {error}") from error

    def batches(examples: Examples, with_labels: bool) -> tf.data.Dataset:
        return data.load(
            examples,
            # The noise of static binarization depends on the split: that of the training set is that of training.
            "train" if options.split == "train" else "test",
            batch_size=config.batch_size if config else 100,
            likelihood=likelihood_of(model),
            preprocess=options.preprocess or (config.preprocess if config else None),
            with_labels=with_labels,
            seed=options.seed,
            shuffle=False,
        )

    examples = batches(test, model.condition is not None)
    terms = model.evaluate(examples, verbose=0, return_dict=True)
    estimate = log_likelihood(model, examples, num_samples=options.num_samples, seed=options.seed)
    _print(options.split, terms, estimate)
    if options.json:
        with whole(options.json) as unfinished:
            figures = plain(_figures(terms, estimate))
            unfinished.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")
    if options.report:
        train = _training(functools.partial(data.read, name, image_size=image_size, data_dir=options.data_dir), options)
        facts = _facts(path, model, config, options, str(name))
        page = report.Page(options.report, f"{Path(path).name} on {test.name}", facts)
        page.add(report.section(estimate))
        for part in sections(Material(model, train, test, batches, options.seed)):
            page.add(part)
        page.finish()
        print(f"\n{options.report}")


def _training(read: Callable[[str], Examples], options: Evaluate) -> Examples | str:
    """Return the training examples, or the reason why the measures have none to learn from."""
    if {part.split("[")[0].strip() for part in options.split.split("+")} & {"train", "all"}:
        return f"the split {options.split!r} itself consists of training examples, or contains some"
    try:
        return read("train")
    except (ValueError, FileNotFoundError):
        return "this data has no split 'train'"


def _print(split: str, terms: dict[str, float], estimate: LogLikelihood) -> None:
    print(f"{split}, {counted(len(estimate.per_example), 'example')}, nats per example")
    whole_elbo = math.isclose(terms["bound"], terms["reconstruction"] - terms["kl"], rel_tol=1e-4)
    print(f"  bound            {terms['bound']:9.2f}{'  = reconstruction − KL' if whole_elbo else ''}")
    print(f"  reconstruction   {terms['reconstruction']:9.2f}")
    print(f"  KL               {terms['kl']:9.2f}")
    for name, value in terms.items():
        if name.startswith("kl/"):
            print(f"    of {name.removeprefix('kl/'):<12}  {value:9.2f}")
    over_seeds = "unknown" if math.isnan(estimate.sampling_error) else f"{estimate.sampling_error:.3f}"
    print(
        f"  log-likelihood   {estimate.mean:9.2f} ± {estimate.standard_error:.2f} over examples, ± {over_seeds} over "
        f"seeds  ({counted(estimate.num_samples, 'importance sample')})"
    )
    for warning in estimate.warnings():
        print(f"  warning: {warning}")


def _figures(terms: dict[str, float], estimate: LogLikelihood) -> dict[str, Any]:
    return {
        "bound": terms["bound"],
        "reconstruction": terms["reconstruction"],
        **{name: value for name, value in terms.items() if name == "kl" or name.startswith("kl/")},
        "log_likelihood": estimate.mean,
        "log_likelihood_standard_error": estimate.standard_error,
        "log_likelihood_sampling_error": estimate.sampling_error,
        "lower_bound_only": estimate.lower_bound_only,
        "fewest_effective_samples": float(estimate.effective_samples.min()),
        "num_samples": estimate.num_samples,
        "examples": len(estimate.per_example),
    }


def _by_group(values: Mapping[str, Any]) -> str:
    """Return the only value, or each with the name of its group of latents."""
    if len(values) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{name}: {value}" for name, value in values.items())


def _facts(path: str, model: VAE, config: RunConfig | None, options: Evaluate, name: str) -> list[tuple[str, str]]:
    return [
        ("model", path),
        ("likelihood", type(model.decoder.family).__name__),
        ("posterior", _by_group({name: type(family).__name__ for name, family in model.encoder.families.items()})),
        ("prior", type(model.prior).__name__),
        ("objective", type(model.objective).__name__),
        ("latents", _by_group(model.latents.shapes)),
        ("weights", f"{model.count_params():,}"),
        ("data", name),
        ("split", options.split),
        ("preprocessing", str(options.preprocess or (config.preprocess if config else None) or "by the likelihood")),
        ("seed", str(options.seed)),
        ("made", f"{datetime.date.today()}, keras_vae {metadata.version('keras_vae')}"),
    ]
