"""Which version the clients ask for, by number or label."""

import threading
import time

import grpc
import numpy as np
import pytest
from client_testing import ScriptedServer, connect
from serving_testing import publish, wait_for

import serving

X = np.ones([3, 1])


@pytest.fixture(params=["blocking", "async"])
def kind(request):
    return request.param


@pytest.fixture
def scripted():
    with ScriptedServer() as server:
        server.versions = [1, 2, 3]
        server.labels = {"stable": 2}
        yield server


@pytest.mark.parametrize(("choice", "version"), [({}, 3), ({"version": 1}, 1), ({"version_label": "stable"}, 2)])
def test_the_version_that_answers(scripted, kind, choice, version):
    with connect(kind, scripted.port, **choice) as client:
        assert (client.predict("scale", {"x": X})["y"] == version).all()


def test_both_are_refused():
    with pytest.raises(ValueError, match=r"version=1 and version_label='stable'\. Remove one"):
        serving.Client("127.0.0.1:1", "m", version=1, version_label="stable")


def test_the_parts_of_one_call_are_of_one_version_though_the_label_moves(scripted, kind):
    def move(request, context):
        scripted.labels["stable"] = 3 if scripted.asked else 2

    scripted.before = move
    with connect(kind, scripted.port, version_label="stable", max_message_bytes=500) as client:
        for _ in range(2):
            scripted.asked.clear()
            answer = client.predict("scale", {"x": np.ones([100, 1])})["y"]
            assert (answer == 2).all()
            assert [(asked.label, asked.version) for asked in scripted.asked] == [
                ("stable", None),
                *[("", 2)] * (len(scripted.asked) - 1),
            ]
            assert len(scripted.asked) > 5


def test_readiness_waits_for_the_label(scripted, kind):
    with connect(kind, scripted.port, version_label="canary") as client:
        with pytest.raises(serving.ServingError, match="Unrecognized servable version label: canary"):
            client.wait_until_ready(0.2)
        threading.Timer(0.2, lambda: scripted.labels.update(canary=3)).start()
        client.wait_until_ready(30)
        assert (client.predict("scale", {"x": X})["y"] == 3).all()


def test_an_unknown_label_is_refused_in_the_servers_words(scripted, kind):
    with (
        connect(kind, scripted.port, version_label="nope") as client,
        pytest.raises(serving.ServingError, match="INVALID_ARGUMENT: Unrecognized") as caught,
    ):
        client.predict("scale", {"x": X})
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_signatures_that_cannot_be_read_do_no_harm(scripted, kind):
    with connect(kind, scripted.port) as client:
        assert client.metadata().keys() == {"scale", "sum", "shuffle", "lie", "join"}


def test_a_deadline_ends_a_call(scripted, kind):
    scripted.before = lambda request, context: time.sleep(0.5)
    with (
        connect(kind, scripted.port, timeout=0.2) as client,
        pytest.raises(serving.ServingError, match=r"DEADLINE_EXCEEDED.*sent x float32 \[3,1\]; expected x float32 "),
    ):
        client.predict("scale", {"x": X})


def test_several_addresses_of_a_name_share_the_requests(exports, tmp_path):
    publish(exports[1], tmp_path / "vae", 1)
    given = {"model_name": "vae", "model_base_path": tmp_path / "vae", "port": 0}
    with serving.Server(**given) as one, serving.Server(**given) as other:
        address = f"ipv4:127.0.0.1:{one.port},127.0.0.1:{other.port}"
        with serving.Client(address, model="vae", timeout=30) as client:
            for server in (one, other):
                wait_for(lambda server=server: client.status() and b'status="OK"' in server.metrics.render()[0])
