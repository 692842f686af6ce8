"""How fast the local server answers, compared with a naive servicer and the same SavedModel called in process.

A separate process (`served/load.py`) sends requests to a decoder 20-400-784: 1 and 16 clients, 1 and 64 rows per
request. Targets take turns within each round, and the table shows the median of the rounds, because timings on a
shared machine differ by a factor of two from minute to minute. An open loop at 70% of the closed loop's rate follows,
for latencies that do not hide a queue.

    python benchmarks/serving.py                                  # about eight minutes on two cores
    python benchmarks/serving.py --server 127.0.0.1:8500          # and another server with the same model
    python benchmarks/serving.py --write_model models/decoder/1   # only the model, for such a server
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tqdm import tqdm

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "serving.json"
PAGE = HERE.parent / "docs" / "serving.md"
CASES = [(1, 1), (16, 1), (1, 64), (16, 64)]  # clients, rows
PORTS = {"naive servicer": 8610, "local server": 8620, "local server, batching": 8630}
BATCHING = "max_batch_size { value: 1024 } num_batch_threads { value: 2 } max_enqueued_batches { value: 100 }\n"
OPEN_LOAD = 0.7


class Decoder(tf.Module):
    """20 latents, 400 hidden units, 784 pixels."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.hidden = tf.Variable(rng.normal(size=(20, 400)).astype(np.float32) / 5)
        self.output = tf.Variable(rng.normal(size=(400, 784)).astype(np.float32) / 20)

    @tf.function(input_signature=[tf.TensorSpec([None, 20], tf.float32, "z")])
    def decode(self, z: tf.Tensor) -> dict[str, tf.Tensor]:
        """From latents to pixels."""
        return {"mean": tf.sigmoid(tf.nn.relu(z @ self.hidden) @ self.output)}


def write_model(path: Path) -> None:
    decoder = Decoder()
    tf.saved_model.save(decoder, str(path), {"serving_default": decoder.decode})


@contextlib.contextmanager
def running(command: list[str], ready: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=HERE.parent,  # elsewhere `-m serving` might find this file
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        for line in process.stdout:
            if ready in line:
                break
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def targets(folder: Path) -> Iterator[dict[str, tuple[str, subprocess.Popen]]]:
    (folder / "batching.config").write_text(BATCHING)
    serve = ["-m", "serving", "--model_name=decoder", f"--model_base_path={folder / 'decoder'}"]
    serve += ["--tensorflow_intra_op_parallelism=1", "--file_system_poll_wait_seconds=0"]
    batching = ["--enable_batching", f"--batching_parameters_file={folder / 'batching.config'}"]
    commands = {
        "naive servicer": ([str(HERE / "served" / "naive.py"), str(folder / "decoder" / "1")], "ready"),
        "local server": (serve, "Listening"),
        "local server, batching": ([*serve, *batching], "Listening"),
    }
    with contextlib.ExitStack() as stack:
        found = {}
        for name, (command, ready) in commands.items():
            port = PORTS[name]
            command = [*command, str(port)] if name == "naive servicer" else [*command, f"--port={port}"]
            found[name] = (f"127.0.0.1:{port}", stack.enter_context(running(command, ready)))
        yield found


def load(server: str, clients: int, rows: int, seconds: float, rate: float = 0.0) -> dict:
    command = [sys.executable, str(HERE / "served" / "load.py"), f"--server={server}", f"--clients={clients}"]
    command += [f"--rows={rows}", f"--seconds={seconds}", f"--rate={rate}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def cpu_seconds(process: subprocess.Popen) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_process(path: Path, clients: int, rows: int, seconds: float) -> dict:
    """Calls the SavedModel as Python does, from as many threads as there are clients."""
    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    z = np.random.default_rng(0).normal(size=(rows, 20)).astype(np.float32)
    counts = [0] * clients
    function(z=tf.constant(z))
    until = time.perf_counter() + seconds

    def call(index: int) -> None:
        while time.perf_counter() < until:
            function(z=tf.constant(z))["mean"].numpy()
            counts[index] += 1

    threads = [threading.Thread(target=call, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"requests_per_second": sum(counts) / seconds}


def measure(options: argparse.Namespace, folder: Path) -> dict:
    path = folder / "decoder" / "1"
    write_model(path)
    results: dict[str, dict] = {}
    with targets(folder) as found:
        servers: dict[str, tuple[str, subprocess.Popen | None]] = dict(found)
        if options.server:
            servers[f"given server {options.server}"] = (options.server, None)
        steps = options.rounds * len(CASES) * (len(servers) + 1) + 2 * len(servers)
        with tqdm(total=steps, unit="run") as bar:
            for _ in range(options.rounds):
                for clients, rows in CASES:
                    case = f"{clients} x {rows}"
                    for name, (address, process) in servers.items():
                        bar.set_description(f"{name}, {case}")
                        before = cpu_seconds(process) if process else 0.0
                        seen = load(address, clients, rows, options.seconds)
                        if process:
                            calls = seen["requests_per_second"] * (options.seconds + 1)
                            seen["server_cpu_us_per_request"] = 1e6 * (cpu_seconds(process) - before) / calls
                        results.setdefault(name, {}).setdefault(case, []).append(seen)
                        bar.update()
                    bar.set_description(f"in process, {case}")
                    seen = in_process(path, clients, rows, options.seconds)
                    results.setdefault("in process", {}).setdefault(case, []).append(seen)
                    bar.update()
            for name, (address, _) in servers.items():
                for rows in (1, 64):
                    closed = median(results[name][f"16 x {rows}"])["requests_per_second"]
                    bar.set_description(f"{name}, open loop, {rows}")
                    seen = load(address, 16, rows, options.seconds, OPEN_LOAD * closed)
                    results[name][f"open 16 x {rows}"] = [seen | {"offered_per_second": OPEN_LOAD * closed}]
                    bar.update()
    return {name: {case: median(runs) for case, runs in cases.items()} for name, cases in results.items()}


def median(runs: list[dict]) -> dict:
    numbers = {
        key: statistics.median(run[key] for run in runs) for key in runs[0] if isinstance(runs[0][key], int | float)
    }
    codes: dict[str, int] = {}
    for run in runs:
        for code, count in run.get("codes", {}).items():
            codes[code] = codes.get(code, 0) + count
    return numbers | ({"codes": codes} if codes else {})


def table(results: dict) -> str:
    head = (
        "| requests/s (p50 / p99 ms) | 1 client, 1 row | 16 clients, 1 row | 1 client, 64 rows | 16 clients, 64 rows |"
    )
    lines = [head, "|---|---|---|---|---|"]
    for name, cases in results.items():
        cells = [_cell(cases[f"{clients} x {rows}"]) for clients, rows in CASES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| open loop at 70%, 16 clients | 1 row: p50 / p99 ms | 64 rows: p50 / p99 ms |", "|---|---|---|"]
    for name, cases in results.items():
        if "open 16 x 1" in cases:
            cells = [f"{cases[c]['p50_ms']:.1f} / {cases[c]['p99_ms']:.1f}" for c in ("open 16 x 1", "open 16 x 64")]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(seen: dict) -> str:
    rate = f"{seen['requests_per_second']:,.0f}"
    return f"{rate} ({seen['p50_ms']:.1f} / {seen['p99_ms']:.1f})" if "p50_ms" in seen else rate


def write_page(text: str) -> None:
    """Writes the table between its two marks in docs/serving.md."""
    marks = re.compile(r"(<!-- begin benchmark -->\n).*?(<!-- end benchmark -->)", re.DOTALL)
    page = PAGE.read_text()
    if marks.search(page):
        PAGE.write_text(marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run")
    parser.add_argument("--server", help="host:port of another server, which serves the model as `decoder`")
    parser.add_argument("--write_model", type=Path, help="write the model to this version's directory, and exit")
    options = parser.parse_args()
    if options.write_model:
        write_model(options.write_model)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options, Path(folder))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    write_page(table(results))


if __name__ == "__main__":
    main()
