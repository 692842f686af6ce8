"""Request IDs, and the log's one line a request."""

import json
import logging
import sys

import grpc
import numpy as np
import pytest
from serving_rest_testing import PREDICT, ask
from serving_testing import SEEDS, Stubs, metadata_request, predict_request, publish, wait_for

import serving
from serving.request_log import JsonFormatter

ID = "x-request-id"


@pytest.fixture(scope="module")
def server(exports, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("models") / "vae"
    publish(exports[1], base_path, 5)
    settings = {"rest_port": 0, "log_requests": True, "prometheus_path": "/metrics"}
    with serving.Server(model_name="vae", model_base_path=base_path, port=0, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def stubs(server):
    stubs = Stubs(server.port)
    with stubs.channel:
        yield stubs


@pytest.fixture
def lines(caplog):
    """The fields of the lines that are logged, and of no other."""
    caplog.set_level(logging.INFO, "serving")

    def logged(count):
        wait_for(lambda: len([one for one in caplog.records if one.name == "serving.requests"]) == count)
        return [one.request for one in caplog.records if one.name == "serving.requests"]

    return logged


def _id(reply) -> str:
    (id_,) = [value for name, value in reply.headers.items() if name.lower() == ID]
    return id_


def _trailing(call) -> dict[str, str]:
    return {key: value for key, value in call.trailing_metadata() if key == ID}


def test_a_client_chooses_the_id_over_rest(server, lines):
    for sent in ("abc-1", "A/b=" + "x" * 124):
        assert _id(ask(server.rest_port, PREDICT, {"inputs": [1]}, headers={"X-Request-ID": sent})) == sent
    assert [line["request_id"] for line in lines(2)] == ["abc-1", "A/b=" + "x" * 124]


def test_others_get_one_each(server, stubs):
    ids = [_id(ask(server.rest_port, PREDICT, {"inputs": [1]})) for _ in range(3)]
    for unfit in ("", "two words", "x" * 129, "é".encode().decode("latin-1")):
        ids.append(_id(ask(server.rest_port, PREDICT, {"inputs": [1]}, headers={"X-Request-ID": unfit})))
    for path in ("/", "/v1/foo", "/metrics", "/v1/models/vae"):
        ids.append(_id(ask(server.rest_port, path)))
    for _ in range(3):
        _, call = stubs.predict.with_call(predict_request(seed=SEEDS))
        ids.append(_trailing(call)[ID])
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 32 and one.isalnum() for one in ids)


def test_a_client_chooses_the_id_over_grpc(stubs, lines):
    _, call = stubs.predict.with_call(predict_request(seed=SEEDS), metadata=((ID, "abc-2"),))
    assert _trailing(call) == {ID: "abc-2"}
    with pytest.raises(grpc.RpcError) as caught:
        stubs.predict(predict_request("nope", seed=SEEDS), metadata=((ID, "abc-3"),))
    assert _trailing(caught.value) == {ID: "abc-3"}
    assert [line["request_id"] for line in lines(2)] == ["abc-2", "abc-3"]


def test_one_line_a_request_without_its_contents(server, stubs, lines):
    stubs.predict(predict_request("encode", x=np.full([1, 3], 0.123, np.float32)))
    stubs.metadata(metadata_request("signature_def"))
    ask(server.rest_port, PREDICT, {"signature_name": "encode", "inputs": [[0.123, 2, 3]]})
    ask(server.rest_port, PREDICT, {"signature_name": "encode", "inputs": "0.123"})
    ask(server.rest_port, "/v1/models/nope", headers={"x-request-id": "abc"})
    ask(server.rest_port, "/v1/foo")
    ask(server.rest_port, "/metrics")
    found = lines(7)
    for line in found:
        assert line.pop("milliseconds") > 0
    assert "0.123" not in json.dumps(found)
    assert len({line["request_id"] for line in found}) == 7
    predict = {"entrypoint": "REST", "api": "predict", "model": "vae", "signature": "encode", "http": f"POST {PREDICT}"}
    none = {"entrypoint": "REST", "api": "", "model": "", "signature": ""}
    assert [{key: value for key, value in line.items() if key != "request_id"} for line in found] == [
        {"entrypoint": "GRPC", "api": "Predict", "model": "vae", "signature": "encode", "status": "OK"},
        {"entrypoint": "GRPC", "api": "GetModelMetadata", "model": "vae", "signature": "", "status": "OK"},
        predict | {"status": "OK"},
        predict | {"status": "INVALID_ARGUMENT"},
        none | {"api": "status", "model": "nope", "status": "NOT_FOUND", "http": "GET /v1/models/nope"},
        none | {"status": "INVALID_ARGUMENT", "http": "GET /v1/foo"},
        none | {"status": "OK", "http": "GET /metrics"},
    ]


def test_without_log_requests_there_is_no_line(server, stubs, lines, monkeypatch):
    monkeypatch.setattr(server, "settings", server.settings.replace(log_requests=False))
    stubs.predict(predict_request(seed=SEEDS))
    ask(server.rest_port, PREDICT, {"inputs": [1]})
    assert lines(0) == []


def test_each_line_is_json(capsys):
    log = logging.getLogger("serving.test_each_line_is_json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    log.addHandler(handler)
    try:
        log.warning('%s "of"\n two lines and é', "words")
        log.error("request", extra={"request": {"request_id": "a", "status": "OK"}})
        try:
            raise ValueError("of\nit")
        except ValueError:
            log.exception("failed")
    finally:
        log.removeHandler(handler)
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"] == 'words "of"\n two lines and é'
    assert (first["level"], first["logger"]) == ("WARNING", "serving.test_each_line_is_json")
    assert len(first["time"]) == len("2026-01-01T00:00:00.000Z")
    assert (second["message"], second["request_id"], second["status"]) == ("request", "a", "OK")
    assert third["exception"].endswith("ValueError: of\nit")
