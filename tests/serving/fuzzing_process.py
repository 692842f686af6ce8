"""A server in a process of its own, which a crash would end without ending the tests; and what it takes up."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from fuzzing import Call
from fuzzing_answers import check
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from serving_testing import SEEDS, Stubs, X, free_port, predict_request

import serving

_ROOT = Path(serving.__file__).parents[1]
# Long enough for any machine: what takes longer hangs.
_TIMEOUT = 60
# Requests wait for batches here; how many may is not what is tested, and the default of 10 would refuse some.
BATCHING = """
    max_batch_size { value: 64 }
    batch_timeout_micros { value: 500 }
    max_enqueued_batches { value: 10000 }
    allowed_batch_sizes: [8, 64]
"""
METRICS_PATH = "/monitoring/prometheus/metrics"


class Usage(NamedTuple):
    """What a process takes up: megabytes of memory, open files and sockets, and threads."""

    memory: float
    handles: int
    threads: int


class Server:
    """A server process, and ways to send it anything."""

    def __init__(self, process: subprocess.Popen, port: int, rest_port: int, log: Path) -> None:
        self.process, self.port, self.rest_port, self.log = process, port, rest_port, log
        self.stubs = Stubs(port)
        self.channel = self.stubs.channel
        self.sent = 0

    def answers(self) -> list[bytes]:
        """Asks a question whose answer must always be the same, bit for bit."""
        requests = [predict_request("encode", x=X), predict_request("", seed=SEEDS)]
        return [
            value.SerializeToString(deterministic=True)
            for request in requests
            for _, value in sorted(self.stubs.predict(request, timeout=_TIMEOUT).outputs.items())
        ]

    def send(self, calls: Sequence[Call], timeout: float = _TIMEOUT) -> list[grpc.Future]:
        """Sends calls in parallel."""
        self.sent += len(calls)
        return [self.channel.unary_unary(call.method).future(call.message, timeout=timeout) for call in calls]

    def send_and_check(self, calls: Sequence[Call]) -> None:
        """Sends calls in parallel, and fails unless each is answered correctly or refused."""
        for call, future in zip(calls, self.send(calls), strict=True):
            code, details = outcome(future)
            try:
                check(call, code, details, future.result() if code is grpc.StatusCode.OK else None)
            except Exception as error:
                raise AssertionError(f"{call} was answered {code}: {details}") from error

    def usage(self) -> Usage:
        folder = Path("/proc") / str(self.process.pid)
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        memory = int(status["VmRSS"].split()[0]) / 1024
        return Usage(memory, len(os.listdir(folder / "fd")), int(status["Threads"]))


def fuzz(strategy: st.SearchStrategy, examples: int, call: Callable, number: int = 0) -> None:
    """Calls with what a strategy makes: the same in each run, and for each number something else."""
    options = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    seed(number)(options(given(strategy)(call)))()


def outcome(future: Any) -> tuple[grpc.StatusCode, str]:
    """Waits for a call's end."""
    try:
        code, details = future.code(), future.details()
    except grpc.FutureCancelledError:
        code, details = grpc.StatusCode.CANCELLED, ""
    return code, details


@contextmanager
def server_process(folder: Path, config: str, *flags: str, batching: str = "") -> Iterator[Server]:
    """Starts a server with REST and metrics, and kills it in the end.

    Args:
        folder: For its files.
        config: Its `ModelServerConfig`.
        flags: More flags.
        batching: Its `BatchingParameters`; none for no batching.
    """
    files = {"model": config, "monitoring": f'prometheus_config {{ enable: true path: "{METRICS_PATH}" }}'}
    if batching:
        files["batching"] = batching
    for name, text in files.items():
        (folder / name).write_text(text)
    port, rest_port, log = free_port(), free_port(), folder / "log"
    command = [
        *(sys.executable, "-m", "serving", f"--port={port}", f"--rest_api_port={rest_port}"),
        *(f"--model_config_file={folder / 'model'}", f"--monitoring_config_file={folder / 'monitoring'}"),
        *((f"--batching_parameters_file={folder / 'batching'}", "--enable_batching") if batching else ()),
        *flags,
    ]
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        try:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith(b"Listening"):
                assert line, log.read_text()
            server = Server(process, port, rest_port, log)
            with server.channel:
                yield server
        finally:
            process.kill()


def model_config(**base_paths: Path) -> str:
    """Lists models by name as a `ModelServerConfig`."""
    entries = (
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}'
        for name, path in base_paths.items()
    )
    return f"model_config_list {{ {' '.join(entries)} }}"
