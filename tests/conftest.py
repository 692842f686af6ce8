"""Shared fixtures."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import conformance_table


@pytest.fixture(autouse=True)
def _clean_state():
    """Leave no dtype policy or seed behind for the next test."""
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True, scope="module")
def _free_models():
    """Free the models of a module: making and freeing functions takes ever longer while thousands are alive."""
    yield
    if gc.get_count()[2] >= 10:  # some 70,000 objects made since the last full collection
        gc.collect()


@pytest.fixture(autouse=True, scope="session")
def _free_iterators():
    """Iterate without autotuning: it holds up the end of an iterator that a failed step abandoned, by seconds."""
    iterate = tf.data.Dataset.__iter__
    options = tf.data.Options()
    options.autotune.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.data.Dataset, "__iter__", lambda dataset: iterate(dataset.with_options(options)))
        yield


@pytest.fixture(scope="session")
def binary_images() -> np.ndarray:
    """64 binary images with structure, [64, 8, 8, 1]: bars at random places."""
    rng = np.random.default_rng(0)
    x = np.zeros([64, 8, 8, 1], np.float32)
    for image in x:
        image[rng.integers(8), :, 0] = 1
        image[:, rng.integers(8), 0] = 1
    return x


@pytest.fixture
def digits(tmp_path, binary_images):
    """Return an .npz of 8-bit images: 64 to train on, 16 to test on."""
    path = tmp_path / "digits.npz"
    gray = (binary_images * 250).astype(np.uint8)
    np.savez(path, x_train=gray, x_test=gray[:16])
    return path


def pytest_collection_finish():
    """Leave what has been imported out of garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Put the conformance tests of one composition beside each other: they share a trained model."""
    conformance = [item for item in items if item.path.name == "test_conformance.py"]
    if conformance:
        start = items.index(conformance[0])
        names = [item.callspec.params.get("name", "") if hasattr(item, "callspec") else "" for item in conformance]
        order = sorted(range(len(names)), key=lambda i: names[i])  # stable: those without a name come first
        items[start : start + len(conformance)] = [conformance[i] for i in order]


def pytest_terminal_summary(terminalreporter):
    """Print what each composition of the golden list passed."""
    text = conformance_table.table(conformance_table.outcomes(terminalreporter))
    if text:
        terminalreporter.section("conformance")
        terminalreporter.write_line(text)
