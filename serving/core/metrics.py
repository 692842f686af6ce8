"""`Metrics`: counts requests, latencies, batches and loads for Prometheus, under TensorFlow Serving's names."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from serving.wire.protocol import DEFAULT_SIGNATURE

# TensorFlow Serving's: 33 buckets from 10 microseconds to about 25 minutes, each 1.8 times the one before.
_BOUNDS = [10.0 * 1.8**index for index in range(33)]
_BOUND_LABELS = [f"{bound:g}" for bound in _BOUNDS] + ["+Inf"]

_UNKNOWN = "unknown"

_Batches = Mapping[str, Mapping[int, int]]


class _Requests:
    """The requests that share all labels."""

    __slots__ = ("buckets", "microseconds")

    def __init__(self) -> None:
        self.buckets = [0] * len(_BOUND_LABELS)
        self.microseconds = 0.0


class Metrics(Collector):
    """Counts for one server; may be called from any thread.

    Names that only clients have sent are counted together as `unknown`, so that no client can fill the memory with
    names: a model's name is known after it has been loaded or has answered, a signature's after it has answered.
    """

    def __init__(self) -> None:
        """Starts all counts at zero."""
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, str, str, str], _Requests] = {}
        self._loads: dict[tuple[str, int], tuple[int, float]] = {}
        self._models: set[str] = set()
        self._signatures: set[tuple[str, str]] = set()
        self._batches: Callable[[], _Batches] = dict
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def observe_request(
        self, *, model: str, signature: str, status: str, api: str, entrypoint: str, seconds: float
    ) -> None:
        """Counts an answered request.

        Args:
            model: The model's name as the client sent it.
            signature: The signature's name; empty for `serving_default`.
            status: The status's name, such as `OK` or `NOT_FOUND`.
            api: The method, such as `Predict`.
            entrypoint: How the request arrived: `GRPC` or `REST`.
            seconds: How long the answer took.
        """
        microseconds = seconds * 1e6
        bucket = bisect_left(_BOUNDS, microseconds)
        key = (model, signature, status, api, entrypoint)
        with self._lock:
            requests = self._requests.get(key)
            if requests is None:
                requests = self._requests.setdefault(self._known(key), _Requests())
            requests.buckets[bucket] += 1
            requests.microseconds += microseconds

    def observe_load(self, model: str, version: int, seconds: float) -> None:
        """Counts a loaded version.

        Args:
            model: The model's name.
            version: The version.
            seconds: How long loading it took.
        """
        with self._lock:
            self._models.add(model)
            count, microseconds = self._loads.get((model, version), (0, 0.0))
            self._loads[model, version] = (count + 1, microseconds + seconds * 1e6)

    def watch_batches(self, batches: Callable[[], _Batches]) -> None:
        """Sets the source of the batch counts, which is read whenever the metrics are.

        Args:
            batches: Returns how many batches of each size each model has run.
        """
        self._batches = batches

    def render(self) -> tuple[bytes, str]:
        """Writes all counts as text.

        Returns:
            The text, and its content type.
        """
        text = generate_latest(self._registry)
        return text.replace(b" untyped\n", b" counter\n"), CONTENT_TYPE_PLAIN_0_0_4

    def collect(self) -> Iterator[Metric]:
        """Yields all counts to `prometheus_client`."""
        with self._lock:
            requests = [(key, list(one.buckets), one.microseconds) for key, one in self._requests.items()]
            loads = dict(self._loads)
        yield _request_counts(requests)
        yield _request_latencies(requests)
        yield from _load_metrics(loads)
        yield _batch_sizes(self._batches())

    def _known(self, key: tuple[str, str, str, str, str]) -> tuple[str, str, str, str, str]:
        model, signature, status, api, entrypoint = key
        signature = signature or DEFAULT_SIGNATURE
        if status == "OK":
            self._models.add(model)
            self._signatures.add((model, signature))
        if (model, signature) not in self._signatures:
            signature = _UNKNOWN
        if model not in self._models:
            model = _UNKNOWN
        return (model, signature, status, api, entrypoint)


_Snapshot = list[tuple[tuple[str, str, str, str, str], list[int], float]]


# A counter would get the suffix `_total`, which TensorFlow Serving's lack; `render` restores the type.
_COUNTER = "untyped"


def _request_counts(requests: _Snapshot) -> Metric:
    name = ":tensorflow:serving:request_count"
    metric = Metric(name, "The total number of requests.", _COUNTER)
    totals: dict[tuple[str, str, str], int] = {}
    for (model, signature, status, _, _), buckets, _ in requests:
        key = (model, signature, status)
        totals[key] = totals.get(key, 0) + sum(buckets)
    for (model, signature, status), total in totals.items():
        metric.add_sample(name, {"model_name": model, "signature_name": signature, "status": status}, total)
    return metric


def _request_latencies(requests: _Snapshot) -> Metric:
    name = ":tensorflow:serving:request_latency"
    metric = Metric(name, "Distribution of wall time (in microseconds) for requests.", "histogram")
    merged: dict[tuple[str, str, str, str], tuple[list[int], float]] = {}
    for (model, signature, _, api, entrypoint), buckets, microseconds in requests:
        key = (model, signature, api, entrypoint)
        before, sum_before = merged.get(key, ([0] * len(buckets), 0.0))
        merged[key] = ([a + b for a, b in zip(before, buckets, strict=True)], sum_before + microseconds)
    for (model, signature, api, entrypoint), (buckets, microseconds) in merged.items():
        labels = {"model_name": model, "signature_name": signature, "API": api, "entrypoint": entrypoint}
        below = 0
        for bound, count in zip(_BOUND_LABELS, buckets, strict=True):
            below += count
            metric.add_sample(f"{name}_bucket", labels | {"le": bound}, below)
        metric.add_sample(f"{name}_sum", labels, microseconds)
        metric.add_sample(f"{name}_count", labels, below)
    return metric


def _load_metrics(loads: Mapping[tuple[str, int], tuple[int, float]]) -> Iterator[Metric]:
    prefix = ":tensorflow:cc:saved_model:"
    attempts = Metric(f"{prefix}load_attempt_count", "The number of times a version was loaded.", _COUNTER)
    latency = Metric(f"{prefix}load_latency", "Wall time (in microseconds) of loading a version.", _COUNTER)
    for (model, version), (count, microseconds) in loads.items():
        labels = {"model_name": model, "version": str(version)}
        attempts.add_sample(attempts.name, labels | {"status": "success"}, count)
        latency.add_sample(latency.name, labels, microseconds)
    yield attempts
    yield latency


def _batch_sizes(batches: _Batches) -> Metric:
    name = ":tensorflow:serving:batching:processed_batch_size_v2"
    metric = Metric(name, "The number of batches run, by model and size.", _COUNTER)
    for model, sizes in batches.items():
        for size, count in sizes.items():
            metric.add_sample(name, {"model_name": model, "batch_size": str(size)}, count)
    return metric
