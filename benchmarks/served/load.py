"""Sends load to a PredictionService from a separate process, and prints its measurements as JSON.

Started by `benchmarks/serving.py`; by hand:

    python benchmarks/served/load.py --server 127.0.0.1:8500 --clients 16 --rows 64 --seconds 5
    python benchmarks/served/load.py --server 127.0.0.1:8500 --clients 16 --rows 1 --seconds 5 --rate 500

Closed loop: each client sends its next request after its answer. Open loop (`--rate`, requests per second in total):
requests are sent on schedule regardless of the answers, and latencies count from the scheduled time.
"""

import argparse
import asyncio
import json
import time

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving.wire import tensors

METHOD = "/tensorflow.serving.PredictionService/Predict"
LATENT = 20


def request_bytes(model: str, rows: int) -> bytes:
    request = predict_pb2.PredictRequest(model_spec={"name": model})
    z = np.random.default_rng(0).normal(size=(rows, LATENT)).astype(np.float32)
    tensors.to_proto(z, request.inputs["z"])
    return request.SerializeToString()


async def measure(options: argparse.Namespace) -> dict[str, float]:
    # Bytes in and out: the generator's own work must not be what is measured.
    channels = [
        grpc.aio.insecure_channel(
            options.server,
            options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)],
        )
        for _ in range(options.clients)
    ]
    calls = [channel.unary_unary(METHOD) for channel in channels]
    request = request_bytes(options.model, options.rows)
    latencies: list[float] = []
    codes: dict[str, int] = {}

    async def call(one: grpc.aio.UnaryUnaryMultiCallable, begun: float) -> None:
        try:
            await one(request, timeout=30)
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        codes[code] = codes.get(code, 0) + 1
        if code == "OK":
            latencies.append(time.perf_counter() - begun)

    async def closed_loop(one: grpc.aio.UnaryUnaryMultiCallable, until: float) -> None:
        while (begun := time.perf_counter()) < until:
            await call(one, begun)

    async def open_loop(until: float) -> None:
        due, number, sent = time.perf_counter(), 0, set()
        while due < until:
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            task = asyncio.create_task(call(calls[number % len(calls)], due))
            sent.add(task)
            task.add_done_callback(sent.discard)
            due, number = due + 1 / options.rate, number + 1
        await asyncio.gather(*sent)

    await asyncio.gather(*(closed_loop(one, time.perf_counter() + options.warm_up) for one in calls))
    latencies.clear()
    codes.clear()
    begun, cpu = time.perf_counter(), time.process_time()
    until = begun + options.seconds
    if options.rate:
        await open_loop(until)
    else:
        await asyncio.gather(*(closed_loop(one, until) for one in calls))
    took = time.perf_counter() - begun
    for channel in channels:
        await channel.close()
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e3 if latencies else (float("nan"),) * 2
    return {
        "requests_per_second": len(latencies) / took,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "codes": codes,
        "generator_cpu": (time.process_time() - cpu) / took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="host:port")
    parser.add_argument("--model", default="decoder")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1, help="rows per request")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm_up", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=0.0, help="requests per second; 0 for a closed loop")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
