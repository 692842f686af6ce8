"""Readiness, limits, deadlines, sockets and TLS."""

import re
import subprocess
import threading
import time
from concurrent import futures
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from serving_testing import Stubs, X, predict_request, publish, refusal, wait_for

import serving
from serving.grpc_api.elastic_pool import ElasticPool
from serving.grpc_api.handlers import CallThreads, mark_handled
from serving.options.flags import parser
from serving.options.settings_from_flags import settings_of

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def health_of(channel, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30).status


@pytest.fixture
def base_path(tmp_path, exports):
    publish(exports[1], tmp_path / "vae", 1)
    return tmp_path / "vae"


def waiting_request(tmp_path):
    return predict_request("wait", begun=str(tmp_path / "begun"), go=str(tmp_path / "go"))


def test_ready_once_all_models_serve(base_path, exports, tmp_path):
    config = tmp_path / "models.config"
    (tmp_path / "late").mkdir()
    config.write_text(
        "model_config_list {"
        + "".join(
            f'config {{ name: "{name}" base_path: "{tmp_path / name}" model_platform: "tensorflow" }}'
            for name in ("vae", "late")
        )
        + "}"
    )
    with (
        serving.Server(model_config_file=config, port=0, file_system_poll_wait_seconds=0.05) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        assert health_of(channel) == NOT_SERVING
        assert Stubs(server.port).predict(predict_request("encode", x=X), timeout=30).outputs
        publish(exports[1], tmp_path / "late", 1)
        wait_for(lambda: health_of(channel) == SERVING)
        assert health_of(channel, "tensorflow.serving.PredictionService") == SERVING


def test_watchers_and_reflection_take_no_thread_from_requests(base_path):
    with (
        serving.Server(model_name="vae", model_base_path=base_path, port=0, max_threads=2) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        held = threading.Event()

        def ask():
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            held.wait(60)

        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        streams = [reflection.ServerReflectionInfo(ask(), timeout=60) for _ in range(3)]
        names = {one.name for one in next(streams[0]).list_services_response.service}
        assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} <= names
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert next(watch).status == SERVING
        assert Stubs(server.port).predict(predict_request("encode", x=X), timeout=30).outputs
        held.set()
        for stream in (*streams, watch):
            stream.cancel()


def test_a_passed_deadline_stops_the_work(base_path, tmp_path):
    with serving.Server(model_name="vae", model_base_path=base_path, port=0) as server:
        stubs = Stubs(server.port)
        for timeout in (1, 4, 16, 64):
            with pytest.raises(grpc.RpcError) as caught:
                stubs.predict(waiting_request(tmp_path), timeout=timeout)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if (tmp_path / "begun").exists():  # or else the deadline passed before the model began: a busy machine
                break
        # The file `go` never comes: only the deadline can have ended the loop on the server.
        wait_for(lambda: b'status="DEADLINE_EXCEEDED"' in server.metrics.render()[0])


def test_every_call_is_counted_though_it_expires_before_its_handler_begins(base_path, tmp_path):
    with serving.Server(model_name="vae", model_base_path=base_path, port=0, max_threads=1) as server:
        stubs = Stubs(server.port)
        holding = stubs.predict.future(waiting_request(tmp_path))
        wait_for((tmp_path / "begun").exists)
        # The only thread is held. On a busy machine a call may expire before the server has heard of it.
        expired = [stubs.predict.future(predict_request("encode", x=X), timeout=3) for _ in range(2)]
        left = stubs.predict.future(predict_request("encode", x=X))
        wait_for(lambda: server._grpc._threads._tasks.qsize() == 3)
        assert {call.code() for call in expired} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        left.cancel()
        (tmp_path / "go").touch()
        assert holding.result(timeout=60).outputs

        def counted(status):
            """Of `vae` and `unknown`: a handler may begin before the server learns that its call has ended."""
            pattern = rf':tensorflow:serving:request_count{{.*status="{status}"}} (\d+)'
            return sum(int(count) for count in re.findall(pattern, server.metrics.render()[0].decode()))

        wait_for(lambda: counted("DEADLINE_EXCEEDED") + counted("CANCELLED") + counted("OK") == 4)
        assert stubs.predict(predict_request("encode", x=X), timeout=60).outputs


def test_threads_count_the_calls_that_no_handler_has_seen():
    seen = []
    threads = CallThreads(core=1, most=1, observe=lambda seen_: seen.append((seen_.api, seen_.code)))

    def event(seconds):
        return SimpleNamespace(call_details=SimpleNamespace(deadline=time.time() + seconds))

    threads.submit(lambda event: mark_handled(), event(-1)).result(60)
    assert not seen
    for call in (event(-1), event(60), "no event"):
        threads.submit(lambda call: None, call).result(60)
    late, left = grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED
    assert seen == [("unknown", late), ("unknown", left), ("unknown", left)]
    threads.shutdown()


def test_calls_beyond_the_limit_are_refused(base_path, tmp_path):
    with (
        serving.Server(model_name="vae", model_base_path=base_path, port=0, max_threads=2) as server,
        futures.ThreadPoolExecutor(16) as pool,
    ):
        stubs = Stubs(server.port)
        calls = [stubs.predict.future(waiting_request(tmp_path), timeout=60)]
        try:
            wait_for((tmp_path / "begun").exists)
            assert stubs.predict(predict_request("encode", x=X), timeout=30).outputs  # the other thread
            calls += [stubs.predict.future(waiting_request(tmp_path), timeout=60) for _ in range(20)]
            codes = [pool.submit(call.code) for call in calls]
            refused = wait_for(lambda: [code for code in codes if code.done()])
            assert {code.result() for code in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        finally:
            (tmp_path / "go").touch()
        done = [code.result() for code in codes]
        assert set(done) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert done.count(grpc.StatusCode.OK) == 8  # four calls a thread
        assert stubs.predict(predict_request("encode", x=X), timeout=30).outputs


def test_a_client_that_sends_nothing_holds_up_no_other(base_path):
    with (
        serving.Server(model_name="vae", model_base_path=base_path, port=0) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        held = threading.Event()

        def nothing():
            held.wait(60)
            yield from ()

        method = channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
        calls = [method.future(nothing(), timeout=60) for _ in range(8)]
        for _ in range(20):
            assert Stubs(server.port).predict(predict_request("encode", x=X), timeout=30).outputs
        held.set()
        assert {call.code() for call in calls} <= {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL}


def test_a_large_request_is_accepted(base_path):
    with serving.Server(model_name="vae", model_base_path=base_path, port=0) as server:
        request = predict_request("total", table=np.ones([2, 9 * 2**20], np.float32))
        assert request.ByteSize() > 64 * 2**20
        assert Stubs(server.port).predict(request, timeout=60).outputs["total"].float_val[0] == 18 * 2**20


def test_unix_socket(base_path, tmp_path):
    path = tmp_path / "serving.sock"
    settings = {"model_name": "vae", "model_base_path": base_path, "port": None, "grpc_socket_path": str(path)}
    for _ in range(2):  # the second finds what the first left behind
        with (
            serving.Server(**settings),
            serving.Client(f"unix:{path}", model="vae", timeout=30) as client,
        ):
            assert client.status() == {1: "AVAILABLE"}
            with pytest.raises(OSError, match="another server listens on it"):
                serving.Server(**settings).start()
    path.unlink(missing_ok=True)
    path.write_text("a file")
    with pytest.raises(OSError, match="received one that is not a socket"):
        serving.Server(**settings).start()
    with pytest.raises(OSError, match="cannot listen on the socket"):
        serving.Server(**settings | {"grpc_socket_path": str(tmp_path / ("x" * 200))}).start()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """An authority, and keys and certificates that it signed for a server and a client."""
    folder = tmp_path_factory.mktemp("keys")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-copy_extensions", "copy", "-out", f"{name}.pem")  # fmt: skip
    return folder


def _ssl_config(tmp_path, keys, **more):
    fields = {"server_key": (keys / "server.key").read_text(), "server_cert": (keys / "server.pem").read_text()}
    if more.get("client_verify"):
        fields["custom_ca"] = (keys / "ca.pem").read_text()
    lines = [f"{name}: {value!r}" for name, value in fields.items()]
    path = tmp_path / "ssl.config"
    path.write_text("\n".join(lines + [f"{name}: {value}" for name, value in more.items()]))
    return path


def _settings(*flags: str):
    return settings_of(parser("serving").parse_args(list(flags)))


def test_mutual_tls(base_path, keys, tmp_path):
    settings = _settings(f"--ssl_config_file={_ssl_config(tmp_path, keys, client_verify='true')}")
    root, key, certificate = [(keys / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")]
    with serving.Server(model_name="vae", model_base_path=base_path, port=0, settings=settings) as server:
        for credentials, answers in (
            (grpc.ssl_channel_credentials(root, key, certificate), True),
            (grpc.ssl_channel_credentials(root), False),
        ):
            with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
                if answers:
                    assert health_of(channel) == SERVING
                else:
                    with pytest.raises(grpc.RpcError) as caught:
                        health_of(channel)
                    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        code, _ = refusal(Stubs(server.port).predict, predict_request("encode", x=X))
        assert code is grpc.StatusCode.UNAVAILABLE


def test_tls(base_path, keys, tmp_path):
    settings = _settings(f"--ssl_config_file={_ssl_config(tmp_path, keys)}")
    with serving.Server(model_name="vae", model_base_path=base_path, port=0, settings=settings) as server:
        credentials = grpc.ssl_channel_credentials((keys / "ca.pem").read_bytes())
        with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
            assert health_of(channel) == SERVING


def test_flags_that_do_not_go_together(tmp_path, keys):
    for text, words in (
        ("client_verify: true " + _ssl_config(tmp_path, keys).read_text(), "client_verify: expected custom_ca with it"),
        ('server_key: "path/to.key"', "expected the contents of a PEM file"),
    ):
        (tmp_path / "wrong.config").write_text(text)
        with pytest.raises(ValueError, match=words):
            _settings(f"--ssl_config_file={tmp_path / 'wrong.config'}")
    batching = tmp_path / "batching.config"
    for text, words in (
        ("max_batch_size { value: 0 }", "max_batch_size: expected a positive number, received 0"),
        ("allowed_batch_sizes: 4", "end with max_batch_size"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs is not supported"),
        ("max_batch_size { value: many }", "Error parsing text-format tensorflow.serving.BatchingParameters"),
    ):
        batching.write_text(text)
        with pytest.raises(ValueError, match=words):
            _settings("--enable_batching", f"--batching_parameters_file={batching}")
    with pytest.raises(ValueError, match="expected --enable_batching with it"):
        _settings(f"--batching_parameters_file={batching}")
    with pytest.raises(ValueError, match="name=value"):
        _settings("--grpc_channel_arguments=grpc.max_connection_age_ms")
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    with pytest.raises(ValueError, match="--rest_api_port"):
        _settings(f"--monitoring_config_file={monitoring}")


def test_flags_become_settings(tmp_path):
    batching = tmp_path / "batching.config"
    batching.write_text("max_batch_size { value: 8 } batch_timeout_micros { value: 5 } allowed_batch_sizes: [2, 8]")
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    settings = _settings(
        "--enable_batching", f"--batching_parameters_file={batching}", "--rest_api_port=8501",
        f"--monitoring_config_file={monitoring}", "--grpc_channel_arguments=grpc.a=1,grpc.b=c",
        "--max_num_load_retries=2", "--load_retry_interval_micros=-1", "--enable_model_warmup=false",
        "--grpc_max_threads=7", "--rest_api_num_threads=3", "--enable_serialization_as_tensor_content",
    )  # fmt: skip
    assert (settings.batching.max_batch_size, settings.batching.allowed_batch_sizes) == (8, (2, 8))
    assert settings.batching.batch_timeout_micros == 5
    assert settings.prometheus_path == "/monitoring/prometheus/metrics"
    assert settings.channel_arguments == {"grpc.a": 1, "grpc.b": "c"}
    assert (settings.retries.most, settings.retries.interval) == (2, 0)
    assert (settings.max_threads, settings.core_threads, settings.rest_threads) == (7, 7, 3)
    assert not settings.enable_model_warmup
    assert settings.enable_serialization_as_tensor_content
    assert not _settings().enable_serialization_as_tensor_content


def test_pool_adds_threads_only_while_nothing_gets_done():
    pool = ElasticPool(core=2, most=4)
    assert sorted(pool.map(lambda n: n * n, range(500))) == [n * n for n in range(500)]
    assert pool.threads == 2
    go = threading.Event()
    stuck = [pool.submit(go.wait, 60) for _ in range(3)]
    assert pool.submit(lambda: "done").result(30) == "done"
    assert 3 <= pool.threads <= 4
    go.set()
    assert all(one.result(30) for one in stuck)
    assert pool.submit(int, "7").result(30) == 7
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(30)
    wait_for(lambda: [pool.submit(int).result(30) for _ in range(4)] and pool.threads == 2)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(int)
    wait_for(lambda: pool.threads == 0)
