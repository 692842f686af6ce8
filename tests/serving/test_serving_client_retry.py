"""When the client asks again, and when it gives up."""

import grpc
import pytest
from serving_testing import X

import serving
from serving.client.blocking_transport import finish
from serving.client.connection import call_with_retry


class _Refusal(grpc.RpcError):
    def __init__(self, code):
        self._code = code

    def code(self):
        return self._code


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_only_unavailable_is_tried_again(code):
    attempts, pauses = [], []

    async def attempt(timeout):
        attempts.append(timeout)
        if len(attempts) < 3:
            raise _Refusal(code)
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
