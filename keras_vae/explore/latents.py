"""The latents as controls: what values each takes, its KL, and the order from the most to the least informative."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Real latents: this many standard deviations of the prior to each side, or as far as the codes go.
_REACH = 3.0
# Codes beyond these percentiles may lie outside.
_RARE = 1.0
# Draws of N(0, 1) have a mean and a standard deviation this close to 0 and 1; then these are used.
_NEAR = 0.2


@dataclass(frozen=True)
class Latent:
    """One latent that a control sets.

    Attributes:
        label: Such as z3, or z1[3] for one of several groups.
        group: The group it belongs to.
        start: Its first place among all latents side by side.
        size: How many places it has: the number of categories, otherwise 1.
        kind: "real", "unit" (from 0 to 1), "binary" or "category" (one-hot).
        low: The least value of its control.
        high: The largest.
        middle: Where it starts: the prior's mean, or its most probable category.
        kl: Mean KL from its posterior to its prior in nats; None if unknown.
        exact: Whether the KL is the model's own, not one computed from the encoder's mean and scale.
    """

    label: str
    group: str
    start: int
    size: int
    kind: str
    low: float
    high: float
    middle: float
    kl: float | None
    exact: bool

    def as_json(self) -> dict[str, Any]:
        """Return the attributes, without NaN."""
        return {**self.__dict__, "kl": None if self.kl is None or not math.isfinite(self.kl) else self.kl}


def kind_of(draws: np.ndarray) -> str:
    """Return the kind of a group's latents from draws of their prior, `[n, *latent]`.

    Example:
        >>> kind_of(np.eye(3)[None].repeat(4, 0)), kind_of(np.array([[0.0, 1.0]])), kind_of(np.array([[0.1, 0.5]]))
        ('category', 'binary', 'unit')
        >>> kind_of(np.array([[-0.1, 2.0]]))
        'real'
    """
    if np.all((draws == 0) | (draws == 1)):
        one_hot = draws.ndim > 2 and draws.shape[-1] > 1 and np.all(draws.sum(axis=-1) == 1)
        return "category" if one_hot else "binary"
    return "unit" if np.all((draws >= 0) & (draws <= 1)) else "real"


def describe(
    draws: Mapping[str, np.ndarray],
    means: Mapping[str, np.ndarray],
    scales: Mapping[str, np.ndarray],
    known: Mapping[str, np.ndarray | None],
) -> list[Latent]:
    """Return all latents, those with the largest KL first.

    Args:
        draws: Draws of the prior, `[n, *latent]` by group.
        means: Means of the posteriors of some x, `[m, *latent]` by group.
        scales: Their standard deviations.
        known: The KL of each latent, where the model knows it.
    """
    found: list[tuple[float, Latent]] = []
    offset = 0
    for group in sorted(draws):
        several = len(draws) > 1
        z, kind = draws[group], kind_of(draws[group])
        size = z.shape[-1] if kind == "category" else 1
        z, mean, scale = (_by_latent(values, size) for values in (z, means[group], scales[group]))
        exact = known.get(group)
        nats = _estimated(kind, z, mean, scale) if exact is None else np.reshape(exact, -1)
        spread = mean.var(axis=0).sum(axis=-1)
        for index in range(z.shape[1]):
            low, middle, high = _range(kind, z[:, index], mean[:, index])
            latent = Latent(
                label=f"{group}[{index}]" if several else f"z{index}",
                group=group,
                start=offset + index * size,
                size=size,
                kind=kind,
                low=low,
                high=high,
                middle=middle,
                kl=None if nats is None else float(nats[index]),
                exact=exact is not None,
            )
            # Those of unknown KL last, by how far their means vary.
            found.append((float(spread[index]), latent))
        offset += z.shape[1] * size
    ordered = sorted(found, key=lambda pair: (-math.inf if pair[1].kl is None else pair[1].kl, pair[0]), reverse=True)
    return [latent for _, latent in ordered]


def points(latents: list[Latent], flat: np.ndarray) -> np.ndarray:
    """Return means of posteriors as values that the latents take: the most probable category, 0 or 1.

    Args:
        latents: All latents.
        flat: `[n, size]`.
    """
    found = flat.copy()
    for latent in latents:
        part = slice(latent.start, latent.start + latent.size)
        if latent.kind == "category":
            found[:, part] = np.eye(latent.size, dtype=flat.dtype)[flat[:, part].argmax(axis=-1)]
        elif latent.kind == "binary":
            found[:, part] = np.round(flat[:, part])
    return found


def _by_latent(values: np.ndarray, size: int) -> np.ndarray:
    """Return `[n, latents, size]` in float64."""
    return values.reshape(len(values), -1, size).astype(np.float64)


def _range(kind: str, draws: np.ndarray, codes: np.ndarray) -> tuple[float, float, float]:
    """Return the least, the middle and the largest value of a latent's control.

    Args:
        kind: The kind of latent.
        draws: Draws of the prior, `[n, size]`.
        codes: Means of posteriors, `[m, size]`, which the prior may not cover.
    """
    if kind == "category":
        return 0.0, float(draws.mean(axis=0).argmax()), float(draws.shape[-1] - 1)
    if kind in ("binary", "unit"):
        return 0.0, float(np.round(draws.mean())) if kind == "binary" else 0.5, 1.0
    mean, deviation = _normal(draws[:, 0])
    low, high = mean - _REACH * deviation, mean + _REACH * deviation
    first, last = np.percentile(codes, [_RARE, 100 - _RARE])
    return round(min(low, first), 1), round(mean, 1), round(max(high, last), 1)


def _normal(draws: np.ndarray) -> tuple[float, float]:
    mean, deviation = float(draws.mean()), float(draws.std())
    standard = abs(mean) < _NEAR and abs(deviation - 1.0) < _NEAR
    return (0.0, 1.0) if standard else (mean, max(deviation, 0.1))


def _estimated(kind: str, draws: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """Return the KL of each latent, `[latents]`: of normals with the means and scales of posterior and prior.

    Of discrete latents, from the probabilities, which are the means. None for latents from 0 to 1.
    """
    if kind == "unit":
        return None
    if kind == "real":
        prior = np.array([_normal(each) for each in draws[:, :, 0].T])
        m, s = mean[..., 0], np.maximum(scale[..., 0], 1e-6)
        center, unit = prior[:, 0], prior[:, 1]
        nats = np.log(unit / s) + (s**2 + (m - center) ** 2) / (2 * unit**2) - 0.5
        return nats.mean(axis=0)
    rare = 0.5 / len(draws)
    p, prior = np.clip(mean, 1e-9, 1.0), np.clip(draws.mean(axis=0), rare, 1 - rare)
    if kind == "binary":
        q = np.clip(1 - mean, 1e-9, 1.0)
        return (p * np.log(p / prior) + q * np.log(q / (1 - prior)))[..., 0].mean(axis=0)
    return (p * np.log(p / prior)).sum(axis=-1).mean(axis=0)
