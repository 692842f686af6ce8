import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv


@pytest.fixture(scope="module")
def vae():
    model = kv.models.vae((4, 4, 1), latent_size=2, hidden=[8])
    model.compile(jit_compile=False)
    return model


ZEROS = np.zeros([20, 4, 4, 1], np.float32)


def spoiled(value, where=17):
    x = ZEROS.copy()
    x[where, 1, 2, 0] = value
    return x


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, np.nan, np.inf])
@pytest.mark.parametrize("as_dataset", [False, True], ids=["array", "dataset"])
def test_values_outside_the_support_are_found_wherever_they_are(vae, value, as_dataset):
    x = spoiled(value)
    data = tf.data.Dataset.from_tensor_slices(x).batch(5) if as_dataset else x
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    for use in (
        lambda: vae.fit(data, verbose=0),
        lambda: vae.fit(ZEROS, validation_data=data, verbose=0),
        lambda: vae.evaluate(data, verbose=0),
        lambda: kv.evaluation.log_likelihood(vae, data, num_samples=2, verbose=False),
    ):
        with pytest.raises(ValueError, match="expected every value exactly 0 or 1 for a Bernoulli likelihood") as error:
            use()
        assert f"received {shown}. " in str(error.value)
        assert "\n" not in str(error.value)


def test_gray_pixels_under_bernoulli_point_to_the_cure(vae):
    with pytest.raises(ValueError, match=r"ContinuousBernoulli.*preprocess='dynamic'"):
        vae.fit(np.full_like(ZEROS, 0.3))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (ZEROS[..., 0], r"x: expected shape \(batch, 4, 4, 1\), received \(20, 4, 4\). Add the channel axis"),
        (ZEROS[0], r"received \(4, 4, 1\)"),
        (ZEROS.astype(complex), "expected numbers, received dtype complex128"),
        (np.full(ZEROS.shape, "a"), "expected numbers, received dtype string"),
        (ZEROS[:0], "expected at least one example"),
        (tf.data.Dataset.from_tensor_slices(ZEROS), "Batch the dataset"),
        (tf.data.Dataset.from_tensor_slices(ZEROS[:0]).batch(5), "expected at least one batch"),
        (tf.data.Dataset.from_tensor_slices({"image": ZEROS}).batch(5), "expected elements x"),
    ],
)
def test_shapes_dtypes_and_emptiness(vae, x, message):
    with pytest.raises(ValueError, match=message):
        vae.fit(x, verbose=0)


class _Batches(keras.utils.PyDataset):
    """Two batches, the second spoiled or not."""

    def __init__(self, value):
        super().__init__()
        self.batches = [ZEROS[:10], spoiled(value, 3)[:10]]

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return (self.batches[index],)


def _stream(value):
    for batch in _Batches(value).batches:
        yield (batch,)


@pytest.mark.parametrize("make", [_Batches, _stream])
def test_other_iterables_are_checked_as_they_flow(vae, make):
    assert np.isfinite(vae.fit(make(1.0), verbose=0).history["loss"][0])
    with pytest.raises(ValueError, match=r"received 0\.5"):
        vae.fit(make(0.5), verbose=0)


def test_variables_and_lists(vae):
    vae.fit(tf.Variable(ZEROS), verbose=0)
    with pytest.raises(ValueError, match=r"received 0\.5"):
        vae.fit(tf.Variable(spoiled(0.5)), verbose=0)
    for several in ([ZEROS], list(ZEROS), (ZEROS,)):
        with pytest.raises(ValueError, match=r"expected one array, received a .*several inputs"):
            vae.fit(several, verbose=0)
    with pytest.raises(ValueError, match=r"expected one array, received a dict\. .* x\['x'\]"):
        vae.fit({"x": ZEROS}, verbose=0)


def test_binary_data_of_any_number_type_passes(vae):
    for dtype in (bool, np.uint8, np.int64, np.float64):
        vae.fit(ZEROS.astype(dtype), verbose=0)
        vae.fit(tf.data.Dataset.from_tensor_slices(ZEROS.astype(dtype)).batch(5), verbose=0)


def test_supports():
    binary, unit, real = (
        kv.families.Bernoulli.support,
        kv.families.ContinuousBernoulli.support,
        kv.families.Normal.support,
    )
    x = tf.constant([0.0, 1.0, 0.5, -0.1, 1.1, np.nan, np.inf])
    assert binary.contains(x).numpy().tolist() == [True, True, False, False, False, False, False]
    assert unit.contains(x).numpy().tolist() == [True, True, True, False, False, False, False]
    assert real.contains(x).numpy().tolist() == [True, True, True, True, True, False, False]
