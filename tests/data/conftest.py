"""Fixtures of the data tests."""

import socket

import numpy as np
import pytest

from keras_vae import data


def refuse(*args, **kwargs):
    raise AssertionError("reached for the network")


@pytest.fixture(scope="session")
def mnist_dir(tmp_path_factory):
    """A TFDS folder in which mnist_5k was prepared by `load`, with the network cut."""
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        data.load("mnist_5k", data_dir=folder)
    return folder


@pytest.fixture(scope="session")
def numbered():
    """257 images, [257, 4, 4] uint8, whose first two pixels spell the image's number."""
    images = np.full((257, 4, 4), 128, np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(257), 256)
    return images
