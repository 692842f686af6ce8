"""Damaged model files: refused, or loaded as they were written; never other weights."""

import random

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.utils.model_file import load_model


def _state(model):
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory, binary_images):
    path = tmp_path_factory.mktemp("saved") / "vae.keras"
    vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8], seed=0)
    vae.compile()
    vae.fit(binary_images, epochs=1, verbose=0)
    vae.save(path)
    return path, _state(vae)


def _flipped(data, position, rng):
    changed = bytearray(data)
    changed[position] ^= rng.randrange(1, 256)
    return bytes(changed)


def test_a_changed_or_cut_file_is_refused_or_loads_as_it_was(saved, tmp_path):
    path, wanted = saved
    data, rng = path.read_bytes(), random.Random(0)
    size = len(data)
    anywhere = [_flipped(data, rng.randrange(size), rng) for _ in range(300)]
    in_the_directory = [_flipped(data, size - 1 - rng.randrange(300), rng) for _ in range(30)]
    cut = [data[: rng.randrange(size)] for _ in range(50)]
    refused, messages = [], []
    for damaged in (*anywhere, *in_the_directory, *cut):
        copy = tmp_path / "vae.keras"
        copy.write_bytes(damaged)
        try:
            found = _state(load_model(copy))
        except ValueError as error:
            refused.append(damaged)
            messages.append(str(error))
        else:
            for mine, theirs in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(mine, theirs)
    assert all(message.startswith(f"{copy} is damaged or not a Keras model: ") for message in messages)
    assert len(set(refused) & set(anywhere)) > 290  # almost all bytes are weights and configuration
    assert set(cut) <= set(refused)
