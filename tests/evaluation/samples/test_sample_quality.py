import json

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.evaluation.samples.distances import frechet_distance
from keras_vae.evaluation.samples.features import learn_features
from keras_vae.evaluation.samples.sample_quality import sample_quality
from tests.evaluation.bars import bars


@pytest.fixture(scope="module")
def features():
    return learn_features(bars(200, 0), test=bars(100, 1), epochs=3, batch_size=32, verbose=False)


def constant_model(probabilities, condition=None):
    """Return a model whose pixels are independent, each 1 with its probability, `[8, 8]`; y = 1 turns them over."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(2)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli((8, 8, 1))),
        condition=condition,
    )
    logits = (np.log(probabilities) - np.log(1 - probabilities)).ravel()
    kernel = np.zeros([2 if condition is None else 2 + condition.size, 64])
    if condition is not None:
        kernel[3] = -2 * logits
    vae.decoder.head.set_weights([kernel, logits])
    return vae


def noise(count, seed, p=0.5):
    return (np.random.default_rng(seed).random([count, 8, 8, 1]) < p).astype(np.float32)


def test_a_perfect_model_is_as_close_as_held_out_data(features):
    """Data of fair coins, and a model of them: samples are at the floor, the gray means are not."""
    found = sample_quality(
        constant_model(np.full([8, 8], 0.5)),
        noise(600, 0),
        held_out=noise(600, 1),
        features=features,
        batch_size=300,
        verbose=False,
    )
    assert found.samples.frechet == pytest.approx(found.held_out.frechet, rel=0.5)
    assert abs(found.samples.kernel) < 4 * found.samples.kernel_error
    assert found.samples.precision > 0.8
    assert found.samples.recall > 0.8
    assert found.means.frechet > 10 * found.held_out.frechet
    assert found.means.recall == 0  # 600 times the same image, in a ball of radius 0


def test_a_poor_model_is_far(features):
    found = sample_quality(
        constant_model(np.full([8, 8], 0.5)),
        bars(300, 2)[0],
        held_out=bars(300, 3)[0],
        features=features,
        batch_size=300,
        verbose=False,
    )
    assert found.samples.frechet > 10 * found.held_out.frechet
    assert found.samples.kernel > 5 * found.samples.kernel_error
    assert found.held_out.precision > 0.8
    assert found.samples.recall < 0.5 < found.held_out.recall


def test_means_and_samples_are_what_they_are_called(features):
    """Pixels nearly sure: the samples are the means, and both are the held-out images."""
    image = bars(1, 4)[0]
    model = constant_model(np.clip(image[0, ..., 0], 1e-6, 1 - 1e-6))
    held_out, reference = np.repeat(image, 40, axis=0), bars(50, 5)[0]
    found = sample_quality(model, reference, held_out=held_out, features=features, verbose=False)
    wanted = frechet_distance(features(reference), features(held_out))
    for closeness in (found.samples, found.means, found.held_out):
        assert closeness.frechet == pytest.approx(wanted, rel=1e-3)


def test_samples_of_a_conditional_model_are_given_the_conditions_of_the_held_out_data(features):
    image = bars(1, 4)[0][0, ..., 0]
    model = constant_model(np.clip(image, 1e-6, 1 - 1e-6), kv.conditions.Label(2))
    labels = np.arange(60) % 3 // 2
    data = np.where(labels[:, None, None, None] == 1, 1 - image[..., None], image[..., None]).astype(np.float32)
    found = sample_quality(model, (data, labels), held_out=(data, labels), features=features, verbose=False)
    assert found.samples.frechet == pytest.approx(0, abs=1e-3)
    turned = sample_quality(
        model, (data, labels), held_out=(data[labels == 1], labels[labels == 1]), features=features, verbose=False
    )
    assert turned.samples.frechet > 1


def test_seeds_sizes_and_what_is_told(features, tmp_path):
    model = constant_model(np.full([8, 8], 0.3))
    reference, held_out = bars(70, 2)[0], bars(40, 3)[0]
    found, again, other = (
        sample_quality(model, reference, held_out=held_out, features=features, blocks=5, seed=seed, verbose=False)
        for seed in (0, 0, 1)
    )
    assert found.to_dict() == again.to_dict()
    assert found.samples != other.samples
    assert found.held_out.frechet == other.held_out.frechet
    assert (found.num_reference, found.num_images, found.classifier_accuracy) == (70, 40, features.accuracy)
    assert "not comparable with Inception" in found.title
    assert "not with FID or KID" in found.warnings()[0]
    assert "40 images are too few for the covariance of 64 features" in found.warnings()[1]
    assert "held-out images" in str(found)
    found.save(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["samples"]["recall"] == found.samples.recall
    found.plot(tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size > 5000


def test_bad_arguments_are_refused(features):
    model, x = constant_model(np.full([8, 8], 0.3)), bars(15, 2)[0]
    with pytest.raises(ValueError, match=r"expected 20 or more in both sets, for 10 blocks.*received 15 and 15"):
        sample_quality(model, x, held_out=x, features=features, verbose=False)
    with pytest.raises(ValueError, match="blocks: expected a positive integer"):
        sample_quality(model, x, held_out=x, features=features, blocks=0, verbose=False)
    small = kv.models.vae((4, 4, 1), latent_size=2, hidden=[4])
    with pytest.raises(ValueError, match="images have the wrong shape"):
        sample_quality(
            small, np.zeros([30, 4, 4, 1]), held_out=np.zeros([30, 4, 4, 1]), features=features, verbose=False
        )
