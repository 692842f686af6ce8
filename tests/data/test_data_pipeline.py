"""Order, batches, labels, and what may and may not change from one pass to the next."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import data

NOISY = np.full((257, 4, 4), 128, np.uint8)


def passes(dataset, count):
    return [np.concatenate(list(dataset.as_numpy_iterator())) for _ in range(count)]


def numbers(x):
    """Read back the numbers of `numbered` images, loaded as gray."""
    first, second = np.rint(x[:, 0, :2, 0] * 255).astype(int).T
    return first * 256 + second


def gray(source, **kwargs):
    return data.load(source, likelihood="normal", preprocess="gray", **kwargs)


def test_shapes_cardinality_and_last_batch(numbered):
    dataset = data.load(numbered, batch_size=100)
    assert dataset.element_spec == tf.TensorSpec([None, 4, 4, 1], tf.float32)
    assert int(dataset.cardinality()) == 3
    assert [len(x) for x in dataset] == [100, 100, 57]


@pytest.mark.parametrize("batch_size", [1, 64, 257, 1000])
def test_every_pass_has_each_example_once_in_a_new_order(numbered, batch_size):
    dataset = gray(numbered, batch_size=batch_size)
    first, second, third = (numbers(x) for x in passes(dataset, 3))
    for order in (first, second, third):
        assert sorted(order) == list(range(257))
    assert not np.array_equal(first, np.arange(257))
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_shuffling_reaches_across_the_whole_set(numbered):
    order = numbers(passes(gray(numbered, batch_size=10), 1)[0])
    # The correlation of a random order with the place has standard deviation 1/sqrt(256).
    assert abs(np.corrcoef(order, np.arange(257))[0, 1]) < 5 / 16


def test_split_decides_whether_to_shuffle(numbered):
    for split in ("test", "validation", "all"):
        np.testing.assert_array_equal(numbers(passes(gray(numbered, split=split), 1)[0]), np.arange(257))
    kept = gray(numbered, split="train", shuffle=False)
    np.testing.assert_array_equal(numbers(passes(kept, 1)[0]), np.arange(257))
    mixed = gray(numbered, split="test", shuffle=True)
    assert not np.array_equal(numbers(passes(mixed, 1)[0]), np.arange(257))


def test_labels_stay_with_their_images(numbered):
    pairs = tf.data.Dataset.from_tensor_slices((numbered, np.arange(257)))
    dataset = data.load(pairs, likelihood="normal", preprocess="gray", with_labels=True, batch_size=50)
    assert dataset.element_spec[1] == tf.TensorSpec([None], tf.int32)
    for x, y in dataset:
        np.testing.assert_array_equal(numbers(x.numpy()), y)


@pytest.mark.parametrize(("likelihood", "preprocess"), [("bernoulli", "dynamic"), ("normal", "dequantized")])
def test_training_noise_is_fresh_and_evaluation_noise_is_not(likelihood, preprocess):
    train = data.load(NOISY, likelihood=likelihood, preprocess=preprocess)
    images = [{image.tobytes() for image in x} for x in passes(train, 2)]
    assert len(images[0] & images[1]) <= 5  # 257 draws of 16 bits coincide about once
    test = data.load(NOISY, "test", likelihood=likelihood, preprocess=preprocess)
    first, second = passes(test, 2)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3)])  # 15 pixels do not fill the generator's blocks of 4
@pytest.mark.parametrize(
    ("likelihood", "preprocess"), [("bernoulli", "dynamic"), ("bernoulli", "static"), ("normal", None)]
)
def test_evaluation_does_not_depend_on_batch_size(shape, likelihood, preprocess):
    images = np.full((257, *shape), 128, np.uint8)
    small, large = (
        passes(data.load(images, "test", batch_size=b, likelihood=likelihood, preprocess=preprocess), 1)[0]
        for b in (7, 200)
    )
    np.testing.assert_array_equal(small, large)


def test_static_sample_belongs_to_the_example():
    """Whatever the order, the batch size and the pass, example i has the same sample."""
    images = np.random.default_rng(0).integers(2, 254, (2100, 4, 4), dtype=np.uint8)
    pairs = data.read(tf.data.Dataset.from_tensor_slices((images, np.arange(2100))))
    fixed = passes(data.load(pairs, "train", shuffle=False, preprocess="static"), 1)[0]
    dataset = data.load(pairs, "train", preprocess="static", batch_size=33, with_labels=True)
    for _ in range(2):
        for x, y in dataset:
            np.testing.assert_array_equal(x, fixed[y.numpy()])
    other = passes(data.load(pairs, "train", shuffle=False, preprocess="static", seed=1), 1)[0]
    assert not np.array_equal(fixed, other)


@pytest.mark.parametrize("preprocess", ["static", "dynamic", "dequantized"])
def test_two_splits_and_two_sets_share_no_noise(preprocess):
    """Gray 128 leaves 16,448 pixels of pure noise: a correlation has the standard deviation 1/128."""
    likelihood = "continuous_bernoulli"
    images = np.full((1028, 4, 4), 128, np.uint8)
    others = np.concatenate([images[:-1], images[-1:] + 1])
    kept = {"likelihood": likelihood, "preprocess": preprocess, "shuffle": False}
    sets = [
        passes(data.load(given, split, **kept), 1)[0].ravel()
        for given, split in ((images, "train"), (images, "test"), (images, "validation"), (others, "train"))
    ]
    correlations = np.corrcoef(sets)[np.triu_indices(4, 1)]
    assert np.all(abs(correlations) < 5 / 128), correlations
    # Nor do the epochs of two training sets.
    epochs = [passes(data.load(given, **{**kept, "shuffle": True}), 1)[0].ravel() for given in (images, others)]
    assert abs(np.corrcoef(epochs)[0, 1]) < 5 / 128
    again = passes(data.load(images, "test", **kept), 1)[0].ravel()
    np.testing.assert_array_equal(again, sets[1])


def test_seed_decides_everything():
    def two(seed):
        return np.stack(passes(data.load(NOISY, seed=seed), 2))

    np.testing.assert_array_equal(two(5), two(5))
    assert not np.array_equal(two(5), two(6))


def test_interleaved_iterators_are_separate_passes(numbered):
    dataset = gray(numbered, batch_size=257)
    one, other = iter(dataset), iter(dataset)
    first, second = numbers(next(one).numpy()), numbers(next(other).numpy())
    assert sorted(first) == sorted(second)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("split", "preprocess"), [("train", "dynamic"), ("train", "static"), ("test", "dynamic")])
def test_resumed_training_sees_the_batches_of_an_undisturbed_run(numbered, split, preprocess):
    settings = {"split": split, "preprocess": preprocess, "batch_size": 60, "seed": 9}
    dataset, steps = data.epochs(numbered, **settings)
    assert steps == 5
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    whole = list(dataset.take(4 * steps).as_numpy_iterator())
    resumed, _ = data.epochs(numbered, start_epoch=2, **settings)
    for expected, got in zip(whole[2 * steps :], resumed.take(2 * steps).as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(expected, got)
    if split == "train":
        assert not np.array_equal(whole[0], whole[steps])


def test_passes_over_load_are_the_epochs_of_epochs(numbered):
    endless, steps = data.epochs(numbered, likelihood="normal", seed=3)
    expected = list(endless.take(3 * steps).as_numpy_iterator())
    dataset = data.load(numbered, likelihood="normal", seed=3)
    got = [x for _ in range(3) for x in dataset.as_numpy_iterator()]
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_replicas_share_the_batches(numbered):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        dataset = data.load(numbered, batch_size=100)
        shared = strategy.experimental_distribute_dataset(data.load(numbered, batch_size=100))
    for a, b in zip(dataset, shared, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("batch_size", 0),
        ("batch_size", -1),
        ("batch_size", 2.5),
        ("batch_size", True),
        ("seed", -1),
        ("seed", 2**31),
        ("seed", "0"),
        ("start_epoch", -1),
    ],
)
def test_numbers_out_of_range(numbered, argument, value):
    with pytest.raises(ValueError, match=f"{argument}: expected an integer from .*, received {value!r}"):
        data.epochs(numbered, **{argument: value})


def test_labels_that_are_not_there(numbered):
    with pytest.raises(ValueError, match=r"expected a source with labels, received The array.*Pass"):
        data.load(numbered, with_labels=True)
