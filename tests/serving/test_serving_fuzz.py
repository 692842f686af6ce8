"""Whatever is sent over gRPC, the server answers with a status and lives on: 20,000 generated requests and more."""

import random
import sys
import threading
from collections.abc import Iterator

import grpc
import pytest
from fuzzing import PREDICTION, RELOAD, Call, info_calls, names, predict_calls, seeds, valid_calls
from fuzzing_answers import REFUSALS, is_unparsed, parses
from fuzzing_damage import damaged, in_batches, with_damage
from fuzzing_examples import example_calls
from fuzzing_process import BATCHING, Server, Usage, fuzz, model_config, outcome, server_process
from google.protobuf import text_format
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import strategies as st
from serving_saved_models import animals, save_graph
from serving_testing import publish, wait_for
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.config import model_server_config_pb2

pytestmark = pytest.mark.stress

# How many requests each test sends, with batching and without.
PREDICT, DAMAGED, EXAMPLES, INFO = 2_000, 6_400, 1_200, 600
AT_ONCE = 40
HEALTH = "/grpc.health.v1.Health/"
STOPPED = {grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.fixture(scope="module")
def saved(tmp_path_factory, exports):
    root = tmp_path_factory.mktemp("fuzzed")
    publish(exports[1], root / "vae", 1)
    (root / "animals").mkdir()
    save_graph(root / "animals" / "1", lambda: animals(root / "names"))
    return root


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "batched"])
def running(request, saved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    config = model_config(vae=saved / "vae", animals=saved / "animals")
    with server_process(folder, config, batching=BATCHING if request.param else "") as server:
        yield server


@pytest.fixture
def server(running):
    """The server, which after the test must be as it was before."""
    running.sent = 0
    before = running.answers()
    yield running
    assert running.process.poll() is None
    assert running.answers() == before
    log = running.log.read_text()
    assert "unexpected" not in log, log
    assert "Traceback" not in log, log


def send_all(server: Server, calls: st.SearchStrategy[Call], damage: int, least: int) -> None:
    """Sends calls, and damaged copies of each, until there were so many."""
    fuzz(in_batches(with_damage(calls, damage), AT_ONCE // (1 + damage)), least // AT_ONCE, server.send_and_check)
    assert server.sent >= least


def test_enough_is_sent():
    assert 2 * (PREDICT + DAMAGED + EXAMPLES + INFO) >= 20_000


def test_predict(server):
    send_all(server, predict_calls, 0, PREDICT)


def test_damaged_predict(server):
    send_all(server, predict_calls, 7, DAMAGED)


def test_examples(server):
    send_all(server, example_calls(), 1, EXAMPLES)


def test_info(server):
    send_all(server, info_calls(), 1, INFO)


def test_no_message_twice_one_or_never_an_end(server):
    """Unary methods get none or several messages, and streams that stay open until they are cancelled."""
    open_for = threading.Event()

    def call_once(drawn: list[tuple[Call, int, int]]) -> None:
        started = []
        for call, count, fate in drawn:
            server.sent += 1
            stream = server.channel.stream_unary(call.method)

            def messages(message: bytes = call.message, count: int = count, fate: int = fate) -> Iterator[bytes]:
                for _ in range(count):
                    yield message
                if fate % 4 == 0:
                    open_for.wait(0.2)  # half-closed only much later

            future = stream.future(messages(), timeout=60)
            started.append((future, fate, count))
            if fate % 4 == 1:
                future.cancel()
        for future, fate, count in started:
            code, details = outcome(future)
            allowed = {grpc.StatusCode.OK, *REFUSALS} | (STOPPED if fate % 4 == 1 else set())
            assert code in allowed, (code, details, count)

    calls = st.one_of(predict_calls, example_calls(), info_calls())
    fuzz(st.lists(st.tuples(calls, st.integers(0, 3), seeds), min_size=8, max_size=8), 10, call_once)
    assert server.sent >= 80


def test_stopped_calls(server):
    """Calls cancelled at any moment, and calls with hardly any time."""

    def stop(drawn: list[tuple[Call, int]]) -> None:
        random_times = random.Random(len(drawn))
        futures = []
        for call, seed in drawn:
            if seed % 2:
                futures += server.send([call], timeout=seed % 50 / 10_000 + 1e-6)
            else:
                (future,) = server.send([call])
                threading.Timer(random_times.random() / 200, future.cancel).start()
                futures.append(future)
        for future in futures:
            code, details = outcome(future)
            assert code in {grpc.StatusCode.OK, *REFUSALS, *STOPPED}, (code, details)

    fuzz(st.lists(st.tuples(valid_calls, seeds), min_size=20, max_size=20), 12, stop)


def test_unknown_methods(server):
    paths = st.one_of(
        st.sampled_from(
            ["/tensorflow.serving.PredictionService/Nope", "/", "/a", "//", "/tensorflow.serving.X/Predict"]
        ),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map("/".__add__),
    )

    def ask(drawn: list[tuple[str, bytes]]) -> None:
        futures = server.send([Call(*one) for one in drawn])
        assert {outcome(future)[0] for future in futures} == {grpc.StatusCode.UNIMPLEMENTED}

    fuzz(st.lists(st.tuples(paths, st.binary(max_size=20)), min_size=5, max_size=5), 8, ask)


def test_health_and_reflection(server):
    reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    allowed = {grpc.StatusCode.OK, *REFUSALS}

    def ask(messages: list[bytes]) -> None:
        checks = server.send([Call(HEALTH + "Check", message) for message in messages])
        for message, future in zip(messages, checks, strict=True):
            parsed = parses(health_pb2.HealthCheckRequest, message)
            code, _ = outcome(future)
            assert code in allowed if parsed else code is grpc.StatusCode.INTERNAL
        answers = server.channel.stream_stream(reflection)(iter(messages), timeout=60)
        if all(parses(reflection_pb2.ServerReflectionRequest, message) for message in messages):
            assert len(list(answers)) == len(messages)
        else:
            with pytest.raises(grpc.RpcError):
                list(answers)
            assert answers.code() is grpc.StatusCode.INTERNAL

    services = names.map(lambda name: health_pb2.HealthCheckRequest(service=name).SerializeToString())
    files = names.map(lambda name: reflection_pb2.ServerReflectionRequest(file_by_filename=name).SerializeToString())
    symbols = names.map(
        lambda name: reflection_pb2.ServerReflectionRequest(file_containing_symbol=name).SerializeToString()
    )
    fuzz(st.lists(st.one_of(services, files, symbols, st.binary(max_size=30)), min_size=5, max_size=5), 15, ask)


def test_watchers_that_leave(server):
    """Many watch health and leave immediately, while others arrive."""
    for _ in range(10):
        watchers = [server.channel.unary_stream(HEALTH + "Watch")(b"", timeout=60) for _ in range(20)]
        for watcher in watchers:
            assert next(watcher) == b"\x08\x01"
            watcher.cancel()


def test_reload(server, saved):
    """Lists of models that are wrong, or true but for models that are not there; then the list from before."""
    before = text_format.Parse((server.log.parent / "model").read_text(), model_server_config_pb2.ModelServerConfig())
    paths = st.sampled_from(
        [*(str(saved / name) for name in ("vae", "nope", "names")), "relative", "", "s3://b", "../.."]
    )

    def send(drawn: tuple[bool, list[tuple[str, str, str, int]]]) -> None:
        keeps, entries = drawn
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.SetInParent()
        if keeps:
            request.config.CopyFrom(before)
        for name, path, label, number in entries:
            entry = request.config.model_config_list.config.add(name=name, base_path=path, model_platform="tensorflow")
            if number % 5 == 0:
                entry.version_labels[label] = number
            if number % 7 == 0:
                entry.model_version_policy.specific.versions.append(number)
        whole = Call(RELOAD, request.SerializeToString())
        for call in (whole, damaged(whole, 8 + len(entries))):
            (future,) = server.send([call])
            code, details = outcome(future)
            # TensorFlow Serving, too, answers UNKNOWN where a list is taken, but a model in it cannot be loaded.
            taken = code is grpc.StatusCode.UNKNOWN and "did not become available" in details
            assert taken or code in {grpc.StatusCode.OK, *REFUSALS} or is_unparsed(code, details), (code, details)

    entries = st.tuples(st.sampled_from(["new", "other", "vae", "", "a/b"]), paths, names, st.integers(1, 99))
    fuzz(st.tuples(st.booleans(), st.lists(entries, max_size=3)), 30, send)
    (future,) = server.send([Call(RELOAD, model_management_pb2.ReloadConfigRequest(config=before).SerializeToString())])
    assert outcome(future)[0] is grpc.StatusCode.OK
    check = server.channel.unary_unary(HEALTH + "Check")
    wait_for(lambda: check(b"", timeout=60) == b"\x08\x01")


def test_bytes_that_a_kernel_quotes(server):
    """TensorFlow's own error for them cannot be made in Python: its words are not UTF-8."""
    message = (
        b"\n\x12\n\x07animals\x1a\x07regress\x12,\x12*\n\x15\n\x13\n\x11\n\x01x\x12\x0c\x12\n\n\x08\x00\x01\x00\x00\x00\x00\x00\x00"
        b"\x12\x11\n\x0f\n\r\n\x01xR\x08\x1a\x06\n\x04\x80\x01\x80\x01"
    )
    (future,) = server.send([Call(PREDICTION + "Regress", message)])
    assert outcome(future)[0] is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("method", [PREDICTION + "Predict", HEALTH + "Check"])
def test_calls_of_bytes_that_are_no_message_are_let_go(server, method):
    def send(count: int) -> float:
        for _ in range(count // AT_ONCE):
            for future in server.send([Call(method, b"\xff\xff")] * AT_ONCE):
                assert outcome(future)[0] is grpc.StatusCode.INTERNAL
        return server.usage().memory

    before, after = send(400), send(2_000)
    assert after < before + 15


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_piles_up(server):
    """The same traffic again and again takes up nothing more."""
    calls = with_damage(st.one_of(predict_calls, example_calls(), info_calls()), 7)

    def traffic(least: int) -> Usage:
        fuzz(in_batches(calls, AT_ONCE // 8), least // AT_ONCE, server.send_and_check)
        return server.usage()

    before, after = traffic(400), traffic(1_200)
    assert after.memory < before.memory + 50
    assert after.handles <= before.handles + 8
    assert after.threads <= before.threads + 8
