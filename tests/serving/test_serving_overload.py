"""Overload, a few seconds of it: every call is answered or refused, and nothing of it stays.

`benchmarks/served/overload.py` is the long form.
"""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "served"))

import load
import overload

pytestmark = pytest.mark.stress


@pytest.mark.parametrize("batching", ["", overload.BATCHING], ids=["alone", "batched"])
def test_ten_times_the_capacity(batching, tmp_path):
    # Few threads, so that even a slow machine has more to refuse than may wait.
    with overload.serve(tmp_path, batching, "--grpc_max_threads=8") as server:
        figures, _ = overload.measure(server, server, 3.0, runs=2, run_seconds=0.5)
        # gRPC itself would drop some of so many that come faster than they are looked at, and say CANCELLED.
        predict, request = server.channel.unary_unary(load.METHOD), load.request_bytes("decoder", 1)
        server.process.send_signal(signal.SIGSTOP)
        at_once = [predict.future(request, timeout=120) for _ in range(4000)]
        server.process.send_signal(signal.SIGCONT)
        assert {call.code().name for call in at_once} == {"OK", "RESOURCE_EXHAUSTED"}
    codes = figures["overload"]["codes"]
    assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
    assert codes["RESOURCE_EXHAUSTED"] > codes["OK"]
    memory = figures["memory_mb"]
    assert memory["second_half"] < 1.2 * memory["first_half"]
