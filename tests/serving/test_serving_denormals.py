"""Denormal numbers in the calling thread."""

import threading

import numpy as np

from serving.core import denormals

TINY = np.finfo(np.float32).tiny


def halves():
    return bool(TINY / np.float32(2) > 0)


def test_denormals_are_zeros_within_and_not_after():
    assert halves()
    with denormals.flushed():
        assert halves() is not denormals.AVAILABLE
    assert halves()


def test_a_thread_that_flushes_goes_on():
    with denormals.flushed():
        with denormals.flushed():
            pass
        assert halves() is not denormals.AVAILABLE


def test_other_threads_are_left_alone():
    found = []
    inside, done = threading.Event(), threading.Event()

    def flush():
        with denormals.flushed():
            inside.set()
            done.wait(30)

    thread = threading.Thread(target=flush)
    thread.start()
    inside.wait(30)
    found.append(halves())
    done.set()
    thread.join()
    assert found == [True]
