"""`disentanglement`: the metrics of a model's codes, with the factors' names, as a table, a file and a picture."""

import json

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.data import Examples
from keras_vae.data.examples import Factor
from keras_vae.evaluation.latents.disentanglement import METRICS, disentanglement

FACTORS = np.indices([3, 4, 5, 20]).reshape(4, -1).T[:, :3]
X = FACTORS.astype(np.float32) / 5
TURNED = np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])


def model(matrix, **others):
    """Return a VAE whose posterior means are x times a matrix, `[3, latents]`."""
    latents = matrix.shape[1]
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(latents)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(3, scale=1.0)),
        objective=kv.objectives.ELBO(1),
        seed=3,
        **others,
    )
    kernel = np.zeros([3, latents, 2])
    kernel[:, :, 0] = matrix
    vae.encoder.head.set_weights([kernel.reshape(3, -1), np.zeros(2 * latents)])
    return vae


@pytest.fixture(scope="module")
def perfect():
    return disentanglement(model(np.eye(3)[:, [1, 0, 2]]), (X, FACTORS), names=["kind", "size", "place"], verbose=False)


def test_a_perfect_model(perfect):
    assert list(perfect.scores) == [
        "beta_vae",
        "factor_vae",
        "mig",
        "sap",
        "dci_disentanglement",
        "dci_completeness",
        "dci_informativeness",
        "modularity",
    ]
    assert all(score == pytest.approx(1, abs=1e-6) for score in perfect.scores.values())
    np.testing.assert_array_equal(perfect.information.argmax(axis=0), [1, 0, 2])
    np.testing.assert_array_equal(perfect.importance.argmax(axis=0), [1, 0, 2])
    np.testing.assert_allclose(perfect.entropies, np.log([3, 4, 5]))
    np.testing.assert_allclose(perfect.between_factors, np.diag(np.log([3, 4, 5])), atol=1e-12)


def test_by_chance_is_what_unrelated_codes_score(perfect):
    for name, wanted in {"beta_vae": 1 / 3, "factor_vae": 1 / 3, "mig": 0, "sap": 0, "dci_disentanglement": 0}.items():
        assert perfect.by_chance[name] == pytest.approx(wanted, abs=0.1), name
    assert perfect.by_chance["dci_informativeness"] == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3, abs=0.07)


def test_the_model_is_asked():
    found = disentanglement(model(TURNED), (X, FACTORS), metrics=["mig", "modularity"], verbose=False)
    # Of two factors nearly mixed away; the third is held by one latent.
    assert 1 / 3 < found.scores["mig"] < 0.55
    assert found.importance is None
    assert found.factors == ("0", "1", "2")


def test_names_and_kinds_of_a_dataset_are_known():
    factors = (Factor("kind", 3, ordered=False), Factor("size", 4, ordered=True), Factor("place", 5, ordered=True))
    pixels = np.rint(255 * X).astype(np.uint8)[:, None, :, None]
    batches = kv.data.load(
        Examples(pixels, FACTORS.astype(np.int32), "drawn", factors),
        "all",
        likelihood="normal",
        preprocess="gray",
        with_labels=True,
    )
    vae = kv.models.vae((1, 3, 1), latent_size=2, hidden=[8], likelihood="normal", seed=0)
    found = disentanglement(vae, batches, metrics=["sap"], verbose=False)
    assert found.factors == ("kind", "size", "place")
    again = disentanglement(vae, batches, metrics=["sap"], categorical=["kind"], verbose=False)
    without = disentanglement(vae, batches, metrics=["sap"], categorical=[], verbose=False)
    assert found.scores == again.scores != without.scores


def test_table_file_and_picture(perfect, tmp_path):
    text = str(perfect)
    assert text.startswith("Disentanglement\n")
    for part in ("β-VAE metric", "DCI informativeness", "by chance", "most about kind", "z1", "100%"):
        assert part in text
    assert "warning" not in text
    perfect.save(tmp_path / "found.json")
    stored = json.loads((tmp_path / "found.json").read_text())
    assert stored["scores"]["mig"] == pytest.approx(1)
    assert np.shape(stored["information"]) == (3, 3)
    perfect.plot(tmp_path / "found.png")
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    assert len(perfect.figure().axes) == 3  # two pictures and the scale


def test_warnings_of_few_rows_and_of_factors_that_go_together():
    rng = np.random.default_rng(0)
    few = np.stack([rng.integers(5, size=100), rng.integers(5, size=100), np.arange(100) % 2], axis=1)
    few[:, 1] = few[:, 0]
    found = disentanglement(model(np.eye(3)), (few.astype(np.float32), few), metrics=["mig"], verbose=False)
    counts, together = found.warnings()
    assert "100 examples are few" in counts
    assert "assume independent factors" in together
    assert "0 and 1 share 100%" in together


def test_refused():
    vae = model(np.eye(3))
    cases = [
        (X, {}, "the data have no labels"),
        ((X, FACTORS[:, 0]), {}, "two or more factors"),
        ((X, FACTORS), {"metrics": ["mgi"]}, "received 'mgi'. Did you mean 'mig'"),
        ((X, FACTORS), {"names": ["a", "b"]}, "expected 3 different names"),
        ((X, FACTORS), {"names": ["a", "b", "a"]}, "expected 3 different names"),
        ((X, FACTORS), {"names": ["a", "b", "c"], "categorical": ["d"]}, "Unknown factor: .*received 'd'"),
    ]
    for data, options, message in cases:
        with pytest.raises(ValueError, match=message):
            disentanglement(vae, data, verbose=False, **options)
    latents = kv.families.OneHotCategorical((2, 3))
    prior = kv.priors.Learned(kv.families.OneHotCategorical((2, 3)))
    objective = kv.objectives.ELBO(estimator="nvil")
    categories = kv.models.vae((3,), posterior=latents, prior=prior, objective=objective, hidden=[4])
    with pytest.raises(ValueError, match=r"expected real.* received the categories of OneHotCategorical"):
        disentanglement(categories, (X, FACTORS), verbose=False)
    with pytest.raises(ValueError, match="expected an integer from 0 to 2147483647, received -1"):
        disentanglement(vae, (X, FACTORS), seed=-1, verbose=False)
    assert set(METRICS) == {"beta_vae", "factor_vae", "mig", "sap", "dci", "modularity"}
