"""The latent tools against linear models, whose posterior means and decodings are known by matrix products."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.transform import Rotation, Slerp

import keras_vae as kv
from keras_vae.latent import (
    activity,
    add_attribute,
    attribute_vector,
    edit,
    interpolate,
    interpolate_latents,
    manifold,
    traverse,
)
from tests import linear_gaussian

N = 6
# Two matrix products of at most five terms in float32.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def model():
    return linear_gaussian.model(exact_posterior=True)


@pytest.fixture(scope="module")
def conditional():
    """Labels 0 to 2 move the posterior's mean by 10, 20 and 30, and the image by 100, 200 and 300."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(2)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(2, scale=1.0)),
        condition=kv.conditions.Label(3),
    )
    moves = np.array([1.0, 2.0, 3.0])[:, None]
    encoder = np.zeros([5, 2, 2])
    encoder[:, :, 0] = np.concatenate([np.eye(2), np.tile(10 * moves, (1, 2))])
    decoder = np.concatenate([np.eye(2), np.tile(100 * moves, (1, 2))])
    vae.encoder.head.set_weights([encoder.reshape(5, 4), np.zeros(4)])
    vae.decoder.head.set_weights([decoder, np.zeros(2)])
    return vae


@pytest.fixture(scope="module")
def x():
    return linear_gaussian.data(N)


def posterior_means(x):
    # E[z|x] of the joint normal: Cov(z, x) Cov(x)⁻¹ (x − b).
    w, b = linear_gaussian.weights()
    return np.linalg.solve(w @ w.T + linear_gaussian.SIGMA**2 * np.eye(linear_gaussian.DATA), (x - b).T).T @ w


def decoded(z):
    w, b = linear_gaussian.weights()
    return z @ w.T + b


def test_activity_is_the_variance_of_the_posterior_mean():
    many = linear_gaussian.data(3000)  # three times as many as pass through the network at once
    model = linear_gaussian.model(exact_posterior=True)
    np.testing.assert_allclose(activity(model, many), np.var(posterior_means(many), axis=0), rtol=1e-4)


def test_traversal_sets_one_latent_at_a_time(model, x):
    found = traverse(model, x[0], latents=[1, 0], values=[-2, 0.5, 4])
    assert found.images.shape == (2, 3, linear_gaussian.DATA)
    assert found.latents.tolist() == [1, 0]
    assert found.activity is None
    z = posterior_means(x[:1])[0]
    for row, latent in enumerate([1, 0]):
        for column, value in enumerate([-2, 0.5, 4]):
            wanted = z.copy()
            wanted[latent] = value
            np.testing.assert_allclose(found.z[row, column], wanted, **CLOSE)
            np.testing.assert_allclose(found.images[row, column], decoded(wanted), **CLOSE)


def test_traversal_takes_the_most_active_latents(model, x):
    variance = posterior_means(x).var(axis=0)
    found = traverse(model, x[0], latents=1, reference=x)
    assert found.latents.tolist() == [np.argmax(variance)]
    np.testing.assert_allclose(found.activity, [variance.max()], rtol=1e-4)
    everything = traverse(model, x[0], latents=20, reference=x)  # at most 20
    assert everything.latents.tolist() == np.argsort(-variance).tolist()
    assert everything.values.tolist() == pytest.approx(np.arange(-3, 3.1, 0.6).tolist(), abs=1e-6)
    assert traverse(model, x[0]).latents.tolist() == [0, 1]


def test_linear_interpolation(model, x):
    images, z = interpolate(model, x[0], x[1], steps=5)
    first, last = posterior_means(x[:2])
    wanted = np.stack([first + t * (last - first) for t in (0, 0.25, 0.5, 0.75, 1)])
    np.testing.assert_allclose(z, wanted, **CLOSE)
    np.testing.assert_allclose(images, decoded(wanted), **CLOSE)


def test_spherical_interpolation_turns_evenly():
    # The way between two vectors of one length is a rotation by equal angles; scipy's Slerp makes it of matrices.
    first, last = np.array([3.0, 0.0, 0.0]), Rotation.from_rotvec([0.3, 1.1, 0.4])
    axis = np.cross(first, last.apply(first))
    angle = np.arccos(first @ last.apply(first) / 9)
    turns = Slerp(
        [0, 1],
        Rotation.from_rotvec([[0, 0, 0], axis / np.linalg.norm(axis) * angle]),
    )
    wanted = turns(np.linspace(0, 1, 7)).apply(first)
    np.testing.assert_allclose(
        interpolate_latents(first, last.apply(first), steps=7, kind="spherical"), wanted, atol=1e-12
    )


def test_spherical_interpolation_of_unequal_lengths_keeps_its_ends_and_its_plane():
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=20), 3 * rng.normal(size=20)
    way = interpolate_latents(first, last, steps=9, kind="spherical")
    np.testing.assert_allclose(way[[0, -1]], [first, last], rtol=1e-12)
    assert np.linalg.matrix_rank(way, tol=1e-8) == 2


@pytest.mark.parametrize("last", [[2.0, 4.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.0 + 1e-9]])
def test_spherical_interpolation_without_an_angle_is_straight(last):
    way = interpolate_latents([1.0, 2.0], last, steps=5, kind="spherical")
    np.testing.assert_allclose(way, np.linspace([1.0, 2.0], last, 5), rtol=1e-12)


def test_spherical_interpolation_is_continuous_near_zero_angles():
    # On both sides of the angle below which it is straight.
    for angle in (0.5e-6, 2e-6, 1e-3):
        way = interpolate_latents([1.0, 0.0], [np.cos(angle), np.sin(angle)], steps=3, kind="spherical")
        np.testing.assert_allclose(way[1], [np.cos(angle / 2), np.sin(angle / 2)], atol=1e-12)


def test_opposite_latents_have_no_arc():
    with pytest.raises(ValueError, match=r"opposite directions.*kind='linear'"):
        interpolate_latents([1.0, 2.0], [-2.0, -4.0], steps=5, kind="spherical")
    np.testing.assert_allclose(interpolate_latents([1.0], [-1.0], steps=3), [[1], [0], [-1]])


def test_manifold_is_even_in_probability(model):
    images, z = manifold(model, 5, low=0.1, high=0.9)
    np.testing.assert_allclose(scipy.stats.norm.cdf(z[0, :, 0]), [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6)
    np.testing.assert_allclose(scipy.stats.norm.cdf(z[:, 0, 1]), [0.9, 0.7, 0.5, 0.3, 0.1], atol=1e-6)
    assert np.ptp(z[:, 3, 0]) == np.ptp(z[3, :, 1]) == 0
    np.testing.assert_allclose(images, decoded(z), **CLOSE)


@pytest.mark.parametrize("relative", [False, True])
def test_editing_leaves_the_other_latents(model, x, relative):
    images, z = edit(model, x, {1: 2.5}, relative=relative)
    wanted = posterior_means(x)
    wanted[:, 1] = wanted[:, 1] + 2.5 if relative else 2.5
    np.testing.assert_allclose(z, wanted, **CLOSE)
    np.testing.assert_allclose(images, decoded(wanted), **CLOSE)


def test_attributes_add_up(model, x):
    direction = attribute_vector(model, x_with=x[:2], x_without=x[2:])
    means = posterior_means(x)
    wanted = means[:2].mean(axis=0) - means[2:].mean(axis=0)
    np.testing.assert_allclose(direction, wanted, **CLOSE)
    images, z = add_attribute(model, x, wanted, strength=[-1, 0, 2])
    assert images.shape == (N, 3, linear_gaussian.DATA)
    for column, strength in enumerate([-1, 0, 2]):
        np.testing.assert_allclose(images[:, column], decoded(means + strength * wanted), **CLOSE)
    np.testing.assert_allclose(add_attribute(model, x, wanted).images, decoded(means + wanted), **CLOSE)
    assert z.shape == (N, 3, 2)


def test_conditions_go_with_their_rows(conditional):
    # mean = x + 10 (y + 1), image = z + 100 (y + 1)
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    labels = np.array([2, 0, 1])
    shift = labels[:, None] + 1
    np.testing.assert_allclose(edit(conditional, x, {}, condition=labels).images, x + 110 * shift)
    np.testing.assert_allclose(edit(conditional, x, {}, condition=1).images, x + 220)
    several = add_attribute(conditional, x, [1, 0], strength=[0, 1], condition=labels).images
    np.testing.assert_allclose(several, np.stack([x + 110 * shift, x + 110 * shift + [1, 0]], axis=1))
    np.testing.assert_allclose(
        attribute_vector(conditional, x_with=x[:2], x_without=x[2:], condition_with=[0, 1], condition_without=2),
        x[:2].mean(axis=0) + 15 - x[2] - 30,
    )
    np.testing.assert_allclose(interpolate(conditional, x[0], x[1], steps=2, condition=2).images, x[:2] + 330)
    np.testing.assert_allclose(manifold(conditional, 3, condition=1).images[1, 1], [200, 200])
    found = traverse(conditional, x[0], latents=[1], values=[0], condition=0)
    np.testing.assert_allclose(found.images[0, 0], [110, 100])
    np.testing.assert_allclose(activity(conditional, x * 0, condition=labels), np.var([10, 20, 30]))
    same = traverse(conditional, x[0], latents=2, condition=0, reference=x * 0)  # all of label 0: nothing varies
    np.testing.assert_allclose(same.activity, 0, atol=1e-6)
    other = traverse(conditional, x[0], latents=2, condition=0, reference=x * 0, reference_condition=labels)
    np.testing.assert_allclose(other.activity, np.var([10, 20, 30]))


def test_vectors_are_conditions_too():
    vae = kv.models.vae((4,), latent_size=2, hidden=[8], condition=kv.conditions.Vector(3))
    told = []
    vae.encode = lambda x, condition: told.append(condition) or {"mean": np.zeros([len(x), 2], np.float32)}
    vae.decode = lambda z, condition: told.append(condition) or {"mean": np.zeros([len(z), 4], np.float32)}
    traverse(vae, np.zeros(4), latents=[0], values=[0, 1, 2], condition=[0.5, 0.25, 1.0])
    assert told[0].tolist() == [[0.5, 0.25, 1.0]]
    assert told[1].tolist() == [[0.5, 0.25, 1.0]] * 3
    edit(vae, np.zeros([2, 4]), {}, condition=[[1, 2, 3], [4, 5, 6]])
    assert told[3].tolist() == [[1, 2, 3], [4, 5, 6]]
    edit(vae, np.zeros([2, 4]), {}, condition=[1, 2, 3])
    assert told[5].tolist() == [[1, 2, 3]] * 2
    edit(vae, np.zeros([3, 4]), {}, condition=[1, 2, 3])  # as many numbers as rows: still one vector
    assert told[7].tolist() == [[1, 2, 3]] * 3


def test_bounded_and_binary_latents_stay_what_they_are():
    def vae(family):
        return kv.VAE(
            kv.Encoder(kv.networks.MLP([4]), family),
            kv.Decoder(kv.networks.MLP([4]), kv.families.Bernoulli(4)),
            prior=kv.priors.Uniform(family),
            objective=kv.objectives.ELBO(2, estimator="leave_one_out"),
        )

    x = np.zeros([2, 4], np.float32)
    bounded, binary = vae(kv.families.PiecewiseConstant(2)), vae(kv.families.Bernoulli(2))
    assert traverse(bounded, x[0]).values.tolist() == pytest.approx(np.linspace(0, 1, 11))
    assert traverse(binary, x[0]).values.tolist() == [0, 1]
    for call in (
        lambda: traverse(bounded, x[0], values=[0.5, 1.5]),
        lambda: edit(binary, x, {0: 0.5}),
        lambda: manifold(bounded),
        lambda: add_attribute(bounded, x, [1.0, 0.0]),
    ):
        with pytest.raises(ValueError, match="latents"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: traverse(m, x), r"expected one example, \(5,\), received \(6, 5\).*x\[0\]"),
        (lambda m, x: traverse(m, x[0], latents=[2]), r"indices from 0 to 1, received \[2\]"),
        (lambda m, x: traverse(m, x[0], latents=[-1]), "indices from 0 to 1"),
        (lambda m, x: traverse(m, x[0], latents=[]), "indices from 0 to 1"),
        (lambda m, x: traverse(m, x[0], latents=2), "Pass reference="),
        (lambda m, x: traverse(m, x[0], latents=0, reference=x), "positive integer, received 0"),
        (lambda m, x: traverse(m, x[0], values=[]), "finite numbers"),
        (lambda m, x: traverse(m, x[0], values=[0, np.nan]), "finite numbers"),
        (lambda m, x: interpolate(m, x[0], x[1], steps=1), "expected 2 or more"),
        (lambda m, x: interpolate(m, x[0], x[1], kind="sperical"), "Did you mean 'spherical'"),
        (lambda m, x: interpolate(m, x[0], x[1][:3]), r"received \(3,\)"),
        (lambda m, x: interpolate_latents([1, 2], [1]), "two finite vectors of the same length"),
        (lambda m, x: interpolate_latents([1, 2], [1, np.inf]), "two finite vectors of the same length"),
        (lambda m, x: manifold(m, 0), "size: expected a positive integer"),
        (lambda m, x: manifold(m, 3, low=0.5, high=0.5), "low=0.5, high=0.5"),
        (lambda m, x: manifold(m, 3, low=0), "0 < low"),
        (lambda m, x: edit(m, x[0], {0: 1}), r"received \(5,\).*x\[None\]"),
        (lambda m, x: edit(m, x[:0], {0: 1}), "at least one example"),
        (lambda m, x: edit(m, x, {2: 1}), "latents from 0 to 1, received 2"),
        (lambda m, x: edit(m, x, {"smile": 1}), "received 'smile'"),
        (lambda m, x: edit(m, x, {True: 1}), "received True"),
        (lambda m, x: edit(m, x, {0: np.nan}), "received nan for latent 0"),
        (lambda m, x: edit(m, x, {0: [1, 2]}), r"received \[1, 2\]"),
        (
            lambda m, x: edit(m, x, {0: 1}, condition=np.zeros([4, 3])),
            "edit: the model has no condition",
        ),
        (lambda m, x: traverse(m, x[0], condition=np.zeros([4, 3])), "one label or one vector"),
        (
            lambda m, x: attribute_vector(m, x_with=x, x_without=x[:0]),
            "x_without: x has the wrong shape: expected at least one",
        ),
        (lambda m, x: add_attribute(m, x, [1, 2, 3]), "expected 2 finite numbers"),
        (lambda m, x: add_attribute(m, x, [1, np.nan]), "expected 2 finite numbers"),
        (lambda m, x: add_attribute(m, x, [1, 2], strength=[]), "strength is invalid"),
        (lambda m, x: add_attribute(m, x, [1, 2], strength=np.inf), "strength is invalid"),
    ],
)
def test_bad_arguments_are_refused(model, x, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, x)


def test_latents_that_are_no_vectors_are_refused():
    maps = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal((2, 3))),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(4, scale=1.0)),
    )
    x = np.zeros([2, 4], np.float32)
    for call in (
        lambda: traverse(maps, x[0]),
        lambda: interpolate(maps, x[0], x[1]),
        lambda: edit(maps, x, {0: 1}),
        lambda: attribute_vector(maps, x_with=x, x_without=x),
        lambda: add_attribute(maps, x, [1, 2]),
    ):
        with pytest.raises(ValueError, match=r"not a vector: .*received \(2, 3\)"):
            call()
    with pytest.raises(ValueError, match="two latents"):
        manifold(maps)
    assert activity(maps, x).shape == (2, 3)
