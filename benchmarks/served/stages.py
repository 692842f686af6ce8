"""Where one Predict request spends its time: medians of separately measured stages, and of the whole round trip.

The server runs in this process for the stages, and in a separate process for the round trip of one client.

    python benchmarks/served/stages.py          # about a minute
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from load import METHOD, request_bytes
from tensorflow_serving.apis import predict_pb2

from serving.core.deadline import Deadline
from serving.server import Server
from serving.wire import tensors

HERE = Path(__file__).parents[1]
RESULTS = HERE / "results" / "serving_profile.json"
PAGE = HERE.parent / "docs" / "serving.md"
REPEATS = 2000
PORT = 8640


def median_us(call: Callable[[], object]) -> float:
    for _ in range(REPEATS // 10):
        call()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return 1e6 * float(np.median(times))


def round_trip_us(rows: int) -> float:
    data = request_bytes("decoder", rows)
    with grpc.insecure_channel(f"127.0.0.1:{PORT}") as channel:
        call = channel.unary_unary(METHOD)
        return median_us(lambda: call(data, timeout=30))


def stages(server: Server, rows: int) -> dict[str, float]:
    data = request_bytes("decoder", rows)
    request = predict_pb2.PredictRequest.FromString(data)
    signature = server.models.get("decoder").servable().signature("")
    array = tensors.to_array(request.inputs["z"])
    (mean,) = signature._runner([array], [0])
    response = server.methods.predict(request, Deadline())

    def respond() -> None:
        tensors.to_typed_proto(mean, predict_pb2.PredictResponse().outputs["mean"])

    taken = {
        "parse the request": median_us(lambda: predict_pb2.PredictRequest.FromString(data)),
        "array from the request": median_us(lambda: tensors.to_array(request.inputs["z"])),
        "TensorFlow runs the graph": median_us(lambda: signature._runner([array], [0])),
        "bytes from the answer": median_us(respond),
        "serialize the answer": median_us(response.SerializeToString),
        "count and log": median_us(lambda: server._observe("GRPC", "Predict", request, grpc.StatusCode.OK, 0.001)),
    }
    whole = median_us(lambda: server.methods.predict(request, Deadline()))
    inner = sum(
        taken[name] for name in ("array from the request", "TensorFlow runs the graph", "bytes from the answer")
    )
    taken["look up, check, deadline"] = max(whole - inner, 0.0)
    return taken


def table(results: dict[str, dict[str, float]]) -> str:
    lines = [f"| µs per request | {' | '.join(results)} |", "|---|" + "---|" * len(results)]
    for name in next(iter(results.values())):
        lines.append(f"| {name} | {' | '.join(f'{taken[name]:,.0f}' for taken in results.values())} |")
    return "\n".join(lines)


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)  # as the command does
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        base_path = Path(folder) / "decoder"
        subprocess.run([sys.executable, str(HERE / "serving.py"), "--write_model", str(base_path / "1")], check=True)
        with Server(model_name="decoder", model_base_path=base_path, port=0) as server:
            for rows in (1, 64):
                results[f"{rows} rows"] = stages(server, rows)
        command = [sys.executable, "-m", "serving", "--model_name=decoder", f"--model_base_path={base_path}"]
        process = subprocess.Popen([*command, f"--port={PORT}"], stdout=subprocess.PIPE, text=True)
        try:
            while "Listening" not in process.stdout.readline():
                pass
            for rows in (1, 64):
                taken = results[f"{rows} rows"]
                whole = round_trip_us(rows)
                taken["gRPC on both sides, threads, network"] = whole - sum(taken.values())
                taken["**round trip, one client**"] = whole
        finally:
            process.terminate()
            process.wait(60)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    marks = re.compile(r"(<!-- begin profile -->\n).*?(<!-- end profile -->)", re.DOTALL)
    PAGE.write_text(marks.sub(lambda found: f"{found[1]}{table(results)}\n{found[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()
