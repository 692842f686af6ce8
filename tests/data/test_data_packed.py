"""Batches sent as bytes: the numbers made of them in the step are the dataset's own, and none pass unchecked."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.conditions import Label, Vector
from keras_vae.data import PackedDataset
from keras_vae.data.packed_dataset import PackedBatch
from keras_vae.families import Bernoulli, Normal
from keras_vae.trainer.packed_input import packed_batches

KINDS = [("bernoulli", "dynamic"), ("bernoulli", "static"), ("normal", "gray"), ("normal", "dequantized")]
EVENT = (8, 8, 1)


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, [35, 8, 8], np.uint8)


@pytest.fixture
def labeled(pixels):
    return tf.data.Dataset.from_tensor_slices((pixels, np.arange(35) % 10))


def flat(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def pair(x):
    return x if isinstance(x, tuple) else (x, None)


def model(likelihood="bernoulli", condition=None, **compiled):
    keras.utils.set_random_seed(3)
    vae = kv.models.vae(EVENT, latent_size=2, hidden=[8], likelihood=likelihood, condition=condition, seed=5)
    vae.compile(keras.optimizers.Adam(1e-2), **compiled)
    return vae


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize(("likelihood", "preprocess"), KINDS)
def test_x_made_in_a_step_is_the_datasets(labeled, likelihood, preprocess, with_labels):
    def load():
        return kv.data.load(
            labeled, batch_size=16, likelihood=likelihood, preprocess=preprocess, with_labels=with_labels, seed=4
        )

    opened, bytes_ = load(), load().packed
    step = tf.function(lambda batch: batch.unpack())
    for _ in range(2):  # two epochs, with an order and noise of their own
        wanted, found = list(opened), [step(batch) for batch in bytes_]
        assert [len(pair(x)[0]) for x in found] == [16, 16, 3]
        for one, other in zip(wanted, found, strict=True):
            for part, same in zip(pair(one), pair(other), strict=True):
                assert (part is None) == (same is None) == (part is None)
                if part is not None:
                    assert part.dtype == same.dtype
                    # TensorFlow makes a division by 255 a multiplication in graphs: a unit in the last place.
                    np.testing.assert_allclose(part, same, rtol=1.2e-7, atol=0)


@pytest.mark.parametrize(("likelihood", "preprocess"), KINDS)
def test_x_made_under_xla_has_noise_of_the_same_law_that_repeats(likelihood, preprocess):
    pixels = np.random.default_rng(2).integers(0, 256, [500, 8, 8], np.uint8)
    options = {"batch_size": 500, "likelihood": likelihood, "preprocess": preprocess, "shuffle": False}
    batch = next(iter(kv.data.load(pixels, **options).packed))
    step = tf.function(lambda batch: batch.unpack(), jit_compile=True)
    x = step(batch).numpy()
    np.testing.assert_array_equal(step(batch), x)
    assert np.all((Bernoulli if likelihood == "bernoulli" else Normal)(EVENT).support.contains(tf.constant(x)))
    # The mean of 32,000 values about their gray level, or 2⁻⁹ above: a standard deviation of at most 0.0028.
    assert abs(np.mean(x[..., 0]) - np.mean(pixels) / 255) < 0.012


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_only_bytes_are_sent(pixels, likelihood):
    family = Bernoulli(EVENT) if likelihood == "bernoulli" else Normal(EVENT)
    sent = packed_batches(kv.data.load(pixels, likelihood=likelihood, batch_size=16), family, None)
    assert next(iter(sent)).pixels.dtype == tf.uint8
    assert int(sent.cardinality()) == 3


def test_gray_pixels_are_255ths_and_labels_stay_with_them(pixels, labeled):
    dataset = kv.data.load(labeled, "test", likelihood="normal", preprocess="gray", with_labels=True)
    x, y = next(iter(dataset.packed)).unpack()
    np.testing.assert_array_equal(x[..., 0], pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(y, np.arange(35) % 10)


KEPT = {
    "take": lambda d: d.take(2),
    "skip": lambda d: d.skip(1),
    "shard": lambda d: d.shard(2, 0),
    "repeat": lambda d: d.repeat(2),
    "shuffle": lambda d: d.shuffle(3, seed=1),
    "prefetch": lambda d: d.prefetch(1),
    "with_options": lambda d: d.with_options(tf.data.Options()),
    "chain": lambda d: d.repeat(2).skip(1).take(3).prefetch(tf.data.AUTOTUNE),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_dataset_whose_batches_are_the_same_stays_packed(labeled, name):
    dataset = KEPT[name](kv.data.load(labeled, batch_size=8, shuffle=False, with_labels=True, likelihood="normal"))
    assert isinstance(dataset, PackedDataset)
    ordinary = KEPT[name](
        kv.data.load(labeled, batch_size=8, shuffle=False, with_labels=True, likelihood="normal").map(lambda *xy: xy)
    )
    assert type(ordinary) is not PackedDataset
    assert dataset.element_spec == ordinary.element_spec
    assert dataset.cardinality() == dataset.packed.cardinality() == ordinary.cardinality()
    wanted = list(ordinary)
    assert wanted
    sent = packed_batches(dataset, Normal(EVENT), Label(10))
    for found in (list(dataset), [batch.unpack() for batch in sent]):
        for (x, y), (same_x, same_y) in zip(found, wanted, strict=True):
            np.testing.assert_allclose(x, same_x, rtol=1.2e-7, atol=0)
            np.testing.assert_array_equal(y, same_y)


@pytest.mark.parametrize(
    "made",
    [
        lambda d: d.map(lambda x: x),
        lambda d: d.map(lambda x: 1 - x),
        lambda d: d.unbatch().batch(4),
        lambda d: d.concatenate(d),
        lambda d: d.cache(),
        lambda d: np.concatenate(list(d)),
    ],
)
def test_what_a_user_made_of_a_dataset_is_taken_as_it_is(pixels, made):
    assert packed_batches(made(kv.data.load(pixels)), Bernoulli(EVENT), None) is None
    assert packed_batches(kv.data.load(pixels), Bernoulli(EVENT), None) is not None


def test_it_is_a_dataset_for_tf_data(pixels, labeled):
    dataset = kv.data.load(labeled, "test", batch_size=10, likelihood="normal", with_labels=True)
    assert isinstance(dataset, tf.data.Dataset)
    assert repr(dataset).startswith("<PackedDataset element_spec=(TensorSpec(shape=(None, 8, 8, 1)")
    assert len(dataset) == 4
    assert [y.shape[0] for _, y in dataset.as_numpy_iterator()] == [10, 10, 10, 5]
    assert [x.shape[0] for x, _ in dataset.rebatch(20)] == [20, 15]
    assert int(dataset.reduce(np.int64(0), lambda n, xy: n + 1)) == 4
    assert int(dataset.map(lambda x, y: y).unbatch().reduce(0, lambda a, b: a + b)) == sum(n % 10 for n in range(35))
    zipped = tf.data.Dataset.zip(dataset, dataset)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zipped)
    nested = tf.data.Dataset.range(2).flat_map(lambda n: dataset)
    assert len(list(nested)) == 8
    assert not dataset.options().autotune.enabled
    options = tf.data.Options()
    options.deterministic = False
    assert dataset.with_options(options).options().deterministic is False


def test_any_keras_model_trains_on_it(labeled):
    dataset = kv.data.load(labeled, batch_size=10, likelihood="normal", with_labels=True, shuffle=False)
    classifier = keras.Sequential([keras.Input(EVENT), keras.layers.Flatten(), keras.layers.Dense(10)])
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = classifier.fit(dataset, validation_data=dataset.take(1), epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert classifier.predict(dataset, verbose=0).shape == (35, 10)
    assert model("normal").predict(kv.data.load(labeled, likelihood="normal"), verbose=0).shape == (35, *EVENT)


def test_a_strategy_distributes_it(labeled):
    dataset = kv.data.load(labeled, batch_size=10, likelihood="normal", with_labels=True, shuffle=False)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    assert [y.shape[0] for _, y in strategy.experimental_distribute_dataset(dataset)] == [10, 10, 10, 5]
    with strategy.scope():
        vae = model("normal", condition=Label(10))
    vae.fit(strategy.experimental_distribute_dataset(dataset), steps_per_epoch=4, verbose=0)
    assert int(vae._steps) == 4


REPLICAS = """
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_vae as kv

pixels = np.random.default_rng(1).integers(0, 256, [35, 8, 8], np.uint8)
labeled = tf.data.Dataset.from_tensor_slices((pixels, np.arange(35) % 10))
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def train(strategy, made):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8], condition=kv.conditions.Label(10), seed=5)
        vae.compile(keras.optimizers.SGD(1e-2), jit_compile=False)
    start = vae.get_weights()
    dataset = made(kv.data.load(labeled, batch_size=16, with_labels=True, shuffle=False))
    vae.fit(dataset, validation_data=dataset, epochs=2, verbose=0)
    return [new - old for new, old in zip(vae.get_weights(), start)]


packed = train(two, lambda d: d.take(3))
ordinary = train(two, lambda d: d.map(lambda x, y: (x, y)))
alone = train(tf.distribute.OneDeviceStrategy("CPU:0"), lambda d: d)
for other in (ordinary, alone):
    for mine, theirs in zip(packed, other):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)
assert max(np.abs(step).max() for step in packed) > 1e-4
dataset = kv.data.load(labeled, batch_size=16, with_labels=True, shuffle=False)
sizes = [[len(part) for part in y.values] for _, y in two.experimental_distribute_dataset(dataset)]
assert sizes == [[8, 8], [8, 8], [2, 1]], sizes
"""


@pytest.mark.stress
def test_two_replicas_share_packed_batches():
    """Logical CPUs need a fresh process."""
    root = Path(__file__).parent.parent.parent
    result = subprocess.run([sys.executable, "-c", REPLICAS], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


class OwnStep(kv.VAE):
    """A user's model, which looks at what its step receives."""

    def train_step(self, data):
        self.received = data
        return super().train_step(data)


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize("made", [lambda d: d, lambda d: d.take(3)])
def test_a_users_own_step_receives_tensors_although_bytes_are_sent(labeled, made, with_labels):
    parts = model()
    vae = OwnStep(encoder=parts.encoder, decoder=parts.decoder)
    vae.compile("sgd")
    dataset = made(kv.data.load(labeled, batch_size=10, with_labels=with_labels))
    assert types_sent(vae, dataset) == {tf.uint8, tf.int64, tf.int32}
    x = vae.received[0] if with_labels else vae.received
    assert isinstance(vae.received, tuple) == with_labels
    assert x.dtype == tf.float32
    assert tuple(x.shape) == (None, *EVENT)
    if with_labels:
        assert vae.received[1].dtype == tf.int32


# That each keeps the type is tested above, for every one; that the type sends bytes, by default for some.
@pytest.mark.parametrize(
    ("name", "method"),
    [
        pytest.param(name, method, marks=[] if name in ("take", "chain") else [pytest.mark.stress])
        for name in KEPT
        for method in ("fit", "evaluate")
    ],
)
def test_bytes_are_sent_after_any_transformation_that_keeps_the_batches(pixels, name, method):
    dataset = KEPT[name](kv.data.load(pixels, batch_size=8))
    assert tf.uint8 in types_sent(model(), dataset, method)
    assert types_sent(model(), dataset.map(lambda x: x), method) == {tf.float32}


def types_sent(vae, dataset, method="fit"):
    """Return the dtypes of a batch as the compiled function takes it from its iterator."""
    found = []
    step = vae.distribute_strategy.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vae.distribute_strategy, "run", lambda function, args: found.append(args) or step(function, args))
        getattr(vae, method)(dataset, verbose=0)
    return {part.dtype for part in tf.nest.flatten(found)}


def test_a_users_change_of_the_values_is_trained_on(pixels):
    one, other = model(), model()
    one.fit(kv.data.load(pixels, batch_size=16).map(lambda x: 1 - x), verbose=0)
    other.fit(kv.data.load(pixels, batch_size=16), verbose=0)
    assert np.abs(flat(one) - flat(other)).max() > 1e-3


@pytest.mark.stress
@pytest.mark.parametrize("ordinary", [False, True])
def test_data_made_for_another_likelihood_is_refused(pixels, ordinary):
    dataset = kv.data.load(pixels, likelihood="normal", preprocess="gray")
    dataset = dataset.map(lambda x: x) if ordinary else dataset
    with pytest.raises(
        ValueError, match=r"refuses this data: x: expected every value .* for a Bernoulli likelihood, received 0\.\d+"
    ):
        model().fit(dataset, verbose=0)
    with pytest.raises(ValueError, match="for a Bernoulli likelihood, received"):
        model().evaluate(dataset, verbose=0)
    with pytest.raises(ValueError, match="for a Bernoulli likelihood, received"):
        model().fit(kv.data.load(pixels), validation_data=dataset, verbose=0)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"x: expected shape \(batch, 8, 8, 1\), received \(None, 6, 6, 1\)"):
        model().fit(kv.data.load(np.full([4, 6, 6], 200, np.uint8)), verbose=0)


def test_labels_outside_the_condition_are_refused(pixels, labeled):
    dataset = kv.data.load(labeled, batch_size=16, with_labels=True)
    assert packed_batches(dataset, Bernoulli(EVENT), Label(10)) is not None
    with pytest.raises(ValueError, match=r"refuses this data: y: expected .* for a condition, received [5-9]"):
        model(condition=Label(5)).fit(dataset, verbose=0)
    with pytest.raises(ValueError, match=r"expected batches of .* for a conditional model"):
        model(condition=Label(10)).fit(kv.data.load(pixels), verbose=0)
    with pytest.raises(ValueError, match=r"expected batches of .* for a conditional model"):
        model(condition=Vector(3)).fit(dataset, verbose=0)


@pytest.mark.parametrize("condition", [None, Label(10)])
@pytest.mark.stress
def test_fit_over_bytes_is_the_ordinary_fit(labeled, condition, monkeypatch):
    def load():
        return kv.data.load(labeled, batch_size=16, with_labels=condition is not None, seed=2)

    kinds = []
    preprocessed = PackedBatch.unpack
    monkeypatch.setattr(PackedBatch, "unpack", lambda self: kinds.append(type(self)) or preprocessed(self))
    one, other = (model(condition=condition) for _ in range(2))
    start = flat(one)
    logs = one.fit(load(), epochs=2, validation_data=load(), verbose=0).history
    assert kinds
    same = (lambda x, y: (x, y)) if condition is not None else (lambda x: x)
    ordinary = load().map(same), load().map(same)
    kinds.clear()
    wanted = other.fit(ordinary[0], epochs=2, validation_data=ordinary[1], verbose=0).history
    assert not kinds
    assert np.abs(flat(one) - start).max() > 1e-2
    np.testing.assert_allclose(flat(one), flat(other), rtol=1e-5, atol=1e-6)
    assert logs.keys() == wanted.keys()
    for key in wanted:
        np.testing.assert_allclose(logs[key], wanted[key], rtol=1e-5, err_msg=key)
