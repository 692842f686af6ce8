"""Calls that are divided: what is sent, that it comes back whole and in order, and of one version."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from client_testing import WIDTH, ScriptedServer, connect

import serving
from serving.client.send_parts import IN_FLIGHT

LIMIT = 2000
X = np.random.default_rng(3).normal(size=[1000, 1]).astype(np.float32)


@pytest.fixture
def scripted():
    with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["blocking", "async"])
def kind(request):
    return request.param


@pytest.fixture
def client(kind, scripted):
    with connect(kind, scripted.port, max_message_bytes=LIMIT) as client:
        yield client


def _scaled(version):
    return version * np.repeat(X, WIDTH, axis=1)


def test_a_large_call_is_put_together_in_order(client, scripted):
    # Answers overtake each other: every second request is slow.
    scripted.before = lambda request, context: time.sleep(0.02 * (len(scripted.asked) % 2))
    answer = client.predict("scale", {"x": X})
    np.testing.assert_array_equal(answer["y"], _scaled(1), strict=True)
    answer["y"][0] = 0
    assert len(scripted.asked) > 20
    assert sum(asked.rows for asked in scripted.asked) == len(X)
    assert max(asked.bytes_in for asked in scripted.asked) <= LIMIT
    assert LIMIT / 2 < max(asked.bytes_out for asked in scripted.asked) <= LIMIT
    assert 1 < scripted.most <= IN_FLIGHT
    assert [asked.version for asked in scripted.asked] == [None] + [1] * (len(scripted.asked) - 1)


def test_a_small_call_is_one_request(client, scripted):
    for rows in (0, 1, 20):
        assert client.predict("scale", {"x": X[:rows]})["y"].shape == (rows, WIDTH)
    assert [asked.rows for asked in scripted.asked] == [0, 1, 20]


def test_a_request_alone_may_be_what_is_large(client, scripted):
    words = [bytes(length) for length in (1, 5000, 1, 900, 900, 900, 1)]
    assert client.predict("join", {"x": words})["joined"].tolist() == words
    assert sorted((asked.rows, asked.bytes_in > LIMIT) for asked in scripted.asked) == [
        (1, False),
        (1, True),
        (2, False),
        (3, False),
    ]


def test_what_has_no_rows_is_not_divided(client, scripted):
    assert client.predict("sum", {"x": X})["total"] == X.sum()
    assert len(scripted.asked) == 1


def test_what_is_not_answered_by_rows_is_not_divided(client, scripted):
    assert client.predict("lie", {"x": X})["y"].tolist() == X[:1].tolist()
    assert scripted.asked[-1].rows == len(X)
    with pytest.raises(ValueError, match=r"model 'm', signature 'lie'.*in parts.* Use a larger max_message_bytes"):
        list(client.stream("lie", {"x": X}))


def test_a_stream_holds_few_parts(client, scripted):
    stream = client.stream("scale", {"x": X}, ["y"])
    parts = [next(stream)["y"] for _ in range(3)]
    time.sleep(0.1)
    assert len(scripted.asked) <= 3 + IN_FLIGHT
    parts += [part["y"] for part in stream]
    assert len(parts) == len(scripted.asked)
    np.testing.assert_array_equal(np.concatenate(parts), _scaled(1), strict=True)


def test_a_stream_may_be_left(client, scripted):
    for part in client.stream("scale", {"x": X}):
        part["y"][0] = 0  # it can be written to
        break
    assert len(client.predict("scale", {"x": X[:1]})["y"]) == 1
    assert len(scripted.asked) <= 2 + IN_FLIGHT


def _on_request(scripted, number, do):
    """Does something when the Predict request of a number, counted from 0, arrives."""
    arrived = []
    lock = threading.Lock()

    def before(request, context):
        with lock:
            arrived.append(1)
            if len(arrived) - 1 == number:
                do(request, context)

    scripted.before = before


def _limit_rows(scripted, most):
    """Refuses requests of more rows in the words of TensorFlow's batch scheduler (shared_batch_scheduler.h)."""

    def before(request, context):
        rows = request.inputs["x"].tensor_shape.dim[0].size
        if rows > most:
            details = f"Task size {rows} is larger than maximum input batch size {most}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)

    scripted.before = before


def test_the_server_s_limit_of_rows_is_learned_from_its_refusal(client, scripted):
    _limit_rows(scripted, 16)
    np.testing.assert_array_equal(client.predict("scale", {"x": X})["y"], _scaled(1))
    assert {asked.rows for asked in scripted.asked} == {16, len(X) % 16}
    refused = []
    limited = scripted.before
    scripted.before = lambda request, context: (refused.append(1), limited(request, context), refused.pop())
    parts = [part["y"] for part in client.stream("scale", {"x": X})]
    np.testing.assert_array_equal(np.concatenate(parts), _scaled(1))
    assert not refused  # it is known now


def test_a_stream_learns_the_limit_of_rows_also_from_a_later_part(client, scripted):
    _limit_rows(scripted, 4)
    words = [
        bytes([letter]) * (900 if letter < 70 else 1) for letter in range(65, 91)
    ]  # few long ones, many short ones
    stream = client.stream("join", {"x": words})
    answered = next(stream)["joined"].tolist()
    scripted.versions.append(2)
    for part in stream:
        answered += part["joined"].tolist()
    assert answered == words
    assert max(asked.rows for asked in scripted.asked) == 4
    assert [asked.version for asked in scripted.asked] == [None] + [1] * (len(scripted.asked) - 1)


def test_a_new_version_does_not_mix_in(client, scripted):
    _on_request(scripted, 5, lambda *_: scripted.versions.append(2))
    np.testing.assert_array_equal(client.predict("scale", {"x": X})["y"], _scaled(1))
    np.testing.assert_array_equal(client.predict("scale", {"x": X})["y"], _scaled(2))


def test_begins_anew_when_its_version_goes(client, scripted):
    _on_request(scripted, 5, lambda *_: scripted.versions.__setitem__(slice(None), [2]))
    np.testing.assert_array_equal(client.predict("scale", {"x": X})["y"], _scaled(2))


def test_gives_up_when_versions_go_on_going(client, scripted):
    def before(request, context):
        if request.model_spec.HasField("version"):
            scripted.versions = [scripted.versions[0] + 1]

    scripted.before = before
    with pytest.raises(serving.ServingError, match="Servable not found") as caught:
        client.predict("scale", {"x": X})
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert "answered the first of" in str(caught.value)


def test_a_stream_whose_version_goes_says_so(client, scripted):
    stream = client.stream("scale", {"x": X}, ["y"])
    next(stream)
    scripted.versions = [2]
    with pytest.raises(serving.ServingError, match=r"version 1 answered the first of \d+ parts"):
        list(stream)


def test_the_version_asked_for_stays(kind, scripted):
    scripted.versions = [1, 2]
    with connect(kind, scripted.port, max_message_bytes=LIMIT, version=1) as client:
        np.testing.assert_array_equal(client.predict("scale", {"x": X})["y"], _scaled(1))
        _on_request(scripted, 5, lambda *_: scripted.versions.remove(1))
        with pytest.raises(serving.ServingError, match=r"Specific\(m, 1\)") as caught:
            client.predict("scale", {"x": X})
        assert "answered the first" not in str(caught.value)


def test_a_part_is_tried_again_while_the_server_is_unavailable(client, scripted):
    lock, refused = threading.Lock(), []

    def before(request, context):
        with lock:
            refuse = len(scripted.asked) > 3 and len(refused) < 6
            refused.extend([1] * refuse)
        if refuse:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")

    scripted.before = before
    np.testing.assert_array_equal(client.predict("scale", {"x": X})["y"], _scaled(1))
    assert len(refused) == 6


def test_the_first_error_ends_the_call(client, scripted, capsys):
    _on_request(scripted, 6, lambda request, context: context.abort(grpc.StatusCode.INTERNAL, "broken"))
    with pytest.raises(serving.ServingError) as caught:
        client.predict("scale", {"x": X}, progress=True)
    assert str(caught.value).startswith("model 'm', signature 'scale': INTERNAL: broken (sent x float32 [")
    assert len(scripted.asked) < 6 + 2 * IN_FLIGHT
    shown = capsys.readouterr().err
    assert "scale" in shown
    assert shown.endswith("\n")  # the bar was closed


def test_progress_counts_rows(client, capsys):
    client.predict("scale", {"x": X})
    assert capsys.readouterr().err == ""
    client.predict("scale", {"x": X}, progress=True)
    assert "1000/1000" in capsys.readouterr().err
    client.predict("scale", {"x": X[:5]}, progress=True)
    assert "5/5" in capsys.readouterr().err


def test_threads_share_a_client(scripted):
    with connect("blocking", scripted.port, max_message_bytes=LIMIT) as client, ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda shift: client.predict("scale", {"x": X + np.float32(shift)})["y"], range(4))
        for shift, answer in enumerate(answers):
            np.testing.assert_array_equal(answer, np.repeat(X + np.float32(shift), WIDTH, axis=1))


def test_closing_ends_what_is_under_way(scripted):
    begun = threading.Event()
    scripted.before = lambda request, context: (begun.set(), time.sleep(1))
    with connect("blocking", scripted.port, max_message_bytes=LIMIT) as client:
        threading.Thread(target=lambda: begun.wait() and client.close()).start()
        with pytest.raises(serving.ServingError, match="CANCELLED"):
            client.predict("scale", {"x": X})


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(limit):
    with pytest.raises(ValueError, match=f"positive number of bytes, received {limit}"):
        serving.Client("127.0.0.1:1", "m", max_message_bytes=limit)
