"""The server as a process: its command line, its failures to start, its signals and its death."""

import os
import re
import signal
import socket
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
from serving_testing import X, free_port, publish, wait_for

import serving
from serving.main import main

ROOT = Path(serving.__file__).parents[1]
READY = "Serving version 1 of model vae\nListening on 127.0.0.1:{port} (gRPC)\n"


def _python(*arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def start(tmp_path, exports):
    """Starts servers of version 1 of the model, and kills those left at the end."""
    publish(exports[1], tmp_path / "vae", 1)
    processes = []

    def start_one(port: int = 0) -> tuple[subprocess.Popen, int]:
        port = port or free_port()
        process = _python(
            "-m", "serving", f"--port={port}", "--model_name=vae", f"--model_base_path={tmp_path / 'vae'}"
        )
        processes.append(process)
        lines = process.stdout.readline() + process.stdout.readline()
        assert lines == READY.format(port=port), lines + process.stderr.read()
        return process, port

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def test_sigterm_drains(start, tmp_path):
    process, port = start()
    begun, go = tmp_path / "begun", tmp_path / "go"
    address = f"127.0.0.1:{port}"
    with futures.ThreadPoolExecutor() as pool, serving.Client(address, model="vae", timeout=60) as client:
        try:
            paths = {"begun": np.array(str(begun)), "go": np.array(str(go))}
            answer = pool.submit(client.predict, "wait", paths)
            wait_for(begun.exists)
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: _is_closed(port))
            assert process.poll() is None
        finally:
            go.touch()
        assert answer.result()["first_weight"] == 1.0
    assert process.wait(60) == 0
    assert "Traceback" not in process.stderr.read()


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.stress
def test_a_client_outlives_a_killed_server(start):
    process, port = start()
    address = f"127.0.0.1:{port}"
    with futures.ThreadPoolExecutor() as pool, serving.Client(address, model="vae", timeout=120) as client:
        before = client.encode(X).mean
        process.kill()
        process.wait(60)
        answer = pool.submit(client.encode, X)
        ready = pool.submit(client.wait_until_ready, 120)
        restarted, _ = start(port)
        np.testing.assert_array_equal(answer.result().mean, before)
        ready.result()
    restarted.send_signal(signal.SIGINT)
    assert restarted.wait(60) == 0


def test_help_and_package_are_light():
    for statement in ("import serving.main", "import serving; dir(serving)"):
        code = f"{statement}; import sys; print([m for m in ('tensorflow', 'grpc', 'numpy') if m in sys.modules])"
        process = _python("-c", code)
        assert process.communicate(timeout=60) == ("[]\n", "")


def test_help(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for flag in ("host", "port", "model_name", "model_base_path", "file_system_poll_wait_seconds", "version"):
        assert f"--{flag}" in shown


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"serving on tensorflow \S+, grpcio \S+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--model_name=vae"],
        ["--model_base_path=x", "--port=0"],
        ["--model_base_path=x", "--port=8500", "--rest_api_port=8500"],
        ["--model_base_path=x", "--enable_batching=perhaps"],
        ["--model_base_path=x", "--use_tflite_model"],
        ["--model_base_path=x", "--platform_config_file=y"],
        ["--model_name=vae", "--model_base_path=x", "--port=65536"],
        ["--model_name=vae", "--model_base_path=x", "--file_system_poll_wait_seconds=-1"],
    ],
)
def test_wrong_flags(flags, capsys):
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"python -m serving: error: .*[^.]\. See python -m serving --help", line)


def _failure(capfd, base_path: Path, *flags: str) -> str:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert main(["--model_name=vae", f"--model_base_path={base_path}", f"--port={free_port()}", *flags]) == 1
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = [line for line in err.splitlines() if line.startswith("serving: ")]
    assert "Traceback" not in err
    return line


def test_missing_base_path(capfd, tmp_path):
    line = _failure(capfd, tmp_path / "nope")
    assert line == (f"serving: cannot read the base path of model vae, {tmp_path / 'nope'}: No such file or directory")


def test_no_version(capfd, tmp_path):
    (tmp_path / "latest").mkdir()
    assert f"no version of model vae under {tmp_path}: expected a directory named" in _failure(capfd, tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"not a protocol buffer"])
def test_unloadable(capfd, tmp_path, content):
    (tmp_path / "3").mkdir()
    if content is not None:
        (tmp_path / "3" / "saved_model.pb").write_bytes(content)
    assert f"serving: cannot load the SavedModel in {tmp_path / '3'}: " in _failure(capfd, tmp_path)


def test_port_taken(capfd, server, tmp_path, exports):
    publish(exports[1], tmp_path / "vae", 1)
    line = _failure(capfd, tmp_path / "vae", f"--port={server.port}")
    assert line == f"serving: cannot listen on 127.0.0.1:{server.port}: is the port in use?"


@pytest.mark.stress
def test_exit_code_of_the_process(tmp_path):
    process = _python("-m", "serving", "--model_name=vae", f"--model_base_path={tmp_path / 'nope'}")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("serving: cannot read the base path")
