"""Models of the literature, each a choice of parts, one line per name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_vae import families, priors
from keras_vae.conditions import Label
from keras_vae.families import Family
from keras_vae.models.catalog import CATALOG, CONDITIONAL, OWN_LIKELIHOOD
from keras_vae.models.compose import vae
from keras_vae.networks import MLP
from keras_vae.objectives import ELBO, IWAE, BetaTC, InfoVAE
from keras_vae.priors.conditional import ConditionalPrior
from keras_vae.schedules import Cyclical, Exponential, Linear
from keras_vae.utils.arguments import as_shape, lookup, one_line, positive_integer
from keras_vae.vae import VAE

# Categories of each discrete latent, as in Jang, Gu & Poole (2017).
_CATEGORIES = 10
# Steps of warm-up and cooling: about 25 epochs of 4,000 examples, or two of MNIST, at batch 100.
_STEPS = 1_000
_PSEUDO_INPUTS = 500


@dataclass(frozen=True)
class Wanted:
    """The settings that a ready-made model may depend on.

    Attributes:
        event: Shape of one x.
        latents: The number of latents.
        samples: Samples per example, or None for the model's default.
        classes: The number of classes, or None.
        examples: Training examples as the model sees them, `[n, *event]`, or None.
    """

    event: tuple[int, ...]
    latents: int
    samples: int | None
    classes: int | None
    examples: np.ndarray | None

    @property
    def normal(self) -> families.Normal:
        """The usual posterior."""
        return families.Normal(self.latents)

    @property
    def one_hot(self) -> families.OneHotCategorical:
        """Categorical latents."""
        return families.OneHotCategorical((self.latents, _CATEGORIES))

    @property
    def label(self) -> Label:
        """The condition of a model conditional on its class.

        Raises:
            ValueError: If the number of classes is not known.
        """
        if self.classes is None:
            raise ValueError(
                "classes: expected a number for a conditional model, received none. Pass classes=10, or labeled data"
            )
        return Label(self.classes)

    @property
    def size(self) -> int:
        """Number of training examples.

        Raises:
            ValueError: If there are no examples.
        """
        if self.examples is None:
            raise ValueError(
                "examples: expected training examples for this model, received none. Pass examples=x_train"
            )
        return len(self.examples)

    def one_sample(self, name: str) -> None:
        """Reject any number of samples but one.

        Raises:
            ValueError: If another number is set.
        """
        if self.samples not in (None, 1):
            raise ValueError(
                f"{name}: expected num_samples=1, which this model requires, received {self.samples}. Leave it out"
            )

    def k(self, default: int) -> int:
        """Number of samples."""
        return default if self.samples is None else self.samples

    def elbo(self, default: int = 1, **others: Any) -> ELBO:
        """The ELBO with the number of samples asked for."""
        return ELBO(self.k(default), **others)


Parts = dict[str, Any]


@dataclass(frozen=True)
class ReadyMade:
    """A model of the literature.

    Attributes:
        paper: Authors and year.
        sentence: A description in one phrase.
        parts: The function from `Wanted` to the arguments of `keras_vae.models.vae`.
        conditional: Whether it depends on y.
    """

    paper: str
    sentence: str
    parts: Callable[[Wanted], Parts] = field(repr=False)
    conditional: bool = False


def _vamp(w: Wanted) -> Parts:
    components = min(_PSEUDO_INPUTS, w.size)
    chosen = np.random.default_rng(0).choice(w.size, components, replace=False)
    assert w.examples is not None, "size has been asked"
    initial = w.examples[np.sort(chosen)]
    bounded = bool(initial.min() >= 0 and initial.max() <= 1)
    return {"prior": priors.VampPrior(w.normal, w.event, components, bounded=bounded, initial=initial)}


def _beta_tc(w: Wanted) -> Parts:
    w.one_sample("beta-tc-vae")
    return {"objective": BetaTC(w.size)}


def _info(w: Wanted, alpha: float) -> Parts:
    w.one_sample("info-vae and mmd-vae")
    return {"objective": InfoVAE(alpha=alpha)}


def _discrete(w: Wanted, objective: Any) -> Parts:
    return {"posterior": w.one_hot, "prior": priors.Uniform(w.one_hot), "objective": objective}


def _gumbel(w: Wanted, straight_through: bool = False) -> Parts:
    posterior = families.GumbelSoftmax(
        w.one_hot.event_shape,
        temperature=Exponential(1.0, 0.5, steps=10 * _STEPS),
        straight_through=straight_through,
    )
    return {"posterior": posterior, "prior": priors.Uniform(w.one_hot), "objective": w.elbo()}


def _autoregressive(w: Wanted) -> Parts:
    # Without warm-up the prior learns faster than the decoder, and the posterior collapses onto it.
    warm_up = w.elbo(beta=Linear(0.0, 1.0, steps=_STEPS))
    return {**_gumbel(w), "prior": priors.Autoregressive(w.one_hot), "objective": warm_up}


def _relaxed_bernoulli(w: Wanted) -> Parts:
    bits = _CATEGORIES * w.latents
    posterior = families.RelaxedBernoulli(bits, temperature=Exponential(1.0, 0.5, steps=10 * _STEPS))
    return {"posterior": posterior, "prior": priors.Uniform(families.Bernoulli(bits)), "objective": w.elbo()}


def _piecewise(w: Wanted) -> Parts:
    family = families.PiecewiseConstant(w.latents)
    return {"posterior": family, "prior": priors.Learned(families.PiecewiseConstant(w.latents)), "objective": w.elbo()}


def _likelihood(name: str) -> Parts:
    return {"likelihood": OWN_LIKELIHOOD[name]}


_PARTS: dict[str, Callable[[Wanted], Parts]] = {
    "vae": lambda w: {"objective": w.elbo()},
    "continuous-bernoulli": lambda w: {"objective": w.elbo(), **_likelihood("continuous-bernoulli")},
    "beta-vae": lambda w: {"objective": w.elbo(beta=4.0)},
    "kl-annealing": lambda w: {"objective": w.elbo(beta=Linear(0.0, 1.0, steps=_STEPS))},
    "cyclical-annealing": lambda w: {"objective": w.elbo(beta=Cyclical(0.0, 1.0, period=_STEPS))},
    "free-bits": lambda w: {"objective": w.elbo(free_bits=0.1)},
    "iwae": lambda w: {"objective": IWAE(w.k(5))},
    # Half as many latents in the second layer, as in the paper: 100 and 50.
    "hierarchical": lambda w: {"objective": IWAE(w.k(5)), "latent_size": [w.latents, max(1, w.latents // 2)]},
    "sticking-the-landing": lambda w: {"objective": w.elbo(estimator="sticking_the_landing")},
    "dreg": lambda w: {"objective": IWAE(w.k(5), estimator="doubly_reparameterized")},
    "beta-tc-vae": _beta_tc,
    "info-vae": lambda w: _info(w, alpha=0.0),
    "mmd-vae": lambda w: _info(w, alpha=1.0),
    "learned-prior": lambda w: {"objective": w.elbo(), "prior": priors.Learned(w.normal)},
    "mixture-prior": lambda w: {
        "objective": w.elbo(),
        "prior": priors.Learned(families.NormalMixture(w.latents, components=20)),
    },
    "vamp": lambda w: {"objective": w.elbo(), **_vamp(w)},
    "real-nvp-prior": lambda w: {"objective": w.elbo(), "prior": priors.RealNVP(w.latents)},
    "maf-prior": lambda w: {"objective": w.elbo(), "prior": priors.MaskedAutoregressiveFlow(w.latents)},
    "full-covariance": lambda w: {"objective": w.elbo(), "posterior": families.FullNormal(w.latents)},
    "mixture-posterior": lambda w: {"objective": w.elbo(), "posterior": families.NormalMixture(w.latents)},
    "iaf": lambda w: {"objective": w.elbo(), "posterior": families.InverseAutoregressiveFlow(w.latents)},
    "planar-flow": lambda w: {"objective": w.elbo(), "posterior": families.PlanarFlow(w.latents)},
    "gumbel": _gumbel,
    "straight-through-gumbel": lambda w: _gumbel(w, straight_through=True),
    "relaxed-bernoulli": _relaxed_bernoulli,
    "autoregressive-prior": _autoregressive,
    "nvil": lambda w: _discrete(w, w.elbo(estimator="nvil")),
    "leave-one-out": lambda w: _discrete(w, w.elbo(5, estimator="leave_one_out")),
    "vimco": lambda w: _discrete(w, IWAE(w.k(5), estimator="leave_one_out")),
    "piecewise": _piecewise,
    "cvae": lambda w: {"objective": w.elbo(), "condition": w.label},
    "cvae-prior": lambda w: {
        "objective": w.elbo(),
        "condition": w.label,
        "prior": ConditionalPrior(MLP([64]), w.normal),
    },
    "factor-analysis": lambda w: {
        "objective": w.elbo(),
        "posterior": families.FullNormal(w.latents),
        **_likelihood("factor-analysis"),
        "scale": "learned_per_element",
        "network": "mlp",
        "hidden": [],
    },
}

READY_MADE: dict[str, ReadyMade] = {
    name: ReadyMade(*CATALOG[name], parts=parts, conditional=name in CONDITIONAL) for name, parts in _PARTS.items()
}


def make(
    name: str,
    event_shape: int | Sequence[int],
    *,
    latent_size: int = 20,
    num_samples: int | None = None,
    classes: int | None = None,
    examples: Any = None,
    **others: Any,
) -> VAE:
    """Build a ready-made model.

    Args:
        name: One of `keras_vae.models.READY_MADE`, such as `"iwae"`.
        event_shape: Shape of one x, such as `(28, 28, 1)`.
        latent_size: The number of latents; for discrete models, of variables with ten categories each; for
            `"hierarchical"`, of the first layer, and the second has half as many.
        num_samples: Samples per example; the model's own number by default.
        classes: Number of classes, for conditional models.
        examples: Training examples as the model sees them, `[n, *event]` (pixels in [0, 1], not 0 to 255), for models
            that start from examples or need their number.
        others: Other arguments of `keras_vae.models.vae`: `likelihood`, `network`, `hidden`, `upper_hidden`, `scale`,
            `seed`.

    Returns:
        An uncompiled `keras_vae.VAE`.

    Raises:
        ValueError: If the name is unknown, the model needs an argument that is missing, one of `others` is fixed by the
            model, or `classes` are passed for a model that is not conditional.

    Example:
        >>> model = make("cvae", (8, 8, 1), latent_size=2, classes=10, hidden=[16])
        >>> model.sample(3, seed=0, condition=7).shape
        TensorShape([3, 8, 8, 1])
    """
    found = lookup(name, READY_MADE, "model")
    if classes is not None and not found.conditional:
        conditional = ", ".join(repr(other) for other, model in READY_MADE.items() if model.conditional)
        raise ValueError(
            f"{name}: classes: expected None, since this model is not conditional on a class, received "
            f"{one_line(classes)}. "
            f"Use one of {conditional}, or leave it out."
        )
    latents = positive_integer(latent_size, "make: latent_size")
    images = None if examples is None else np.asarray(examples)
    if images is not None and isinstance(others.get("likelihood"), Family):
        images = np.asarray(others["likelihood"].encoder_input(images))
    parts = found.parts(Wanted(as_shape(event_shape, "make"), latents, num_samples, classes, images))
    others = {key: list(value) if isinstance(value, tuple) else value for key, value in others.items()}
    fixed = {key: value for key, value in others.items() if key in parts and value is not None and value != parts[key]}
    if fixed:
        given = ", ".join(f"{key}={value!r}" for key, value in fixed.items())
        expected = ", ".join(f"{key}={parts[key]!r}" for key in fixed)
        raise ValueError(
            f"{name}: expected {expected}, which define this model, received {given}. Leave it out, or compose a "
            "keras_vae.VAE"
        )
    return vae(event_shape, **{"latent_size": latents, **others, **parts})
