"""Monitor against linear models, whose posterior is known by matrix products."""

import warnings

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_vae as kv
from keras_vae.training import HistoryFile, Monitor, PosteriorCollapseWarning, read_history
from keras_vae.training.monitor import CollapseWatch
from tests import linear_gaussian


def still(model):
    """Compile such that the weights do not move."""
    model.compile(optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)  # quicker than tracing a few steps
    return model


def collapsed(num_latents=2):
    """A model whose encoder ignores x and gives the prior; its decoder ignores z."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(num_latents)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
    )
    for head in (vae.encoder.head, vae.decoder.head):
        head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    return still(vae)


def healthy():
    return still(linear_gaussian.model(exact_posterior=True, num_samples=20))


def fit(model, x, epochs=1, **kwargs):
    return model.fit(x, epochs=epochs, batch_size=32, verbose=0, **kwargs).history


def test_measures_against_the_exact_posterior(monkeypatch):
    monkeypatch.setattr("keras_vae.training.monitor._ROWS", 64)  # several parts, the last one smaller
    x = linear_gaussian.data(400)
    monitor = Monitor(x)
    history = fit(healthy(), linear_gaussian.data(32), epochs=2, callbacks=[monitor])
    w, b = linear_gaussian.weights()
    sigma = linear_gaussian.SIGMA
    precision = np.sum(w**2, axis=0) + sigma**2
    means = (x - b) @ w / precision
    variance = sigma**2 / precision
    # KL by quadrature, exact here: the logarithms of the densities differ by a polynomial of degree 2.
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    z = means[..., None] + np.sqrt(variance)[:, None] * nodes
    posterior = scipy.stats.norm(means[..., None], np.sqrt(variance)[:, None])
    difference = posterior.logpdf(z) - scipy.stats.norm.logpdf(z)
    kl = np.mean(difference @ weights / weights.sum(), axis=0)
    # E_q[log p(x|z)]: the mean's, less what z's spread adds to the squared error.
    error = np.sum((x - b - means @ w.T) ** 2, axis=1) + np.sum(w**2 @ variance)
    distortion = np.mean(0.5 * error / sigma**2) + 2.5 * np.log(2 * np.pi * sigma**2)
    found = monitor.history[1]
    assert [entry["epoch"] for entry in monitor.history] == [1, 2]
    np.testing.assert_allclose(found["kl"], kl, rtol=1e-4)
    assert found["rate"] == pytest.approx(kl.sum(), rel=1e-4)
    # The mean of 400 × 20 draws of a sum of squares, whose standard deviation over z is about 2 nats: ± 0.02.
    assert found["distortion"] == pytest.approx(distortion, abs=0.1)
    assert found["active_units"] == 2
    assert history["active_units"] == [2, 2]


def test_active_units_are_those_whose_mean_varies():
    model = healthy()
    kernel, bias = model.encoder.head.get_weights()
    kernel = kernel.reshape(5, 2, 2)
    kernel[:, 1, 0] *= 0.05
    model.encoder.head.set_weights([kernel.reshape(5, 4), bias])
    x = linear_gaussian.data(200)
    variance = np.var(x @ kernel[:, :, 0], axis=0)
    assert variance[0] > 0.01 > variance[1] > 1e-4
    monitor = Monitor(x)
    fit(model, x, callbacks=[monitor])
    assert monitor.history[0]["active_units"] == 1


def test_categorical_latents_count_once():
    categories = kv.families.OneHotCategorical((3, 4))
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), categories),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=kv.priors.Uniform(categories),
        objective=kv.objectives.ELBO(num_samples=2, estimator="leave_one_out"),
    )
    monitor = Monitor(5 * linear_gaussian.data(50))
    fit(still(vae), linear_gaussian.data(50), callbacks=[monitor])
    assert monitor.history[0]["kl"].shape == (3,)
    assert monitor.history[0]["active_units"] == 3


def test_a_collapsed_posterior_is_told_once_with_the_cure():
    monitor = Monitor(linear_gaussian.data(50))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fit(collapsed(), linear_gaussian.data(50), epochs=4, callbacks=[monitor])
    (told,) = [w for w in caught if issubclass(w.category, PosteriorCollapseWarning)]
    for part in ("after epoch 2 0 of 2 latents", "schedules.Linear(0.0, 1.0", "free_bits", "smaller decoder"):
        assert part in str(told.message)
    assert history["active_units"] == [0] * 4
    assert monitor.history[-1]["rate"] == pytest.approx(0, abs=1e-6)


def test_training_into_collapse_is_noticed():
    # A hundredfold KL drives any posterior to the prior.
    keras.utils.set_random_seed(0)
    model = kv.models.vae((5,), latent_size=2, likelihood="normal", hidden=[16], seed=0)
    model.objective = kv.objectives.ELBO(beta=100.0)
    model.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    x = linear_gaussian.data(256)
    with pytest.warns(PosteriorCollapseWarning):
        fit(model, x, epochs=6, callbacks=[Monitor(x)])


def test_a_healthy_posterior_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(healthy(), linear_gaussian.data(50), epochs=2, callbacks=[Monitor(linear_gaussian.data(50))])


@pytest.mark.parametrize(
    ("active", "latents", "rate", "category"),
    [
        (0, 20, 3.0, PosteriorCollapseWarning),
        (5, 20, 0.09, PosteriorCollapseWarning),
        (1, 20, 3.0, UserWarning),
        (2, 20, 3.0, None),
        (1, 10, 0.11, None),
        (3, 20, float("nan"), None),
    ],
)
def test_what_is_said_of_few_active_latents(active, latents, rate, category):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        watch = CollapseWatch()
        watch.see(epoch=1, active=active, latents=latents, rate=rate)
        assert not caught  # too early to tell
        for epoch in (2, 3, 4):
            watch.see(epoch=epoch, active=active, latents=latents, rate=rate)
    assert [w.category for w in caught] == ([] if category is None else [category])


def test_collapse_is_said_after_the_softer_line_but_not_before():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        watch = CollapseWatch()
        for active in (1, 0, 1):
            watch.see(epoch=5, active=active, latents=20, rate=3.0)
    assert [w.category for w in caught] == [UserWarning, PosteriorCollapseWarning]


def test_training_and_its_metrics_are_those_without_a_monitor():
    x = linear_gaussian.data(100)
    found = []
    for callbacks in ([], [Monitor(x[:40])]):
        model = linear_gaussian.model(exact_posterior=False)
        model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
        history = fit(model, x, epochs=3, validation_data=x[:64], shuffle=False, callbacks=callbacks)
        history.pop("active_units", None)
        found.append((history, model.get_weights()))
    assert found[0][0] == found[1][0]
    for without, with_it in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(without, with_it)


def test_later_callbacks_see_the_active_units(tmp_path):
    path = tmp_path / "history.json"
    x = linear_gaussian.data(50)
    fit(healthy(), x, epochs=4, callbacks=[Monitor(x, every=2), HistoryFile(path)])
    assert [entry.get("active_units") for entry in read_history(path)] == [None, 2, None, 2]


def test_tensorboard_holds_the_measures(tmp_path):
    x = linear_gaussian.data(50)
    monitor = Monitor(x, tmp_path)
    fit(healthy(), x, epochs=2, callbacks=[monitor])
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    assert sorted(events.Tags()["tensors"]) == [
        f"latent/{name}" for name in ("active_units", "distortion", "kl", "kl_by_latent", "rate")
    ]
    for name in ("active_units", "distortion", "rate"):
        written = events.Tensors(f"latent/{name}")
        assert [event.step for event in written] == [1, 2]
        assert [float(tf.make_ndarray(event.tensor_proto)) for event in written] == pytest.approx(
            [entry[name] for entry in monitor.history], rel=1e-6
        )
    _, _, picture = tf.make_ndarray(events.Tensors("latent/kl_by_latent")[0].tensor_proto)
    assert tf.io.decode_png(picture).numpy().std() > 1  # not blank


def test_latents_without_a_kl_of_their_own_are_measured_all_the_same():
    family = kv.families.Normal(2)
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), family),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=kv.priors.VampPrior(family, 5, components=3, bounded=False),
    )
    monitor = Monitor(linear_gaussian.data(50))
    fit(still(vae), linear_gaussian.data(50), callbacks=[monitor])
    assert monitor.history[0]["kl"] is None
    assert np.isfinite(monitor.history[0]["rate"])


def test_conditional_models_are_measured_under_their_conditions():
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(1)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        condition=kv.conditions.Label(2),
    )
    # The posterior's mean is 3 for label 1, else 0: it varies with the label alone.
    kernel = np.zeros([7, 2])
    kernel[6, 0] = 3
    vae.encoder.head.set_weights([kernel, np.zeros(2)])
    x, labels = linear_gaussian.data(40), np.arange(40) % 2
    monitors = [Monitor(x, condition=labels), Monitor(x, condition=1)]
    still(vae).fit(x, labels, verbose=0, callbacks=monitors)
    assert [m.history[0]["active_units"] for m in monitors] == [1, 0]
    assert [m.history[0]["rate"] for m in monitors] == pytest.approx([0.5 * 9 / 2, 0.5 * 9])
    assert [m.history[0]["kl"][0] for m in monitors] == pytest.approx([0.5 * 9 / 2, 0.5 * 9])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros([1, 5])}, r"two or more examples.*received \(1, 5\)"),
        ({"x": np.zeros([5])}, "two or more examples"),
        ({"x": np.zeros([3, 5]), "every": 0}, "every: expected a positive integer"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Monitor(**arguments)


def test_what_is_none_of_the_models_is_refused_before_an_epoch_is_spent():
    x = linear_gaussian.data(32)
    for monitor, message in (
        (Monitor(x, condition=3), "Monitor: the model has no condition"),
        (Monitor(x[:, :2]), r"expected shape \(batch, 5\), received"),
        (Monitor(np.full_like(x, np.nan)), "nan"),
    ):
        model = healthy()
        with pytest.raises(ValueError, match=message):
            fit(model, x, callbacks=[monitor])
        assert int(model.optimizer.iterations) == 0


def test_categorical_latents_are_active_by_what_they_carry():
    """A one-hot value's variance is far below that of a normal latent that carries as much."""
    family = kv.families.OneHotCategorical((2, 10))
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), family),
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=kv.priors.Uniform(kv.families.OneHotCategorical((2, 10))),
        objective=kv.objectives.ELBO(2, estimator="leave_one_out"),
    )
    kernel, bias = vae.encoder.head.get_weights()
    bias = np.zeros_like(bias)
    bias[:2] = 2.0  # the first variable tells little of x and much beside the uniform prior
    vae.encoder.head.set_weights([0.01 * kernel, bias])
    x = linear_gaussian.data(32)
    monitor = Monitor(x)
    still(vae).fit(x, verbose=0, callbacks=[monitor])
    logits = x @ (0.01 * kernel) + bias
    p = scipy.special.softmax(logits.reshape(32, 2, 10), axis=-1)
    wanted = np.mean(np.sum(p * np.log(10 * p), axis=-1), axis=0)
    np.testing.assert_allclose(monitor.history[0]["kl"], wanted, rtol=1e-3, atol=1e-6)
    assert monitor.history[0]["active_units"] == np.sum(wanted > 0.01) == 1


def test_discrete_latents_under_a_prior_that_joins_them_are_watched_by_their_rate(tmp_path):
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), kv.families.OneHotCategorical((2, 3))),
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=kv.priors.Autoregressive(kv.families.OneHotCategorical((2, 3))),
        objective=kv.objectives.ELBO(2, estimator="leave_one_out"),
    )
    x = linear_gaussian.data(32)
    monitor = Monitor(x, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PosteriorCollapseWarning)
        history = still(vae).fit(x, epochs=2, verbose=0, callbacks=[monitor]).history
    assert monitor.history[-1]["rate"] > 0.1
    assert monitor.history[-1]["active_units"] is None
    assert "active_units" not in history
    with pytest.warns(PosteriorCollapseWarning, match=r"after epoch 2 the rate is 0\.01 nats"):
        CollapseWatch().see(epoch=2, active=None, latents=0, rate=0.01)
