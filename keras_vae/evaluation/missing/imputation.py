"""Imputation: how well the model fills in hidden values of complete examples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.batches import through
from keras_vae.evaluation.missing.hidden_pixels import masks
from keras_vae.evaluation.missing.imputation_chains import chains_of
from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import Plot, labeled_grid, number
from keras_vae.utils.arguments import seed_number
from keras_vae.vae import VAE

# With fewer accepted proposals in the second half, a chain still depends on its start.
_FEW_MOVES = 5
_HIDDEN_COLOR = (0.95, 0.75, 0.35)
_SHOWN = 10
_POINTS = 5000


@dataclass(frozen=True, eq=False)
class Imputation(Result):
    """Hidden values filled in by the model, and the true ones.

    Attributes:
        method: "metropolis" or "gibbs".
        num_steps: Steps per chain.
        binary: Whether x is 0 or 1.
        x: The data, `[n, *event]`.
        hidden: True where hidden, the same shape.
        means: x with E[x_hidden|x_observed] at the hidden positions, the same shape.
        baseline: The baseline for comparison, `[*event]`.
        acceptance: Share of accepted proposals, `[n]`; 1 for "gibbs".
        nats: −Σ log p(x_part|x_observed) over the hidden parts of each example, `[n]`, each part by itself.
        hidden_parts: Number of hidden parts, `[n]`: values, or pixels where the channels belong together.
    """

    title: ClassVar[str] = "Imputation of hidden values"

    method: str
    num_steps: int
    binary: bool
    x: np.ndarray = field(metadata={"json": False})
    hidden: np.ndarray = field(metadata={"json": False})
    means: np.ndarray = field(metadata={"json": False})
    baseline: np.ndarray
    acceptance: np.ndarray
    nats: np.ndarray
    hidden_parts: np.ndarray

    @property
    def rmse(self) -> float:
        """Root mean squared error of the imputed means over all hidden values."""
        return self._figures()["root mean squared error"][0][0]

    @property
    def baseline_rmse(self) -> float:
        """The error of the baseline."""
        return self._figures()["root mean squared error"][1][0]

    @property
    def nats_per_part(self) -> float:
        """Mean −log p(x_part|x_observed) over the hidden parts."""
        return _ratio(self.nats, self.hidden_parts)[0]

    def table(self) -> Sequence[Row]:
        """Return errors at the hidden values, of the model and the baseline, with standard errors over examples."""
        rows = [
            (name, *(" ± ".join(number(part, ".4f") for part in pair) for pair in pairs))
            for name, pairs in self._figures().items()
        ]
        return [
            ("", "model", "baseline"),
            *rows,
            ("hidden share", f"{self.hidden.mean():.1%}"),
            ("accepted proposals", f"{self.acceptance.mean():.1%}"),
        ]

    def _figures(self) -> dict[str, list[tuple[float, float]]]:
        """Return each figure with its standard error, for the model and, where there is one, for the baseline."""
        counts = self._sum(np.ones_like(self.means))
        both = (self.means, np.broadcast_to(self.baseline, self.x.shape))
        squared = [_ratio(self._sum((guess - self.x) ** 2), counts) for guess in both]
        roots = [(math.sqrt(mean), error / (2 * math.sqrt(mean)) if mean > 0 else 0.0) for mean, error in squared]
        found = {"root mean squared error": roots}
        nats = [_ratio(self.nats, self.hidden_parts)]
        if self.binary:
            found["accuracy"] = [_ratio(self._sum((guess > 0.5) == (self.x > 0.5)), counts) for guess in both]
            # Never certain: a pixel that was black in n examples can be white in the next.
            lit = (len(self.x) * both[1] + 0.5) / (len(self.x) + 1)
            nats.append(_ratio(self._sum(-np.log(np.where(self.x > 0.5, lit, 1 - lit))), counts))
        found["nats per hidden " + ("value" if self.hidden_parts.sum() == self.hidden.sum() else "pixel")] = nats
        return found

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Return sums over each example's hidden values, `[n]`."""
        return np.where(self.hidden, values, 0.0).reshape(len(self.x), -1).sum(axis=1, dtype=np.float64)

    def warnings(self) -> Sequence[str]:
        """Warn where the imputed values may not follow the model."""
        found = []
        if len(self.x) == 1 and np.array_equal(self.baseline, self.x[0]):
            found.append("the baseline is the single example itself: pass baseline=, or more examples")
        if self.method == "gibbs":
            found.append(
                "pseudo-Gibbs is only right if q(z|x) is the exact posterior; method='metropolis' corrects for it"
            )
            return found
        few = int(np.sum(self.acceptance * (self.num_steps - self.num_steps // 2) < _FEW_MOVES))
        if few:
            found.append(
                f"for {few} of {len(self.x)} examples the second half of a chain accepted fewer than {_FEW_MOVES} "
                "proposals on average, so the result still depends on its start: use more steps"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results without the images, and the figures with their standard errors."""
        figures = {
            name: [[part if math.isfinite(part) else None for part in pair] for pair in pairs]
            for name, pairs in self._figures().items()
        }
        return {**super().to_dict(), "figures": figures, "hidden_share": float(self.hidden.mean())}

    def figure(self) -> Figure:
        """Draw images, their visible parts, and the imputed images; for other data, imputed against true values."""
        if self.x.ndim == 4 and self.x.shape[-1] in (1, 3):
            return self._images()
        chosen = np.flatnonzero(self.hidden)
        chosen = np.random.default_rng(0).permutation(chosen)[:_POINTS]
        true, guess = self.x.ravel()[chosen], self.means.ravel()[chosen]
        figure = Plot(figsize=(4, 4), layout="constrained")
        axis = figure.subplots()
        axis.scatter(true, guess, s=8, alpha=0.5, linewidths=0)
        axis.axline((float(true.mean()),) * 2, slope=1, color="0.3", linewidth=0.8)
        axis.set_xlabel("hidden value")
        axis.set_ylabel("imputed mean")
        return figure

    def _images(self) -> Figure:
        low, high = min(0.0, float(self.x.min())), max(1.0, float(self.x.max()))
        data, imputed = (
            np.repeat((images[:_SHOWN] - low) / (high - low), 3 // images.shape[-1], axis=-1)
            for images in (self.x, self.means)
        )
        hidden = self.hidden[:_SHOWN].any(axis=-1, keepdims=True)
        visible = np.where(hidden, np.array(_HIDDEN_COLOR), data)
        return labeled_grid(np.stack([data, visible, imputed]), ("data", "visible", "imputed"))[0]


def _ratio(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return Σ sums / Σ counts and its standard error over examples; NaN for one example.

    Example:
        >>> _ratio(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
        (2.0, 1.0)
    """
    ratio = float(np.sum(sums) / np.sum(counts))
    n = len(sums)
    if n < 2:
        return ratio, math.nan
    deviations = sums - ratio * counts
    return ratio, float(math.sqrt(n / (n - 1) * np.sum(deviations**2)) / np.sum(counts))


def imputation(
    model: VAE,
    data: Any,
    *,
    hidden: Any = "pixels",
    share: float = 0.5,
    method: str = "metropolis",
    num_chains: int = 10,
    num_steps: int = 100,
    baseline: Any = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> Imputation:
    """Hide pixels of complete examples, fill them in by the model, and compare.

    For each example, chains start from a sample of the model at the hidden positions and draw in turn
    z ~ q(z|x_observed, x_hidden) and x_hidden ~ p(x_hidden|z).

    - "gibbs" is the pseudo-Gibbs sampler of Rezende, Mohamed & Wierstra (2014, appendix F): its stationary distribution
      is p(x_hidden|x_observed) only if q is the exact posterior.
    - "metropolis" uses q as a proposal, accepted with probability min(1, p(x, z')q(z|x) / p(x, z)q(z'|x))
      (Metropolis-within-Gibbs: Mattei & Frellsen 2018, section 3), after a first quarter of pseudo-Gibbs steps. It is
      exact in the limit of many steps for any q. For images it can accept only a few percent of the proposals, and then
      needs many steps: the result warns.

    The imputed value is the mean of E[x_hidden|z] over the second half of all chains, an estimate of
    E[x_hidden|x_observed].

    Args:
        model: A trained VAE. Given z, hidden values must be independent of visible ones: this holds for pixels under
            any likelihood here, for whole pixels under `DiscretizedLogisticMixture`.
        data: As for `log_likelihood`: complete examples. For incomplete examples use `impute`.
        hidden: "pixels", each hidden at random; a side of the image, "left", "right", "top" or "bottom"; or booleans,
            `[n, *event]` or `[*event]`, True where hidden. Rules hide all channels of a pixel.
        share: Share of pixels, or of the width or height of the image, to hide; for rules.
        method: "metropolis" or "gibbs".
        num_chains: Independent chains per example.
        num_steps: Steps per chain; the second half counts.
        baseline: The baseline for comparison, `[*event]`, such as the mean of the training data; by default the mean of
            these examples including the hidden values, which is slightly better than any real baseline.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of random masks and of the chains.
        verbose: Whether to show a progress bar.

    Returns:
        Imputed means and their error at the hidden values, and the error of the baseline.

    Raises:
        ValueError: If an argument is invalid, the likelihood does not factorize, or `VAE.fit` would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4, 4, 1), latent_size=2, hidden=[8])
        >>> x = np.zeros([10, 4, 4, 1], "float32")
        >>> found = imputation(vae, x, hidden="top", num_chains=2, num_steps=4, verbose=False)
        >>> found.means.shape, int(found.hidden.sum())
        ((10, 4, 4, 1), 80)
    """
    seed = seed_number(seed, "imputation")
    joint = model.observed_family.joint_axes()
    masks_of = masks(hidden, share=share, event_shape=model.event_shape, joint=joint, seed=seed)
    chains = chains_of(model, method, num_chains=num_chains, num_steps=num_steps, seed=seed, log_predictive=True)
    given = None if baseline is None else np.asarray(baseline, np.float64)
    if given is not None and given.shape != model.event_shape:
        raise ValueError(
            f"imputation: baseline has the wrong shape: expected {model.event_shape}, received {given.shape}"
        )
    found, start = [], 0
    for batch in through(model, data, measure="imputation", batch_size=batch_size, verbose=verbose):
        mask = masks_of(batch.number, start, len(batch.x))
        of_batch = chains(batch, mask)
        size = len(mask)
        # One of the values that belong together stands for all.
        parts = mask.reshape(size, -1, math.prod(model.event_shape[len(model.event_shape) - joint :]))[..., 0]
        nats = np.where(parts, -of_batch.log_predictive.reshape(size, -1), 0.0).sum(axis=1, dtype=np.float64)
        found.append((batch.x.numpy(), mask, of_batch.means, of_batch.acceptance, nats, parts.sum(axis=1)))
        start += size
    x, mask, means, acceptance, nats, hidden_parts = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    if not mask.any():
        raise ValueError(
            f"imputation: nothing is hidden in {len(x)} examples: expected a larger share, received {share}"
        )
    given_masks = None if isinstance(hidden, str) else np.asarray(hidden)
    if given_masks is not None and given_masks.ndim == x.ndim and len(given_masks) != len(x):
        raise ValueError(
            f"imputation: masks and examples differ in number: expected {len(x)} masks, received {len(given_masks)}"
        )
    return Imputation(
        method=method,
        num_steps=num_steps,
        binary=model.observed_family.support.binary,
        x=x,
        hidden=mask,
        means=means,
        baseline=x.mean(axis=0, dtype=np.float64) if given is None else given,
        acceptance=acceptance,
        nats=nats,
        hidden_parts=hidden_parts,
    )
