"""Overload, a few seconds of it: every call is answered or refused, and nothing of it stays.

`benchmarks/serving_overload.py` is the long form.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import serving_overload


@pytest.mark.parametrize("batching", ["", serving_overload.BATCHING], ids=["alone", "batched"])
def test_ten_times_the_capacity(batching, tmp_path):
    # Few threads, so that even a slow machine has more to refuse than may wait.
    figures, _ = serving_overload.measure(tmp_path, batching, 3.0, "--grpc_max_threads=8", runs=2, run_seconds=0.5)
    codes = figures["overload"]["codes"]
    assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
    assert codes["RESOURCE_EXHAUSTED"] > codes["OK"]
    memory = figures["memory_mb"]
    assert memory["second_half"] < 1.2 * memory["first_half"]
