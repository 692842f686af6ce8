"""The golden list: compositions in which every part, and every reasonable pair of parts, appears.

`FACTORS` names what there is to choose. `COMPOSITIONS` is made of it by a greedy search, the same on every machine: it
holds each pair of choices that go together at least once. `CORE` is a part of it in which every choice appears.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import keras_vae as kv

LATENT = 3
CATEGORIES = (2, 3)
CLASSES = 4
PSEUDO_INPUTS = 4

families = kv.families

POSTERIORS: dict[str, Callable[[], families.Family]] = {
    "normal": lambda: families.Normal(LATENT),
    "full_normal": lambda: families.FullNormal(LATENT),
    "normal_mixture": lambda: families.NormalMixture(LATENT, components=2),
    "iaf": lambda: families.InverseAutoregressiveFlow(LATENT, flows=2, hidden=[8], context_size=4),
    "planar": lambda: families.PlanarFlow(LATENT, flows=2),
    "piecewise": lambda: families.PiecewiseConstant(LATENT, pieces=3),
    "one_hot": lambda: families.OneHotCategorical(CATEGORIES),
    "gumbel": lambda: families.GumbelSoftmax(CATEGORIES, temperature=kv.schedules.Exponential(1.0, 0.5, steps=100)),
    "bernoulli": lambda: families.Bernoulli(LATENT),
    "relaxed_bernoulli": lambda: families.RelaxedBernoulli(LATENT, temperature=0.7, straight_through=True),
    # Of each of two groups.
    "chain": lambda: families.Normal(LATENT),
}
_ELEMENTWISE = {"normal": "normal", "piecewise": "piecewise", "one_hot": "one_hot", "bernoulli": "bernoulli"}
_SPACE = {
    **dict.fromkeys(("normal", "full_normal", "normal_mixture", "iaf", "planar"), "normal"),
    "piecewise": "piecewise",
    "one_hot": "one_hot",
    "gumbel": "one_hot",
    "bernoulli": "bernoulli",
    "relaxed_bernoulli": "bernoulli",
    "chain": "chain",
}
# Each takes the posterior's name and the shape of x.
PRIORS: dict[str, Callable[[str, tuple[int, ...]], kv.priors.Prior]] = {
    "standard_normal": lambda posterior, x: kv.priors.StandardNormal(LATENT),
    "uniform": lambda posterior, x: kv.priors.Uniform(POSTERIORS[_SPACE[posterior]]()),
    "learned": lambda posterior, x: kv.priors.Learned(POSTERIORS[_SPACE[posterior]]()),
    "mixture": lambda posterior, x: kv.priors.Learned(POSTERIORS["normal_mixture"]()),
    "vamp": lambda posterior, x: kv.priors.VampPrior(POSTERIORS[posterior](), x, components=PSEUDO_INPUTS),
    "real_nvp": lambda posterior, x: kv.priors.RealNVP(LATENT, flows=2, hidden=[8]),
    "maf": lambda posterior, x: kv.priors.MaskedAutoregressiveFlow(LATENT, flows=2, hidden=[8]),
    "autoregressive": lambda posterior, x: kv.priors.Autoregressive(POSTERIORS[_SPACE[posterior]](), hidden=[8]),
    "conditional": lambda posterior, x: kv.ConditionalPrior(kv.networks.MLP([8]), POSTERIORS[_SPACE[posterior]]()),
    "chain": lambda posterior, x: kv.priors.Chain(
        {
            "z2": kv.priors.StandardNormal(LATENT),
            "z1": kv.Decoder(kv.networks.MLP([8]), families.Normal(LATENT)),
        }
    ),
}
LIKELIHOODS: dict[str, Callable[[tuple[int, ...]], families.Family]] = {
    "bernoulli": families.Bernoulli,
    "continuous_bernoulli": families.ContinuousBernoulli,
    "normal": families.Normal,
    "normal_fixed": lambda x: families.Normal(x, scale=0.5),
    "normal_learned": lambda x: families.Normal(x, scale="learned"),
    "normal_standardized": lambda x: families.Standardized(families.Normal(x), [[[0.5] * x[-1]]], [[[0.3] * x[-1]]]),
    "beta": families.Beta,
    "gray_levels": families.GrayLevels,
    "logistics": lambda x: families.DiscretizedLogisticMixture(x, components=2),
    "logistics_rgb": lambda x: families.DiscretizedLogisticMixture(x, components=2),
}
OBJECTIVES: dict[str, Callable[[], kv.objectives.Objective]] = {
    "elbo": lambda: kv.objectives.ELBO(),
    "elbo_5": lambda: kv.objectives.ELBO(5, beta=kv.schedules.Linear(0.5, 1.0, steps=10)),
    "free_bits": lambda: kv.objectives.ELBO(free_bits=0.02, beta=kv.schedules.Cyclical(0.5, 1.0, period=10)),
    "stl": lambda: kv.objectives.ELBO(estimator="sticking_the_landing"),
    "nvil": lambda: kv.objectives.ELBO(estimator=kv.estimators.NVIL(kv.networks.MLP([8]))),
    "leave_one_out": lambda: kv.objectives.ELBO(4, estimator="leave_one_out"),
    "iwae": lambda: kv.objectives.IWAE(3),
    "dreg": lambda: kv.objectives.IWAE(3, estimator="doubly_reparameterized"),
    "vimco": lambda: kv.objectives.IWAE(3, estimator="leave_one_out"),
    "beta_tc": lambda: kv.objectives.BetaTC(64, beta=2.0),
    "info_vae": lambda: kv.objectives.InfoVAE(alpha=0.5, lambda_=10.0),
}
NETWORKS = ("mlp", "conv")
CONDITIONS: dict[str, Callable[[], kv.conditions.Condition | None]] = {
    "none": lambda: None,
    "label": lambda: kv.conditions.Label(CLASSES),
    "vector": lambda: kv.conditions.Vector(2),
}
FACTORS: tuple[tuple[str, ...], ...] = (
    tuple(POSTERIORS),
    tuple(PRIORS),
    tuple(LIKELIHOODS),
    tuple(OBJECTIVES),
    NETWORKS,
    tuple(CONDITIONS),
)
_REAL_PRIORS = {"standard_normal", "mixture", "real_nvp", "maf"}
_SCORE = {"nvil", "leave_one_out", "vimco"}
_FACTORIZED_POSTERIORS = {"normal", "piecewise", "one_hot", "gumbel", "bernoulli", "relaxed_bernoulli"}
_FACTORIZED_PRIORS = {"standard_normal", "uniform", "learned", "conditional"}


@dataclass(frozen=True)
class Golden:
    """A composition, by the names of its parts."""

    posterior: str
    prior: str
    likelihood: str
    objective: str
    network: str
    condition: str

    @property
    def name(self) -> str:
        """The parts' names."""
        return "-".join(self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts' names, by factor."""
        return (self.posterior, self.prior, self.likelihood, self.objective, self.network, self.condition)

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of one x."""
        return (8, 8, 3) if self.likelihood == "logistics_rgb" else (8, 8, 1)

    def goes_together(self) -> bool:
        """Say whether the parts can be combined, by the rules that the constructor must keep."""
        real = _SPACE[self.posterior] == "normal"
        relaxed = self.posterior in ("gumbel", "relaxed_bernoulli")
        exact_discrete = self.posterior in ("one_hot", "bernoulli")
        # Along samples of a density that jumps only where the KL is in closed form.
        closed_form = self.objective in ("elbo", "elbo_5", "free_bits", "info_vae") and self.prior in _FACTORIZED_PRIORS
        factorized = self.posterior in _FACTORIZED_POSTERIORS and self.prior in _FACTORIZED_PRIORS
        return not (
            ((self.prior == "chain") != (self.posterior == "chain"))
            or (self.prior in _REAL_PRIORS and not real)
            or (self.prior == "uniform" and real)
            or (self.prior == "conditional" and self.condition == "none")
            or (exact_discrete and self.objective not in _SCORE)
            or (relaxed and self.objective not in ("elbo", "elbo_5", "free_bits"))
            or (self.posterior == "piecewise" and self.objective not in _SCORE and not closed_form)
            or (self.objective in ("free_bits", "beta_tc") and not factorized)
        )

    def build(self) -> kv.VAE:
        """Build the model."""
        conv = self.network == "conv"
        encoder = kv.networks.ConvEncoder([4, 8], units=16) if conv else kv.networks.MLP([16])
        decoder = kv.networks.ConvDecoder((8, 8), [8, 4], units=16) if conv else kv.networks.MLP([16])
        first = kv.Encoder(encoder, POSTERIORS[self.posterior]())
        second = kv.Encoder(kv.networks.MLP([8]), POSTERIORS[self.posterior]())
        return kv.VAE(
            encoder=kv.ChainEncoder({"z1": first, "z2": second}) if self.posterior == "chain" else first,
            decoder=kv.Decoder(decoder, LIKELIHOODS[self.likelihood](self.image)),
            prior=PRIORS[self.prior](self.posterior, self.image),
            objective=OBJECTIVES[self.objective](),
            condition=CONDITIONS[self.condition](),
            seed=1,
        )

    def data(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Make x in the likelihood's support of binary images, and y, or None."""
        x = np.repeat(images, self.image[2], axis=-1)
        if self.likelihood != "bernoulli":
            x = (np.float32(25) + np.float32(204) * x) / np.float32(255)
        y = {
            "none": None,
            "label": np.arange(len(x)) % CLASSES,
            "vector": np.stack([np.linspace(-1, 1, len(x)), np.linspace(1, 0, len(x))], axis=1).astype(np.float32),
        }
        return x, y[self.condition]


def _search(possible: list[Golden], covers: Callable[[tuple[str, ...]], set[Any]]) -> list[Golden]:
    """Pick, again and again, the composition that covers the most of what is not covered yet."""
    covered = [covers(g.parts) for g in possible]
    missing: set[Any] = set().union(*covered)
    chosen = []
    while missing:
        gains = [len(c & missing) for c in covered]
        best = int(np.argmax(gains))
        chosen.append(possible[best])
        missing -= covered[best]
        keep = [i for i, gain in enumerate(gains) if gain > 0]
        possible, covered = [possible[i] for i in keep], [covered[i] for i in keep]
    return chosen


_POSSIBLE = [g for g in (Golden(*parts) for parts in itertools.product(*FACTORS)) if g.goes_together()]
COMPOSITIONS: dict[str, Golden] = {
    g.name: g for g in _search(_POSSIBLE, lambda parts: set(itertools.combinations(enumerate(parts), 2)))
}
CORE: list[str] = [g.name for g in _search(list(COMPOSITIONS.values()), lambda parts: set(enumerate(parts)))]
