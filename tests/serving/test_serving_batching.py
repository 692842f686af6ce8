"""Dynamic batching: rows of several clients in one batch, and what is refused."""

import asyncio
import threading
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_testing import Stubs, X, predict_request, publish, refusal

import serving
from serving.core.batching import BatchedExecutable, Batching
from serving.core.executable import Executable

INVALID = grpc.StatusCode.INVALID_ARGUMENT


class PickyModel(tf.Module):
    """Refuses negative numbers, as a model refuses a label that is not a class."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def double(self, x):
        with tf.control_dependencies([tf.debugging.assert_non_negative(x, "negative")]):
            return {"doubled": 2 * x}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def total(self, x):
        return {"total": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
    def scalar(self, x):
        return {"y": x}


@pytest.fixture(scope="module")
def server(exports, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("batching")
    publish(exports[1], base_path / "vae", 1)
    picky = PickyModel()
    signatures = {"serving_default": picky.double, "total": picky.total, "scalar": picky.scalar}
    tf.saved_model.save(picky, str(base_path / "picky" / "1"), signatures)
    config = base_path / "models.config"
    config.write_text(
        "model_config_list {"
        + "".join(
            f'config {{ name: "{name}" base_path: "{base_path / name}" model_platform: "tensorflow" }}'
            for name in ("vae", "picky")
        )
        + "}"
    )
    # Long enough that requests sent together are in one batch, or the test of that fails on a busy machine.
    batching = Batching(max_batch_size=8, batch_timeout_micros=200_000, allowed_batch_sizes=(4, 8))
    with serving.Server(model_config_file=config, batching=batching, port=0) as running:
        yield running


@pytest.fixture(scope="module")
def stubs(server):
    stubs = Stubs(server.port)
    with stubs.channel:
        yield stubs


def _together(stubs, requests):
    with futures.ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda request: _answer_or_error(stubs, request), requests))


def _answer_or_error(stubs, request):
    try:
        return stubs.predict(request, timeout=60)
    except grpc.RpcError as error:
        return error


def test_rows_of_several_clients_make_one_batch_and_come_back_to_their_own(server, stubs):
    before = server.models.batch_sizes()["vae"]
    seeds = [np.array([seed], np.int64) for seed in range(8)]
    answers = _together(stubs, [predict_request("generate", seed=seed) for seed in seeds])
    ran = server.models.batch_sizes()["vae"] - before
    assert sum(ran.values()) < 8
    assert set(ran) <= {4, 8}  # padded to an allowed size
    for seed, answer in zip(seeds, answers, strict=True):
        z = tf.make_ndarray(answer.outputs["z"])
        np.testing.assert_allclose(z, [[np.sin(seed[0]), np.cos(seed[0])]], atol=1e-6)


def test_a_row_that_is_refused_does_not_fail_its_batch(stubs):
    good, bad = np.ones([1, 2], np.float32), -np.ones([1, 2], np.float32)
    answers = _together(stubs, [predict_request(model="picky", x=x) for x in [good, bad, good, good]])
    assert answers[1].code() is INVALID
    assert "negative" in answers[1].details()
    for index in (0, 2, 3):
        np.testing.assert_array_equal(tf.make_ndarray(answers[index].outputs["doubled"]), 2 * good)


def test_refused_in_tensorflow_servings_words(stubs):
    assert refusal(stubs.predict, predict_request("scalar", model="picky", x=np.float32(1))) == (
        INVALID,
        "Batching Run() input tensors must have at least one dimension",
    )
    assert refusal(stubs.predict, predict_request("score", x=X, seed=np.zeros(3, np.int64))) == (
        INVALID,
        "Batching Run() input tensors must have equal 0th-dimension size",
    )
    assert refusal(stubs.predict, predict_request("generate", seed=np.zeros(9, np.int64))) == (
        INVALID,
        "Task size 9 is larger than maximum input batch size 8",
    )


def test_clients_send_no_more_rows_than_a_batch_takes(server):
    target = f"127.0.0.1:{server.port}"
    seeds = np.arange(30)
    with serving.Client(target, model="vae", timeout=60) as client:
        # The first refusal tells the limit; a call of 8 rows is a single request.
        alone = np.concatenate([client.generate(seeds[start : start + 8]).mean for start in range(0, 30, 8)])
        np.testing.assert_allclose(client.generate(seeds).mean, alone, rtol=1e-6)
        before = sum(server.models.batch_sizes()["vae"].values())
        assert client.generate(n=24).mean.shape[0] == 24
        assert sum(server.models.batch_sizes()["vae"].values()) - before == 3
        parts = client.stream("generate", {"seed": seeds})
        assert [len(part["mean"]) for part in parts] == [8, 8, 8, 6]
    with serving.Client(target, model="vae", timeout=60) as client:
        parts = client.stream("generate", {"seed": seeds})  # a stream that learns the limit itself
        np.testing.assert_allclose(np.concatenate([part["mean"] for part in parts]), alone, rtol=1e-6)

    async def generate():
        async with serving.AsyncClient(target, model="vae", timeout=60) as client:
            # Begun at the same time, before any of them knows the limit.
            return await asyncio.gather(*(client.generate(seeds) for _ in range(4)))

    for answer in asyncio.run(generate()):
        np.testing.assert_allclose(answer.mean, alone, rtol=1e-6)


def test_what_is_no_batch_runs_alone(stubs):
    answers = _together(
        stubs, [predict_request("total", model="picky", x=np.full([3, 2], n, np.float32)) for n in (1, 2)]
    )
    assert [float(tf.make_ndarray(answer.outputs["total"])) for answer in answers] == [6.0, 12.0]
    # Rows of different lengths: put together they would fail each other.
    tables = [np.ones([1, 3], np.float32), np.ones([2, 3], np.float32)]
    answers = _together(stubs, [predict_request("multiply", table=table) for table in tables])
    assert [tf.make_ndarray(answer.outputs["product"]).shape for answer in answers] == [(1, 2), (2, 2)]


def test_an_empty_batch(stubs):
    answer = stubs.predict(predict_request("generate", seed=np.zeros(0, np.int64)), timeout=60)
    assert tf.make_ndarray(answer.outputs["z"]).shape == (0, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_batch_size": 0},
        {"num_batch_threads": 0},
        {"max_enqueued_batches": 0},
        {"batch_timeout_micros": -1},
        {"max_batch_size": 8, "allowed_batch_sizes": (4, 6)},
        {"max_batch_size": 8, "allowed_batch_sizes": (8, 4)},
        {"max_batch_size": 8, "allowed_batch_sizes": (4, 4, 8)},
    ],
)
def test_wrong_parameters(wrong):
    with pytest.raises(ValueError, match="received"):
        Batching(**wrong)


@pytest.fixture(scope="module")
def gated():
    """A function that blocks where x is negative until `gate` is set."""
    gate = threading.Event()

    def look(x):
        if (x < 0).any():
            gate.wait(30)
        return x

    def double(x):
        return [2 * tf.ensure_shape(tf.numpy_function(look, [x], tf.float32), [None, 1])]

    batching = Batching(max_batch_size=4, num_batch_threads=1, allowed_batch_sizes=(1, 4))
    specs = [tf.TensorSpec([None, 1], tf.float32)]

    class Alone(Executable):
        traceable, output_shapes = staticmethod(double), [tf.TensorShape([None, 1])]

        def __call__(self, inputs, wanted, deadline=None):
            return super().__call__(inputs, wanted)

    return BatchedExecutable(Alone(double, specs), specs, batching, "gated"), gate


def test_rows_of_no_allowed_size_are_padded(gated):
    run, _ = gated
    before = run.batch_sizes()
    for rows in (1, 3, 4):
        np.testing.assert_array_equal(run([np.ones([rows, 1], np.float32)], [0])[0], np.full([rows, 1], 2.0))
    assert run.batch_sizes() - before == {1: 1, 4: 2}


def test_rows_that_find_all_threads_busy_are_queued(gated):
    run, gate = gated
    before = run.batch_sizes()
    with futures.ThreadPoolExecutor(5) as pool:
        stuck = pool.submit(run, [np.float32([[-1]])], [0])
        rows = [pool.submit(run, [np.float32([[i]])], [0]) for i in range(4)]
        assert [row.result(30)[0].item() for row in rows] == [0.0, 2.0, 4.0, 6.0]
        gate.set()
        assert stuck.result(30)[0].item() == -2.0
    assert sum(size * count for size, count in (run.batch_sizes() - before).items()) >= 5  # with padding
