"""The latent tools on a chain of two groups, whose means are known by matrix products."""

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.latent import add_attribute, attribute_vector, edit, interpolate, manifold, traverse
from tests.linear_chain import data, linear_chain, posteriors

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def chain():
    vae, marginal, (a, b) = linear_chain(exact=True)
    x = data(marginal, 5)
    z1 = x @ posteriors(a, b)["z1"][0].T
    return vae, x, {"z1": z1, "z2": z1 @ posteriors(a, b)["z2"][0].T}, (a, b)


def test_by_default_the_group_closest_to_x_is_changed_and_the_other_stays(chain):
    vae, x, z, (_, b) = chain
    found = edit(vae, x, {1: 2.0})
    wanted = z["z1"].copy()
    wanted[:, 1] = 2.0
    np.testing.assert_allclose(found.z["z1"], wanted, **CLOSE)
    np.testing.assert_allclose(found.z["z2"], z["z2"], **CLOSE)
    np.testing.assert_allclose(found.images, wanted @ b.T, **CLOSE)


def test_groups_below_the_changed_one_follow_the_mean_of_the_prior(chain):
    vae, x, z, (a, b) = chain
    found = edit(vae, x, {0: 3.0}, group="z2", relative=True)
    wanted = z["z2"] + [3.0, 0.0]
    np.testing.assert_allclose(found.z["z2"], wanted, **CLOSE)
    np.testing.assert_allclose(found.z["z1"], wanted @ a.T, **CLOSE)
    np.testing.assert_allclose(found.images, wanted @ a.T @ b.T, **CLOSE)


def test_traversal_of_a_group(chain):
    vae, x, z, (a, b) = chain
    found = traverse(vae, x[0], group="z2", latents=1, values=[-1, 0, 1], reference=x)
    most = int(np.argmax(z["z2"].var(axis=0)))
    assert found.latents.tolist() == [most]
    wanted = np.tile(z["z2"][0], (3, 1))
    wanted[:, most] = [-1, 0, 1]
    np.testing.assert_allclose(found.z["z2"][0], wanted, **CLOSE)
    np.testing.assert_allclose(found.images[0], wanted @ a.T @ b.T, **CLOSE)
    assert traverse(vae, x[0]).images.shape == (3, 11, 4)


def test_interpolation_moves_the_groups_before_along(chain):
    vae, x, z, (a, b) = chain
    bottom = interpolate(vae, x[0], x[1], steps=3)
    for name in ("z1", "z2"):
        np.testing.assert_allclose(bottom.z[name], [z[name][0], (z[name][0] + z[name][1]) / 2, z[name][1]], **CLOSE)
    np.testing.assert_allclose(bottom.images, bottom.z["z1"] @ b.T, **CLOSE)
    top = interpolate(vae, x[0], x[1], steps=3, group="z2")
    np.testing.assert_allclose(top.images, top.z["z2"] @ a.T @ b.T, **CLOSE)
    np.testing.assert_allclose(top.z["z2"][[0, 2]], z["z2"][:2], **CLOSE)


def test_attributes_of_a_group(chain):
    vae, x, z, (a, b) = chain
    vector = attribute_vector(vae, x_with=x[:2], x_without=x[2:], group="z2")
    np.testing.assert_allclose(vector, z["z2"][:2].mean(0) - z["z2"][2:].mean(0), **CLOSE)
    found = add_attribute(vae, x, vector, strength=[0, 2], group="z2")
    np.testing.assert_allclose(found.images[:, 1], (z["z2"] + 2 * vector) @ a.T @ b.T, **CLOSE)
    np.testing.assert_allclose(found.images[:, 0], z["z2"] @ a.T @ b.T, **CLOSE)


def test_the_manifold_of_a_group_of_two_latents(chain):
    vae, _, _, (a, b) = chain
    images, z = manifold(vae, 3, group="z2")
    np.testing.assert_allclose(images, z["z2"] @ a.T @ b.T, **CLOSE)
    np.testing.assert_allclose(z["z1"], z["z2"] @ a.T, **CLOSE)
    with pytest.raises(ValueError, match=r"expected two latents, shape \(2,\), received \(3,\)"):
        manifold(vae, 3)


def test_a_condition_reaches_the_prior_of_the_groups_that_follow():
    link = kv.Decoder(kv.networks.MLP(), kv.families.Normal(1, scale=1.0))
    vae = kv.VAE(
        encoder=kv.ChainEncoder({name: kv.Encoder(kv.networks.MLP(), kv.families.Normal(1)) for name in ("z1", "z2")}),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(2, scale=1.0)),
        prior=kv.priors.Chain({"z2": kv.priors.StandardNormal(1), "z1": link}),
        condition=kv.conditions.Label(3),
    )
    link.head.set_weights([np.array([[1.0], [10.0], [20.0], [30.0]]), np.zeros(1)])
    found = edit(vae, np.zeros([3, 2]), {0: 5.0}, group="z2", condition=[0, 1, 2])
    np.testing.assert_allclose(found.z["z1"][:, 0], [15.0, 25.0, 35.0], **CLOSE)


def test_what_does_not_fit_is_refused(chain):
    vae, x, _, _ = chain
    with pytest.raises(ValueError, match="edit: group is unknown: expected one of 'z1', 'z2', received 'z'"):
        edit(vae, x, {0: 1.0}, group="z")
    with pytest.raises(ValueError, match="from 0 to 1, received 2"):
        edit(vae, x, {2: 1.0}, group="z2")
    flow = kv.Decoder(kv.networks.MLP(), kv.families.PlanarFlow(3))
    other = kv.VAE(
        vae.encoder,
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(4)),
        kv.priors.Chain({"z2": kv.priors.StandardNormal(2), "z1": flow}),
    )
    with pytest.raises(ValueError, match="edit: the prior of the group 'z1' has no mean in closed form"):
        edit(other, x, {0: 1.0}, group="z2")
