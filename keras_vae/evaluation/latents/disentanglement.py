"""Disentanglement: how well the latents of a model match known factors, by six metrics."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from keras_vae.data.packed_dataset import PackedDataset
from keras_vae.evaluation.latents import disentanglement_metrics as of
from keras_vae.evaluation.latents.codes import chosen, latent_names
from keras_vae.evaluation.latents.codes import codes as encoded
from keras_vae.evaluation.latents.disentanglement_metrics.information import BINS, entropies, of_counts
from keras_vae.evaluation.latents.disentanglement_metrics.inputs import checked
from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import Plot
from keras_vae.utils.arguments import lookup, seed_number
from keras_vae.utils.seeds import generator
from keras_vae.vae import VAE

# Share of a factor's entropy above which a bias of counts, or dependence on another factor, gives a warning.
_NOTABLE = 0.05
# With more latents, the cells have no numbers.
_WRITTEN = 24

_TITLES = {
    "beta_vae": "β-VAE metric",
    "factor_vae": "FactorVAE metric",
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "modularity": "modularity",
}


@dataclass(frozen=True, eq=False)
class Disentanglement(Result):
    """Disentanglement scores; the best is 1.

    Attributes:
        scores: Score by metric; DCI has three.
        by_chance: The same scores with the rows of the factors shuffled.
        factors: Names of the factors.
        examples: Number of rows.
        information: I(z; v) in nats, of codes cut into 20 bins, `[latents, k]`.
        entropies: H(v) in nats, `[k]`.
        between_factors: Mutual information of each pair of factors in nats, `[k, k]`.
        importance: Importance of each latent for each factor in DCI's forests, `[latents, k]`; None without DCI.
        latents: Names of the latents.
    """

    title: ClassVar[str] = "Disentanglement"

    scores: dict[str, float]
    by_chance: dict[str, float]
    factors: tuple[str, ...]
    examples: int
    information: np.ndarray
    entropies: np.ndarray
    between_factors: np.ndarray
    importance: np.ndarray | None
    latents: tuple[str, ...] = field(default=(), metadata={"json": False})

    def table(self) -> Sequence[Row]:
        """Return the scores, the scores by chance, and the latent that knows most about each factor."""
        scores = [(_TITLES[name], f"{score:.3f}", f"{self.by_chance[name]:.3f}") for name, score in self.scores.items()]
        return [("", "score", "by chance"), *scores, *self._places()]

    def _places(self) -> list[Row]:
        """Return the latent with most information about each factor, and its share of the entropy."""
        shares = self.information / self.entropies
        best = np.argmax(shares, axis=0)
        return [
            (f"most about {name}", self._named(latent), f"{shares[latent, i]:.0%}")
            for i, (name, latent) in enumerate(zip(self.factors, best, strict=True))
        ]

    def _named(self, latent: int) -> str:
        return self.latents[latent] if self.latents else f"z{latent}"

    def figure(self) -> Figure:
        """Draw what each latent knows about each factor: by mutual information and, with DCI, by its forests."""
        pictures = {"share of the factor's entropy": self.information / self.entropies}
        if self.importance is not None:
            pictures["importance in DCI's forests"] = self.importance
        latents, factors = self.information.shape
        width = max(2.8, 0.62 * factors + 0.8)
        figure = Plot(figsize=(width * len(pictures) + 0.8, max(2.6, min(9, 0.28 * latents + 1.4))))
        figure.set_layout_engine("constrained")
        axes = figure.subplots(1, len(pictures), squeeze=False, sharey=True)[0]
        for axis, (name, matrix) in zip(axes, pictures.items(), strict=True):
            image = self._draw(axis, matrix)
            axis.set_title(name, fontsize=9)
        axes[0].set_ylabel("latent")
        figure.colorbar(image, ax=axes, fraction=0.05)
        return figure

    def _draw(self, axis: Any, matrix: np.ndarray) -> Any:
        image = axis.imshow(matrix, vmin=0, vmax=1, cmap="Blues", aspect="auto", interpolation="nearest")
        latents, factors = matrix.shape
        axis.set_xticks(range(factors), self.factors, rotation=30 if factors > 3 else 0)
        every = -(-latents // 40)
        axis.set_yticks(range(0, latents, every), [self._named(i) for i in range(0, latents, every)], fontsize=8)
        if latents <= _WRITTEN:
            for (row, column), value in np.ndenumerate(matrix):
                color = "white" if value > 0.6 else "black"
                axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=color)
        return image

    def warnings(self) -> Sequence[str]:
        """Warn where counts are few, or factors are not independent."""
        found = []
        values = np.exp(self.entropies)  # number of equally frequent values with this entropy
        bias = (BINS - 1) * (values - 1) / (2 * self.examples) / self.entropies
        if np.max(bias) > _NOTABLE:
            worst = self.factors[int(np.argmax(bias))]
            found.append(
                f"{self.examples} examples are few for {BINS} bins: in MIG and modularity, the bias of the counts "
                f"alone can give a latent {np.max(bias):.0%} of the entropy of {worst}"
            )
        shared = self.between_factors / np.minimum(self.entropies[:, None], self.entropies)
        np.fill_diagonal(shared, 0.0)
        if np.max(shared) > _NOTABLE:
            one, other = np.unravel_index(np.argmax(shared), shared.shape)
            found.append(
                "the metrics assume independent factors, and those of this data are not: "
                f"{self.factors[one]} and {self.factors[other]} share {np.max(shared):.0%} of the smaller entropy"
            )
        return found


_MEASURE = "disentanglement"


@dataclass(frozen=True, eq=False)
class _Rows:
    """The inputs of a metric: codes, factors, columns without an order, and the seed."""

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
    *,
    metrics: Collection[str] = METRICS,
    names: Sequence[str] | None = None,
    categorical: Collection[str] | None = None,
    group: str | None = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> Disentanglement:
    """Measure how well the posterior means match known factors, one latent per factor.

    Next to each score is the score by chance, with the rows of the factors shuffled so that the codes know nothing
    about them: not every metric starts at 0. Use the whole grid of factors where there is one
    (`data.load("shapes", split="all", with_labels=True)`), since the metrics assume independent factors. Compare
    models over several seeds, which matter as much as the objective (Locatello et al., "Challenging common assumptions
    in the unsupervised learning of disentangled representations", 2019).

    Args:
        model: A trained VAE.
        data: Arrays (x, factors) or a batched `tf.data.Dataset` of them; factors `[n, k]` integers, two or more.
        metrics: Some of "beta_vae", "factor_vae", "mig", "sap", "dci" and "modularity"; each is a function of codes
            and factors in `keras_vae.evaluation.disentanglement_metrics`.
        names: Names of the factors; by default those of a dataset of `data.load`, otherwise their numbers.
        categorical: Names of the factors whose values have no order, for SAP; by default those that a dataset of
            `data.load` knows, otherwise none.
        group: The group of latents; by default the means of all groups, side by side.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of everything that the metrics draw.
        verbose: Whether to show progress bars.

    Returns:
        The scores, and what each latent knows about each factor.

    Raises:
        ValueError: If the latents are categorical, a group, a metric or a name is unknown, the number of names is
            wrong, a factor has only one value, or `VAE.fit` would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> factors = np.indices([3, 3]).reshape(2, -1).T.repeat(3, axis=0)
        >>> vae = kv.models.vae((2,), latent_size=2, hidden=[8], likelihood="normal")
        >>> found = disentanglement(vae, (factors.astype("float32"), factors), metrics=["mig"], verbose=False)
        >>> list(found.scores), found.factors
        (['mig'], ('0', '1'))
    """
    for metric in metrics:
        lookup(metric, _METRICS, "metric")
    seed = seed_number(seed, _MEASURE)
    groups = chosen(model, group, _MEASURE)
    for family in (model.encoder.families[name] for name in groups):
        if not family.support.elementwise:
            raise ValueError(
                f"{_MEASURE}: the metrics compare numbers: expected real, binary or [0, 1] latents, received the "
                f"categories of {type(family).__name__}"
            )
    found = encoded(model, data, group=group, measure=_MEASURE, batch_size=batch_size, labels=True, verbose=verbose)
    codes, factors = checked(found.means, found.labels, _MEASURE)
    known = data.factors if isinstance(data, PackedDataset) else ()
    if names is None:
        names = [factor.name for factor in known] or [str(i) for i in range(factors.shape[1])]
    if len(names) != factors.shape[1] or len(set(names)) != len(names):
        raise ValueError(
            f"{_MEASURE}: the names do not match the factors: expected {factors.shape[1]} different names, received "
            f"{list(names)}"
        )
    if categorical is None:
        categorical = [name for name, factor in zip(names, known, strict=False) if not factor.ordered]
    columns = {name: i for i, name in enumerate(names)}
    without_order = [lookup(name, columns, "factor") for name in categorical]

    shuffled = factors[generator(seed, "shuffled factors").permutation(len(factors))]
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
        latents=tuple(latent_names(model.latents, groups)) if model.latents.several else (),
    )


def _named(metric: str, score: Any) -> dict[str, float]:
    if not isinstance(score, of.DCI):
        return {metric: score}
    parts = ("disentanglement", "completeness", "informativeness")
    return {f"{metric}_{part}": getattr(score, part) for part in parts}
