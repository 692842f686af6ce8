"""When the client asks again, and when it gives up."""

import grpc
import numpy as np
import pytest
from client_testing import ScriptedServer, connect
from serving_testing import X

import serving
from serving.client.blocking_transport import finish
from serving.client.retry import call_with_retry


class _Refusal(grpc.RpcError):
    def __init__(self, code, details=""):
        self._code = code
        self._details = details

    def code(self):
        return self._code

    def details(self):
        return self._details


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_only_unavailable_is_tried_again(code):
    attempts, pauses = [], []

    async def attempt(timeout):
        attempts.append(timeout)
        if len(attempts) < 3:
            raise _Refusal(code, "refused")
        return "response"

    async def sleep(seconds):
        pauses.append(seconds)

    if code is grpc.StatusCode.UNAVAILABLE:
        assert finish(call_with_retry(attempt, sleep, 30)) == "response"
        assert len(attempts) == 3
        assert 30 >= attempts[0] > attempts[1] > attempts[2] > 0
        assert 0 < pauses[0] <= pauses[1] < 1
    else:
        with pytest.raises(_Refusal):
            finish(call_with_retry(attempt, sleep, 30))
        assert len(attempts) == 1
        assert not pauses


def test_when_time_runs_out_the_error_says_why():
    refusals = [_Refusal(grpc.StatusCode.UNAVAILABLE), _Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)]

    async def attempt(timeout):
        raise refusals.pop(0)

    async def sleep(seconds):
        pass

    with pytest.raises(_Refusal) as caught:
        finish(call_with_retry(attempt, sleep, 30))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not refusals


def test_gives_up_at_the_timeout():
    with serving.Client("127.0.0.1:1", model="vae", timeout=0.3) as client:
        with pytest.raises(serving.ServingError, match="UNAVAILABLE"):
            client.encode(X)
        with pytest.raises(serving.ServingError, match="UNAVAILABLE"):
            client.wait_until_ready(0.3)


TOO_LARGE = [
    "SERVER: Received message larger than max (5000000 vs. 4194304)",
    "Sent message larger than max (5000000 vs. 4194304)",
    "received metadata size exceeds hard limit (24000 vs. 16384)",
    'signature "generate": expected an answer of at most 67108864 bytes, received 9 rows that make 99999999.',
    "OOM when allocating tensor with shape[100000,784] and type float on /job:localhost",
]
LOAD = [
    "Server Threadpool Exhausted",
    "",  # as older releases of TensorFlow Serving say it
    "Concurrent RPC limit exceeded!",
    "The queue of this model is full",
    "Received RST_STREAM with error code 11",
    "local_rate_limited",
]


@pytest.mark.parametrize("words", LOAD)
def test_a_server_with_too_much_to_do_is_asked_again_after_longer_random_pauses(words):
    pauses = []

    def run():
        refusals = [_Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, words) for _ in range(8)]

        async def attempt(timeout):
            if refusals:
                raise refusals.pop()
            return "response"

        async def sleep(seconds):
            pauses.append(seconds)

        assert finish(call_with_retry(attempt, sleep, 30)) == "response"

    run()
    run()
    for pause, longest in zip(pauses, 2 * [0.05, 0.1, 0.2, 0.4, 0.8, 1, 1, 1], strict=True):
        assert longest / 2 <= pause <= longest
    assert pauses[:8] != pauses[8:]


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_both_clients_wait_for_a_busy_server_and_no_longer_than_their_timeout(kind):
    left = [3]

    def refuse(request, context):
        if left[0]:
            left[0] -= 1
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")

    with ScriptedServer() as scripted, connect(kind, scripted.port, timeout=10) as client:
        scripted.before = refuse
        assert client.predict("shuffle", {"x": np.ones([2, 1])})["y"].tolist() == [[1], [1]]
        assert not left[0]
        with connect(kind, scripted.port, timeout=1) as impatient:
            impatient.metadata()
            left[0] = begun = 10**6
            with pytest.raises(serving.ServingError) as caught:
                impatient.predict("shuffle", {"x": np.ones([2, 1])})
            # Pauses of at least 0.025, 0.05, 0.1, 0.2 and 0.4 s fit into 1 s.
            assert 2 <= begun - left[0] <= 6
        # No shapes: they are not the reason.
        assert str(caught.value) == "model 'm', signature 'shuffle': RESOURCE_EXHAUSTED: Server Threadpool Exhausted"
        assert caught.value.sent == "x float32 [2,1]"


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_request_that_is_too_large_is_not_sent_again(kind):
    asked = []

    def refuse(request, context):
        asked.append(1)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, TOO_LARGE[len(asked) - 1])

    with ScriptedServer() as scripted, connect(kind, scripted.port) as client:
        scripted.before = refuse
        for number, words in enumerate(TOO_LARGE, 1):
            with pytest.raises(serving.ServingError) as caught:
                client.predict("shuffle", {"x": np.ones([2, 1])})
            assert (len(asked), caught.value.details) == (number, words)
            assert "expected x" not in str(caught.value)
