"""Metrics: the text parsed back by Prometheus' own parser."""

import math
import threading

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.core.metrics import Metrics

COUNT = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"


def _samples(metrics: Metrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            # The parser adds the suffix that TensorFlow Serving's counters lack.
            samples.setdefault(sample.name.removesuffix("_total"), []).append((sample.labels, sample.value))
    return samples


def _observe(metrics: Metrics, status: str = "OK", seconds: float = 0.001, **changed: str) -> None:
    labels = {"model": "vae", "signature": "encode", "api": "Predict", "entrypoint": "GRPC"} | changed
    metrics.observe_request(status=status, seconds=seconds, **labels)


def test_counts_by_model_signature_and_status():
    metrics = Metrics()
    _observe(metrics)
    _observe(metrics, entrypoint="REST", api="predict")
    _observe(metrics, status="INVALID_ARGUMENT")
    _observe(metrics, signature="")
    counts = {
        (labels["model_name"], labels["signature_name"], labels["status"]): value
        for labels, value in _samples(metrics)[COUNT]
    }
    assert counts == {
        ("vae", "encode", "OK"): 2,
        ("vae", "encode", "INVALID_ARGUMENT"): 1,
        ("vae", "serving_default", "OK"): 1,
    }


def test_names_are_exact():
    metrics = Metrics()
    _observe(metrics)
    metrics.observe_load("vae", 3, 1.5)
    metrics.watch_batches(lambda: {"vae": {4: 2}})
    lines = metrics.render()[0].decode().splitlines()
    assert f'{COUNT}{{model_name="vae",signature_name="encode",status="OK"}} 1.0' in lines
    assert f"# TYPE {COUNT} counter" in lines
    assert f"# TYPE {LATENCY} histogram" in lines
    assert ':tensorflow:cc:saved_model:load_latency{model_name="vae",version="3"} 1.5e+06' in lines
    assert ':tensorflow:serving:batching:processed_batch_size_v2{batch_size="4",model_name="vae"} 2.0' in lines
    bound = (
        f'{LATENCY}_bucket{{API="Predict",entrypoint="GRPC",le="708235",model_name="vae",signature_name="encode"}} 1.0'
    )
    assert bound in lines


def test_latencies_agree_with_a_histogram_of_numpy():
    metrics = Metrics()
    seconds = np.random.default_rng(2).lognormal(-6, 4, 500)
    for one in seconds:
        _observe(metrics, seconds=one)
    samples = _samples(metrics)
    bounds = [float(labels["le"]) for labels, _ in samples[f"{LATENCY}_bucket"]]
    below = [value for _, value in samples[f"{LATENCY}_bucket"]]
    assert (len(bounds), bounds[0], bounds[-1]) == (34, 10, math.inf)
    np.testing.assert_allclose(np.array(bounds[1:-1]) / bounds[:-2], 1.8, rtol=1e-4)
    assert below == [np.sum(seconds * 1e6 <= bound) for bound in bounds]
    assert samples[f"{LATENCY}_sum"][0][1] == pytest.approx(seconds.sum() * 1e6)
    assert samples[f"{LATENCY}_count"][0][1] == 500


def test_a_latency_on_a_bound_lies_below_it():
    metrics = Metrics()
    _observe(metrics, seconds=18e-6)
    below = {labels["le"]: value for labels, value in _samples(metrics)[f"{LATENCY}_bucket"]}
    assert (below["10"], below["18"]) == (0, 1)


def test_unknown_names_are_counted_together():
    metrics = Metrics()
    metrics.observe_load("vae", 1, 1.0)
    _observe(metrics)
    for index in range(2000):
        _observe(metrics, status="NOT_FOUND", model=f"nope{index}")
        _observe(metrics, status="FAILED_PRECONDITION", signature=f"nope{index}")
    counts = {tuple(sorted(labels.items())): value for labels, value in _samples(metrics)[COUNT]}
    assert sorted(counts.values()) == [1, 2000, 2000]
    models = {(labels["model_name"], labels["signature_name"]) for labels, _ in _samples(metrics)[COUNT]}
    assert models == {("vae", "encode"), ("unknown", "unknown"), ("vae", "unknown")}


def test_odd_names_survive():
    metrics = Metrics()
    name = 'a"b\\c\nd é'
    _observe(metrics, model=name)
    assert _samples(metrics)[COUNT][0][0]["model_name"] == name


def test_loads_add_up():
    metrics = Metrics()
    metrics.observe_load("vae", 1, 1.0)
    metrics.observe_load("vae", 1, 0.5)
    metrics.observe_load("vae", 2, 2.0)
    samples = _samples(metrics)
    assert [value for _, value in samples[":tensorflow:cc:saved_model:load_latency"]] == [1.5e6, 2e6]
    assert [value for _, value in samples[":tensorflow:cc:saved_model:load_attempt_count"]] == [2, 1]


def test_batches_are_read_anew():
    metrics = Metrics()
    sizes = {1: 1}
    metrics.watch_batches(lambda: {"vae": sizes})
    assert len(_samples(metrics)[":tensorflow:serving:batching:processed_batch_size_v2"]) == 1
    sizes[64] = 7
    found = _samples(metrics)[":tensorflow:serving:batching:processed_batch_size_v2"]
    assert {labels["batch_size"]: value for labels, value in found} == {"1": 1, "64": 7}


def test_no_request_is_lost_between_threads():
    metrics = Metrics()
    threads = [
        threading.Thread(target=lambda: [_observe(metrics, seconds=2e-6) for _ in range(2000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    samples = _samples(metrics)
    assert samples[COUNT][0][1] == 16000
    assert samples[f"{LATENCY}_sum"][0][1] == pytest.approx(16000 * 2)


def test_two_servers_count_for_themselves():
    one, other = Metrics(), Metrics()
    _observe(one)
    assert COUNT in _samples(one)
    assert COUNT not in _samples(other)
