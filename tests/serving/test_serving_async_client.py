"""The asynchronous client against the local server, compared with the blocking one."""

import asyncio
import inspect
import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import grpc
import numpy as np
import pytest
from client_testing import ScriptedServer, connect
from serving_testing import EVENT, SEEDS, X, publish

import serving

METHODS = [name for name, _ in inspect.getmembers(serving.Client, inspect.isfunction) if not name.startswith("_")]
ROWS = np.random.default_rng(5).normal(size=[3000, EVENT]).astype(np.float32)


@pytest.fixture(params=["blocking", "async"])
def kind(request):
    return request.param


@pytest.mark.parametrize("name", [*METHODS, "__init__"])
def test_takes_what_the_blocking_client_takes(name):
    blocking, asynchronous = getattr(serving.Client, name), getattr(serving.AsyncClient, name)
    assert inspect.signature(blocking).parameters == inspect.signature(asynchronous).parameters
    if name not in ("stream", "__init__"):
        assert inspect.iscoroutinefunction(asynchronous)
        assert inspect.signature(blocking).return_annotation == inspect.signature(asynchronous).return_annotation
        assert inspect.getdoc(blocking) == inspect.getdoc(asynchronous)


def test_methods_equal_the_blocking_ones(client, server):
    async def ask():
        async with serving.AsyncClient(f"127.0.0.1:{server.port}", "vae", timeout=30) as other:
            await other.wait_until_ready(30)
            encoded = await other.encode(X)
            return [
                *await other.generate(seeds=SEEDS),
                *await other.generate(n=3, seed=6),
                *encoded,
                await other.decode(encoded.mean),
                await other.reconstruct(X),
                await other.score(X),
                await other.score(X, seeds=[5, 3]),
                (await other.predict("encode", {"x": X}, ["scale"]))["scale"],
                await other.metadata(),
                await other.status(),
            ]

    encoded = client.encode(X)
    wanted = [
        *client.generate(seeds=SEEDS),
        *client.generate(n=3, seed=6),
        *encoded,
        client.decode(encoded.mean),
        client.reconstruct(X),
        client.score(X),
        client.score(X, seeds=[5, 3]),
        client.predict("encode", {"x": X}, ["scale"])["scale"],
        client.metadata(),
        client.status(),
    ]
    for value, other in zip(wanted, asyncio.run(ask()), strict=True):
        np.testing.assert_equal(other, value)


def _assert_close(got, wanted):
    if isinstance(wanted, dict):
        assert got.keys() == wanted.keys()
        got, wanted = got.values(), wanted.values()
    elif isinstance(wanted, np.ndarray):
        got, wanted = [got], [wanted]
    for mine, other in zip(got, wanted, strict=True):
        assert mine.shape == other.shape
        if mine.dtype.hasobject:
            assert mine.tolist() == other.tolist()
        else:
            np.testing.assert_allclose(mine, other, rtol=2e-6, atol=1e-6)


def test_a_divided_call_equals_one_request(server, kind):
    whole = connect(kind, server.port, "vae")
    divided = connect(kind, server.port, "vae", max_message_bytes=5000)
    with whole as whole, divided as divided:
        for ask in (
            lambda client: client.generate(n=3000, seed=40),
            lambda client: client.encode(ROWS),
            lambda client: client.score(ROWS),
            lambda client: client.predict("join", {"words": np.array(["é", ""] * 20)}),
            lambda client: client.predict("total", {"table": ROWS}),
        ):
            # TensorFlow's kernels round the last rows of a batch in another way than the others.
            _assert_close(ask(divided), ask(whole))
        parts = [part["mean"] for part in divided.stream("generate", {"seed": range(3000)}, ["mean"])]
        _assert_close(np.concatenate(parts), whole.generate(range(3000)).mean)
    assert len(parts) > 5
    parts[0][0] = 0  # it can be written to


def test_many_calls_at_once(server):
    async def ask():
        async with serving.AsyncClient(f"127.0.0.1:{server.port}", "vae", timeout=30) as client:
            return await asyncio.gather(*(client.generate([seed, seed + 1]) for seed in range(50)))

    answers = asyncio.run(ask())
    for answer, following in pairwise(answers):
        np.testing.assert_allclose(answer.z[1], following.z[0], rtol=2e-6)


def test_errors(server, kind):
    with connect(kind, server.port, "vae") as client:
        for arguments in ({}, {"n": 1, "seeds": [1]}, {"n": -1}, {"n": 2, "seed": 2**31}, {"seeds": [0.5]}):
            with pytest.raises(ValueError, match=r"generate: (n: |seed: )?expected|without loss"):
                client.generate(**arguments)
        with pytest.raises(serving.ServingError, match='"nope" not found') as caught:
            client.predict("nope", {"x": X})
        assert isinstance(caught.value.__cause__, grpc.RpcError)


def test_a_cancelled_call_takes_its_parts_with_it():
    async def ask(port):
        async with serving.AsyncClient(f"127.0.0.1:{port}", "m", max_message_bytes=500, timeout=30) as client:
            call = asyncio.create_task(client.predict("scale", {"x": np.ones([1000, 1])}))
            while len(scripted.asked) < 3:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return (await client.predict("scale", {"x": np.ones([1, 1])}))["y"].shape

    with ScriptedServer() as scripted:
        assert asyncio.run(ask(scripted.port)) == (1, 8)
        assert len(scripted.asked) < 20


def test_the_blocking_client_works_inside_an_event_loop(server):
    async def ask():
        with serving.Client(f"127.0.0.1:{server.port}", "vae", timeout=30, max_message_bytes=2000) as client:
            return client.generate(range(500)).z, [
                part["z"] for part in client.stream("generate", {"seed": range(500)})
            ]

    z, parts = asyncio.run(ask())
    _assert_close(np.concatenate(parts), z)


@pytest.mark.stress
def test_the_server_is_killed_and_comes_back(tmp_path, exports):
    publish(exports[1], tmp_path / "vae", 1)
    root = str(Path(serving.__file__).parents[1])

    def start(port):
        program = (
            "import sys, time, serving\n"
            f"serving.Server(model_name='vae', model_base_path={str(tmp_path / 'vae')!r}, port={port}).start()\n"
            "time.sleep(600)"
        )
        return subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": root})

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [start(port)]

    async def ask():
        async with serving.AsyncClient(f"127.0.0.1:{port}", "vae", timeout=60, max_message_bytes=4000) as client:
            await client.wait_until_ready(60)
            wanted = await client.encode(ROWS)

            async def repeat():
                answered = []
                while len(answered) < 5 or len(processes) < 2:
                    answered.append(await client.encode(ROWS))
                return [*answered, await client.encode(ROWS)]

            calls = [asyncio.create_task(repeat()) for _ in range(3)]
            await asyncio.sleep(0.3)
            processes[0].kill()
            processes[0].wait()
            processes.append(start(port))
            for answered in await asyncio.gather(*calls):
                for answer in answered:
                    np.testing.assert_array_equal(answer.mean, wanted.mean)

    try:
        asyncio.run(ask())
    finally:
        for process in processes:
            process.kill()
            process.wait()
