"""How well a model's latents match known factors, by all metrics of disentanglement."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_vae.checks import seed_number
from keras_vae.data.unopened import unopened
from keras_vae.evaluation import disentanglement_metrics as of
from keras_vae.evaluation.codes import codes as encoded
from keras_vae.evaluation.disentanglement_metrics.inputs import checked
from keras_vae.evaluation.disentanglement_metrics.mutual_information import entropies, of_counts
from keras_vae.evaluation.disentanglement_result import Disentanglement
from keras_vae.families.support import ONE_HOT
from keras_vae.names import lookup
from keras_vae.vae import VAE

_MEASURE = "disentanglement"


@dataclass(frozen=True, eq=False)
class _Rows:
    """What a metric is given: codes, factors, columns without an order, and the seed of all draws."""

    codes: np.ndarray
    factors: np.ndarray
    categorical: Sequence[int]
    seed: int


_METRICS: dict[str, Callable[[_Rows], Any]] = {
    "beta_vae": lambda rows: of.beta_vae(rows.codes, rows.factors, seed=rows.seed),
    "factor_vae": lambda rows: of.factor_vae(rows.codes, rows.factors, seed=rows.seed),
    "mig": lambda rows: of.mig(rows.codes, rows.factors),
    "sap": lambda rows: of.sap(rows.codes, rows.factors, rows.categorical),
    "dci": lambda rows: of.dci(rows.codes, rows.factors, seed=rows.seed),
    "modularity": lambda rows: of.modularity(rows.codes, rows.factors),
}
METRICS = tuple(_METRICS)


def disentanglement(
    model: VAE,
    data: Any,
    metrics: Collection[str] = METRICS,
    *,
    names: Sequence[str] | None = None,
    categorical: Collection[str] | None = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> Disentanglement:
    """Measure how well the posterior's means match known factors, one latent a factor.

    Beside each score stands what the metric gives if the rows of the factors are shuffled, so that the codes know
    nothing of them: the metrics do not all begin at 0. Take the whole grid of factors where there is one
    (`data.load("shapes", "all", with_labels=True)`), since the metrics take the factors to be independent; and
    compare models by several seeds each, which matter as much as the objective (Locatello et al., "Challenging common
    assumptions in the unsupervised learning of disentangled representations", 2019).

    Args:
        model: A trained VAE.
        data: Arrays (x, factors) or a batched `tf.data.Dataset` of them; factors `[n, k]` integers, two or more.
        metrics: Which of "beta_vae", "factor_vae", "mig", "sap", "dci" and "modularity"; each is a function of codes
            and factors in `keras_vae.evaluation.disentanglement_metrics`.
        names: Of the factors; by default those of a dataset of `data.load`, or else their numbers.
        categorical: Names of the factors whose values have no order, for SAP; by default what a dataset of
            `data.load` knows, or else none.
        batch_size: For arrays; a dataset keeps its own.
        seed: Of everything that the metrics draw.
        verbose: Whether to show progress bars.

    Raises:
        ValueError: If the latents are categories, a metric or a name is unknown, names are not as many as factors, a
            factor has one value only, or the data is refused as in `VAE.fit`.

    Example:
        >>> import keras_vae as kv
        >>> factors = np.indices([3, 3]).reshape(2, -1).T.repeat(3, axis=0)
        >>> vae = kv.models.vae((2,), latent_size=2, hidden=[8], likelihood="normal")
        >>> found = disentanglement(vae, (factors.astype("float32"), factors), ["mig"], verbose=False)
        >>> list(found.scores), found.factors
        (['mig'], ('0', '1'))
    """
    for metric in metrics:
        lookup(metric, _METRICS, "metric")
    seed = seed_number(seed, _MEASURE)
    if model.prior.support is ONE_HOT:
        raise ValueError(
            f"{_MEASURE}: the metrics compare latents that are numbers, and those of "
            f"{type(model.encoder.family).__name__} are categories; wanted real, binary or [0, 1] latents"
        )
    found = encoded(model, data, measure=_MEASURE, batch_size=batch_size, labels=True, verbose=verbose)
    codes, factors = checked(found.means, found.labels, _MEASURE)
    known = getattr(unopened(data), "factors", ())
    if names is None:
        names = [factor.name for factor in known] or [str(i) for i in range(factors.shape[1])]
    if len(names) != factors.shape[1] or len(set(names)) != len(names):
        raise ValueError(
            f"{_MEASURE}: names={list(names)}; wanted {factors.shape[1]} different names, one for each factor"
        )
    if categorical is None:
        categorical = [name for name, factor in zip(names, known, strict=False) if not factor.ordered]
    columns = {name: i for i, name in enumerate(names)}
    without_order = [lookup(name, columns, "factor") for name in categorical]

    shuffled = factors[np.random.default_rng(seed).permutation(len(factors))]
    scores: dict[str, float] = {}
    by_chance: dict[str, float] = {}
    importance = None
    for metric in tqdm(metrics, desc=_MEASURE, unit="metric", disable=not verbose):
        score = _METRICS[metric](_Rows(codes, factors, without_order, seed))
        importance = score.importance if isinstance(score, of.DCI) else importance
        scores |= _named(metric, score)
        by_chance |= _named(metric, _METRICS[metric](_Rows(codes, shuffled, without_order, seed)))
    return Disentanglement(
        scores=scores,
        by_chance=by_chance,
        factors=tuple(names),
        examples=len(codes),
        information=of.mutual_information(codes, factors),
        entropies=entropies(factors),
        between_factors=of_counts(factors, factors),
        importance=importance,
    )


def _named(metric: str, score: Any) -> dict[str, float]:
    if not isinstance(score, of.DCI):
        return {metric: score}
    parts = ("disentanglement", "completeness", "informativeness")
    return {f"{metric}_{part}": getattr(score, part) for part in parts}
