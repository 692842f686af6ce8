"""kv.testing accepts good parts, such as those of docs/your_own_parts.md, and says what is wrong with bad ones."""

import re
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae as kv

PAGE = Path(__file__).parent.parent / "docs" / "your_own_parts.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
# The second block goes on from the first.
EXAMPLES = {"likelihood": BLOCKS[0] + BLOCKS[1], "prior": BLOCKS[2], "objective": BLOCKS[3]}


# A minute each: the likelihood by default, the others in `make stress`.
@pytest.mark.parametrize(
    "part", [pytest.param(p, marks=[] if p == "likelihood" else [pytest.mark.stress]) for p in EXAMPLES]
)
def test_the_page_runs(part):
    assert len(BLOCKS) == 4
    exec(EXAMPLES[part], {})


@pytest.mark.parametrize("block", [BLOCKS[0], BLOCKS[2], BLOCKS[3]])
def test_each_part_takes_fewer_than_20_lines(block):
    lines = block[block.index("@keras") :].split("\n\n\n")[0].splitlines()
    assert 5 < sum(bool(line.strip()) for line in lines) < 20


class Family(kv.families.Family):
    """A normal family of which subclasses spoil one thing."""

    support = kv.families.REAL
    parameters_per_element = 1

    def call(self, unconstrained):
        return {"loc": unconstrained[..., 0]}

    def distribution(self, parameters):
        return self.independent(tfd.Normal(parameters["loc"], tf.ones_like(parameters["loc"])))


class WrongSupport(Family):
    support = kv.families.UNIT_INTERVAL


class NoEventAxes(Family):
    def distribution(self, parameters):
        return tfd.Normal(parameters["loc"], tf.ones_like(parameters["loc"]))


class Unnormalized(Family):
    class Wide(tfd.Normal):
        def _log_prob(self, x):
            return super()._log_prob(x) + 0.1

    def distribution(self, parameters):
        return self.independent(self.Wide(parameters["loc"], tf.ones_like(parameters["loc"])))


class ShiftedSamples(Family):
    class Shifted(tfd.Normal):
        def _sample_n(self, n, seed=None):
            return super()._sample_n(n, seed=seed) + 0.3

    def distribution(self, parameters):
        return self.independent(self.Shifted(parameters["loc"], tf.ones_like(parameters["loc"])))


class NanInside(Family):
    support = kv.families.Support("any", "anything", "Nothing", lambda x: tf.ones_like(x, tf.bool))


class Raises(Family):
    def call(self, unconstrained):
        raise TypeError("no such link")


class NotFloat64(Family):
    def distribution(self, parameters):
        return self.independent(tfd.Normal(parameters["loc"], tf.constant(1.0, tf.float32)))


class ForgetsAnArgument(Family):
    def __init__(self, event_shape, scale, **kwargs):
        super().__init__(event_shape, **kwargs)
        self.scale_ = scale


for part in (Family, *Family.__subclasses__()):
    keras.saving.register_keras_serializable("tests.testing")(part)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (WrongSupport(3), r"samples: expected every value in \[0, 1\], received -?\d"),
        (NoEventAxes(3), r"distribution: event_shape: expected \(3,\), received \(\). Use self.independent"),
        (Unnormalized(3), r"normalization: expected log_prob to integrate to 1 .*, received 1\.10"),
        (ShiftedSamples(3), r"normalization: expected samples with the density's mean, .* received a mean of"),
        (NanInside(3), "samples: NaN: expected outside the support"),
        (Raises(3), "parameters: expected no error, received TypeError: Exception encountered .* no such link"),
        (NotFloat64(3), "training, float64: expected no error, received"),
        (ForgetsAnArgument(3, 1.0), "config: expected no error, received TypeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Family) else "",
)
def test_what_is_wrong_with_a_family(family, message):
    with pytest.raises(AssertionError, match=rf"^check_family\({type(family).__name__}\): {message}") as error:
        kv.testing.check_family(family)
    assert "\n" not in str(error.value)


class Objective(kv.objectives.Objective):
    """An ELBO of one sample, of which subclasses spoil one thing."""

    metrics = ("bound",)

    def bound(self, model, x, seed, condition, training):
        inference = model.infer(x, condition=condition, training=training)
        return inference.log_weights(inference.sample(1, seed))[0]

    def __call__(self, model, x, seed, training=None, condition=None):
        bound = self.bound(model, x, seed, condition, training)
        return {"loss": -bound, "bound": bound}


class WrongSign(Objective):
    def __call__(self, model, x, seed, training=None, condition=None):
        bound = self.bound(model, x, seed, condition, training)
        return {"loss": bound, "bound": bound}


class NotPerExample(Objective):
    def __call__(self, model, x, seed, training=None, condition=None):
        bound = tf.reduce_mean(self.bound(model, x, seed, condition, training))
        return {"loss": -bound, "bound": bound}


class NotABound(Objective):
    def __call__(self, model, x, seed, training=None, condition=None):
        bound = self.bound(model, x, seed, condition, training)
        return {"loss": -bound, "bound": bound + 3.0}


class OwnNoise(Objective):
    def __call__(self, model, x, seed, training=None, condition=None):
        return super().__call__(model, x, tf.random.uniform([2], maxval=1000, dtype=tf.int32), training, condition)


for part in (Objective, *Objective.__subclasses__()):
    keras.saving.register_keras_serializable("tests.testing")(part)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        pytest.param(WrongSign, "bound: expected an increase in training", marks=pytest.mark.stress),
        (NotPerExample, r"training, XLA: term 'loss': expected shape \(64,\), one number per example, received \(\)"),
        pytest.param(NotABound, "bound: expected at most log p", marks=pytest.mark.stress),
        pytest.param(OwnNoise, "save and load: loss: expected identical values", marks=pytest.mark.stress),
    ],
)
def test_what_is_wrong_with_an_objective(objective, message):
    with pytest.raises(AssertionError, match=rf"^check_objective\({objective.__name__}\): {message}"):
        kv.testing.check_objective(objective())


class WidePrior(kv.priors.StandardNormal):
    """One that claims another support."""

    support = kv.families.UNIT_INTERVAL


def test_a_prior_needs_a_posterior_of_its_kind():
    with pytest.raises(AssertionError, match=r"check_prior\(WidePrior\): building a keras_vae.VAE: expected no error"):
        kv.testing.check_prior(WidePrior(2), posterior=kv.families.Normal(2))
    prior = kv.priors.StandardNormal(2)
    prior.support = kv.families.Support("positive", "every value above 0", "Take exp", lambda x: x > 0, lower=0.0)
    with pytest.raises(ValueError, match="expected a posterior for a prior over positive values, received none"):
        kv.testing.check_prior(prior)


@pytest.mark.stress
@pytest.mark.parametrize(
    "check",
    [
        lambda: kv.testing.check_family(kv.families.OneHotCategorical((2, 3))),
        lambda: kv.testing.check_family(kv.families.GrayLevels((4,))),
        lambda: kv.testing.check_family(kv.families.DiscretizedLogisticMixture((2, 2, 3))),
        lambda: kv.testing.check_family(kv.families.FullNormal(2), posterior=True),
        lambda: kv.testing.check_family(kv.families.PiecewiseConstant(3), posterior=True),
        lambda: kv.testing.check_prior(kv.priors.VampPrior(kv.families.Normal(2), (8,), components=3)),
        lambda: kv.testing.check_prior(kv.ConditionalPrior(kv.networks.MLP([8]), kv.families.Normal(2))),
        lambda: kv.testing.check_prior(kv.priors.Uniform(kv.families.OneHotCategorical((2, 3)))),
        lambda: kv.testing.check_objective(kv.objectives.ELBO(free_bits=0.1)),
        lambda: kv.testing.check_network(kv.networks.ConvEncoder([4], units=8), (8, 8, 1)),
    ],
)
def test_the_packages_own_parts_pass(check):
    check()


@pytest.mark.parametrize("family", [kv.families.Bernoulli, kv.families.Beta((8, 8, 1))], ids=["class", "object"])
def test_a_likelihood_can_be_a_class_or_an_object(family):
    vae = kv.models.vae((8, 8, 1), likelihood=family, hidden=[4])
    kind = family if isinstance(family, type) else type(family)
    assert type(vae.decoder.family) is kind
    assert type(kv.models.make("vae", (8, 8, 1), likelihood=family, hidden=[4]).decoder.family) is kind
    x = next(iter(kv.data.load(np.full([3, 8, 8], 200, np.uint8), likelihood=family)))
    assert np.all(kind.support.contains(x))


def test_a_likelihood_can_be_named_by_its_module(monkeypatch):
    module = types.ModuleType("my_package_of_parts")
    module.Own, module.small, module.other = Family, Family((3,)), keras.layers.Dense
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert type(kv.models.vae(3, likelihood="my_package_of_parts:Own", hidden=[4]).decoder.family) is Family
    assert kv.models.vae(3, likelihood="my_package_of_parts:small", hidden=[4]).decoder.family is module.small
    for name, message in (
        ("my_package_of_parts:other", "to be a Family class or object, received <class 'keras"),
        ("my_package_of_parts:none", "expected package.module:Name.*has no attribute 'none'"),
        ("no_such_package:Own", "expected package.module:Name.*No module named"),
        ("bernouli", "Unknown likelihood: .*Did you mean 'bernoulli'"),
    ):
        with pytest.raises(ValueError, match=message):
            kv.models.vae(3, likelihood=name)
    with pytest.raises(TypeError, match=r"expected a name, a keras_vae.families.Family class or a Family object"):
        kv.models.vae(3, likelihood=3)
    with pytest.raises(ValueError, match=r"expected a Family with event_shape \(4,\), received \(3,\)"):
        kv.models.vae(4, likelihood=module.small)
    with pytest.raises(ValueError, match=r"expected no options with a Family object, received scale=1.0"):
        kv.models.vae(3, likelihood=module.small, scale=1.0)
    with pytest.raises(ValueError, match=r"expected no scale for Bernoulli, received scale=1.0"):
        kv.models.vae(3, likelihood="bernoulli", scale=1.0)
    with pytest.raises(ValueError, match="expected a family with preprocessing for images, received Family"):
        kv.data.load(np.full([3, 8, 8], 200, np.uint8), likelihood=Family)


def test_every_likelihood_has_its_class_in_snake_case_for_a_name():
    assert set(kv.families.LIKELIHOODS) == {
        "bernoulli",
        "beta",
        "continuous_bernoulli",
        "discretized_logistic_mixture",
        "gray_levels",
        "normal",
    }
