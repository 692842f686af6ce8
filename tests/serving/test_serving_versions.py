"""Versions that come, break and go while the server runs."""

from concurrent import futures

import grpc
import numpy as np
import pytest
from serving_testing import X, publish, wait_for

import serving
from serving.core.versions import find_versions, fingerprint


@pytest.fixture
def base_path(tmp_path, exports):
    publish(exports[1], tmp_path / "vae", 1)
    return tmp_path / "vae"


@pytest.fixture
def polling(base_path):
    """A server that looks for new versions all the time, and a client of it."""
    server = serving.Server(model_name="vae", model_base_path=base_path, port=0, file_system_poll_wait_seconds=0.02)
    with server, serving.Client(f"127.0.0.1:{server.port}", model="vae", timeout=60) as client:
        yield server, client


def test_finds_integers_only(tmp_path):
    for name in ("1", "007", "12", "-3", "+4", "1_0", "5x", "٣", "", str(2**63)):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "99").write_text("a file")
    assert find_versions(tmp_path) == {1: tmp_path / "1", 7: tmp_path / "007", 12: tmp_path / "12"}


def test_fingerprint_tells_a_change(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("one")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "deep" / "file").write_text("three")
    assert fingerprint(tmp_path) != before


def test_a_newer_version_replaces_the_old(polling, base_path, exports):
    server, client = polling
    before = client.encode(X).mean
    publish(exports[2], base_path, 12)
    wait_for(lambda: client.status() == {12: "AVAILABLE", 1: "END"})
    np.testing.assert_array_equal(client.encode(X).mean, 2 * before)
    with (
        serving.Client(f"127.0.0.1:{server.port}", model="vae", version=1) as old,
        pytest.raises(serving.ServingError, match=r"Specific\(vae, 1\)"),
    ):
        old.encode(X)


def test_deleting_the_newest_goes_back(polling, base_path, exports, caplog):
    _, client = polling
    publish(exports[2], base_path, 2)
    wait_for(lambda: client.status() == {2: "AVAILABLE", 1: "END"})
    (base_path / "2").rename(base_path / "withdrawn")
    wait_for(lambda: client.status() == {2: "END", 1: "AVAILABLE"})
    (base_path / "1").rename(base_path / "withdrawn too")
    wait_for(lambda: "no version of model vae" in caplog.text)
    assert client.status() == {2: "END", 1: "AVAILABLE"}
    assert client.encode(X).mean.shape == (2, 2)


def test_a_broken_version_is_reported_and_the_old_one_serves_on(polling, base_path, exports):
    server, client = polling
    before = client.encode(X).mean
    (base_path / "2").mkdir()
    wait_for(lambda: client.status() == {2: "END", 1: "AVAILABLE"})
    status = server.models.statuses("vae")[0].status
    assert status.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert str(base_path / "2") in status.error_message
    np.testing.assert_array_equal(client.encode(X).mean, before)

    # A slow copy: the files come one after another, and the version is served once all are there.
    variables = base_path / "2" / "variables"
    variables.mkdir()
    (base_path / "2" / "saved_model.pb").write_bytes((exports[2] / "saved_model.pb").read_bytes())
    wait_for(lambda: "variables" in server.models.statuses("vae")[0].status.error_message)
    np.testing.assert_array_equal(client.encode(X).mean, before)
    for file in (exports[2] / "variables").iterdir():
        (variables / file.name).write_bytes(file.read_bytes())
    wait_for(lambda: client.status() == {2: "AVAILABLE", 1: "END"})
    np.testing.assert_array_equal(client.encode(X).mean, 2 * before)


def test_zero_seconds_polls_once(base_path, exports):
    server = serving.Server(model_name="vae", model_base_path=base_path, port=0, file_system_poll_wait_seconds=0)
    with server:
        assert server._watch._thread is None


def test_a_request_in_flight_ends_on_its_version(polling, base_path, exports, tmp_path):
    _, client = polling
    begun, go = tmp_path / "begun", tmp_path / "go"
    paths = {"begun": np.array(str(begun)), "go": np.array(str(go))}
    with futures.ThreadPoolExecutor() as pool:
        try:
            answer = pool.submit(client.predict, "wait", paths)
            wait_for(begun.exists)
            publish(exports[2], base_path, 2)
            wait_for(lambda: client.status() == {2: "AVAILABLE", 1: "END"})
            assert not answer.done()
        finally:
            go.touch()
        assert answer.result()["first_weight"] == 1.0
    assert client.predict("wait", paths)["first_weight"] == 2.0


def test_stopping_lets_a_request_in_flight_finish(base_path, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    server = serving.Server(model_name="vae", model_base_path=base_path, port=0, grace=60)
    server.start()
    address = f"127.0.0.1:{server.port}"
    with futures.ThreadPoolExecutor() as pool, serving.Client(address, model="vae", timeout=60) as client:
        try:
            paths = {"begun": np.array(str(begun)), "go": np.array(str(go))}
            answer = pool.submit(client.predict, "wait", paths)
            wait_for(begun.exists)
            stopped = pool.submit(server.stop)
            wait_for(lambda: _refuses(address))
            assert not answer.done()
            assert not stopped.done()
        finally:
            go.touch()
        assert answer.result()["first_weight"] == 1.0
        stopped.result()


def _refuses(address: str) -> bool:
    with serving.Client(address, model="vae", timeout=0.2) as client:
        try:
            client.status()
        except serving.ServingError as error:
            return error.code is grpc.StatusCode.UNAVAILABLE
    return False
