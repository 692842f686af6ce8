"""Strategies by name, clusters, and runs of several real worker processes over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import kubernetes_validate
import numpy as np
import pytest
import tensorflow as tf
import yaml

from keras_vae import cli
from keras_vae.cli.app import app
from keras_vae.training import Run, read_history, strategy
from keras_vae.training.checkpoint import checkpoints
from keras_vae.training.cluster import Cluster
from keras_vae.training.strategy import WorkerLostError, agree, lost_worker_errors

TREE = Path(__file__).parent.parent
FILES = TREE / "docs" / "distributed"


def tf_config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}, "environment": "x"})}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"TF_CONFIG": "{}"}, None),
        (tf_config({"worker": ["a:1", "b:2"]}, index="1"), Cluster(("a:1", "b:2"), 1)),
        (tf_config({"worker": ["a:1", "b:2"], "chief": ["c:3"]}, index=1), Cluster(("c:3", "a:1", "b:2"), 2)),
        (tf_config({"worker": ["a:1"], "chief": ["[::1]:3"]}, "chief"), Cluster(("[::1]:3", "a:1"), 0)),
    ],
)
def test_clusters_in_tf_config(environment, wanted):
    assert Cluster.from_environment(environment) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Set it to valid JSON"),
        ("[]", "expected {"),
        ('{"cluster": {"worker": "a:1"}}', "expected lists of addresses"),
        ('{"cluster": {"worker": ["a:1"]}}', "task: expected {"),
        (tf_config({"worker": ["a:1"]}, index=1)["TF_CONFIG"], "one of 1 worker addresses, received 1"),
        (tf_config({"worker": ["a:1"]}, index=-1)["TF_CONFIG"], "received -1"),
        (tf_config({"worker": ["a:1"]}, "chief")["TF_CONFIG"], "one of 0 chief addresses"),
        (
            tf_config({"worker": ["a:1"], "ps": ["b:2"]})["TF_CONFIG"],
            "job: expected 'worker' or 'chief', received 'ps'",
        ),
        (
            tf_config({"worker": ["a:1"]}, "evaluator")["TF_CONFIG"],
            "job: expected 'worker' or 'chief', received 'evaluator'",
        ),
        (
            tf_config({"worker": ["a:1"], "chief": ["b:2", "c:3"]})["TF_CONFIG"],
            "chief: expected at most one address, received 2",
        ),
        (tf_config({"worker": ["a"]})["TF_CONFIG"], "received 'a'"),
        (tf_config({"worker": ["a:70000"]})["TF_CONFIG"], "received 'a:70000'"),
        (tf_config({"worker": ["a:1", "a:1"]})["TF_CONFIG"], "twice"),
    ],
)
def test_a_bad_tf_config_is_refused(text, message):
    with pytest.raises(ValueError, match="TF_CONFIG") as caught:
        Cluster.from_environment({"TF_CONFIG": text})
    assert message in str(caught.value)


def test_strategies_of_one_process(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert strategy.make() is strategy.make("one") is tf.distribute.get_strategy()
    mirrored = strategy.make("mirrored")
    assert isinstance(mirrored, tf.distribute.MirroredStrategy)
    assert mirrored.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU"))
    assert strategy.is_chief(mirrored)
    agree(mirrored, {"fact": "1"}, "")  # alone, it waits for nobody
    with pytest.raises(tf.errors.InternalError), lost_worker_errors(mirrored, str):
        raise tf.errors.InternalError(None, None, "a fault of its own")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--strategy multi-worker", 1, "expected a cluster of workers, received none"),
        ("--strategy tpu", 1, "received CPU:0"),
        ("--workers a:1,b:2", 2, "expected both or neither, received --workers"),
        ("--worker-index 0", 2, "expected both or neither, received --worker-index"),
        ("--workers a:1,b:2 --worker-index 2", 1, "expected an integer from 0 to 1, received 2"),
        (
            "--workers a:1,b:2 --worker-index 0 --strategy one",
            2,
            "--workers: expected --strategy multi-worker, received --strategy one",
        ),
        ("--tpu local --strategy mirrored", 2, "--tpu: expected --strategy tpu, received --strategy mirrored"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(words, code, message, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert cli.main(["train", "--run", str(tmp_path / "run"), *words.split()]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_auto_chooses_workers_by_tf_config(monkeypatch):
    made = []
    monkeypatch.setattr(strategy, "_multi_worker", made.append)
    for name, value in tf_config({"worker": ["a:1", "b:2"]}).items():
        monkeypatch.setenv(name, value)
    strategy.make()
    assert made == [Cluster(("a:1", "b:2"), 0)]
    monkeypatch.setenv("TF_CONFIG", tf_config({"worker": ["a:1"]})["TF_CONFIG"])
    assert strategy.make() is tf.distribute.get_strategy()
    with pytest.raises(ValueError, match="Did you mean 'mirrored'"):
        strategy.make("miror")


def test_kubernetes_manifest():
    found = {document["kind"]: document for document in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text())}
    for document in found.values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    name, job = found["Job"]["metadata"]["name"], found["Job"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert found["Service"]["spec"]["selector"].items() <= job["template"]["metadata"]["labels"].items()
    assert pod["subdomain"] == found["Service"]["metadata"]["name"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == found["PersistentVolumeClaim"]["metadata"]["name"]
    port = container["ports"][0]["containerPort"]
    assert job["completions"] == job["parallelism"]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert list(environment).index("WORKER_INDEX") < list(environment).index("TF_CONFIG")  # which refers to it
    for index in range(job["completions"]):
        text = environment["TF_CONFIG"].replace("$(WORKER_INDEX)", str(index))
        workers = tuple(f"{name}-{i}.{pod['subdomain']}:{port}" for i in range(job["completions"]))
        assert Cluster.from_environment({"TF_CONFIG": text}) == Cluster(workers, index)
    _, call, _ = app.parse_args(container["args"], exit_on_error=False)
    assert call.arguments["options"].run.startswith(container["volumeMounts"][0]["mountPath"])


# Several processes.


@pytest.fixture
def digits(tmp_path, binary_images):
    """An .npz of 8-bit images: 60 to train on, whose last batch of 16 does not divide, and 16 to test on."""
    gray = (binary_images * 250).astype(np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=gray[:60], x_test=gray[:16])
    return tmp_path / "digits.npz"


def words(run, digits, epochs):
    return (
        f"--run {run} --data {digits} --hidden 16 --latent 2 --batch-size 16 --epochs {epochs} --deterministic".split()
    )


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def surroundings():
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), os.environ.get("PYTHONPATH", "")])}


def start(runs, digits, epochs):
    """Start a worker for each run directory; they are all the same one, but for a mistake."""
    addresses = ",".join(free_addresses(len(runs)))
    command = [sys.executable, "-m", "keras_vae", "train", "--workers", addresses, "--worker-index"]
    return [
        subprocess.Popen(
            [*command, str(index), *words(run, digits, epochs)],
            env=surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, run in enumerate(runs)
    ]


def finish(processes):
    """Wait, and return (exit status, stdout, stderr) of each."""
    try:
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


def weights(run):
    return np.concatenate([w.ravel() for w in Run(run).load_model().get_weights()])


def alone(run, digits, epochs):
    """Train in one process."""
    command = [sys.executable, "-m", "keras_vae", "train", *words(run, digits, epochs), "--strategy", "one"]
    subprocess.run(command, env=surroundings(), check=True, capture_output=True)
    return weights(run)


@pytest.mark.stress
@pytest.mark.parametrize("count", [2, 4])
def test_workers_train_as_one_process_and_the_first_alone_writes(count, digits, tmp_path):
    run = tmp_path / "run"
    outcomes = finish(start([run] * count, digits, epochs=2))
    assert [status for status, _, _ in outcomes] == [0] * count, outcomes
    assert outcomes[0][1].count("epoch ") == 2
    assert [out for _, out, _ in outcomes[1:]] == [""] * (count - 1)
    assert [entry["epoch"] for entry in read_history(run / "history.json")] == [1, 2]
    assert [path.name for path in checkpoints(run / "checkpoints")] == ["epoch-00002.keras", "epoch-00001.keras"]
    for folder in ("train", "validation", "latents", "pictures"):
        assert len(list((run / "logs" / folder).iterdir())) == 1  # one writer's
    # The order of sums differs, and Adam turns that of a gradient near nothing into as much as a step.
    np.testing.assert_allclose(weights(run), alone(tmp_path / "alone", digits, 2), rtol=1e-3, atol=1e-4)


@pytest.mark.stress
def test_a_killed_worker_ends_all_and_the_restarted_end_as_the_undisturbed(digits, tmp_path):
    run = tmp_path / "run"
    for victim, sign, epochs in ((1, signal.SIGKILL, 2), (0, signal.SIGKILL, 4), (1, signal.SIGTERM, 6)):
        processes = start([run] * 2, digits, epochs=2000)
        while len(read_history(run / "history.json")) < epochs and processes[0].poll() is None:
            time.sleep(0.02)
        processes[victim].send_signal(sign)
        outcomes = finish(processes)
        assert outcomes[victim][0] == -sign
        status, _, said = outcomes[1 - victim]
        assert status == 1
        assert "error: a worker was lost (127.0.0.1:" in said
        assert "Traceback" not in said
        reached = len(read_history(run / "history.json"))
        assert f"training continues from epoch {len_of_newest(run) + 1}" in said.splitlines()[-1]
    done = reached + 3
    assert [status for status, _, _ in finish(start([run] * 2, digits, done))] == [0, 0]
    assert [status for status, _, _ in finish(start([tmp_path / "undisturbed"] * 2, digits, done))] == [0, 0]
    np.testing.assert_array_equal(weights(run), weights(tmp_path / "undisturbed"))
    assert [entry["epoch"] for entry in read_history(run / "history.json")] == list(range(1, done + 1))
    assert [path.name for path in run.rglob(".*")] in ([], [".lock"])  # which filelock keeps


def len_of_newest(run):
    return int(checkpoints(run / "checkpoints")[0].stem.removeprefix("epoch-"))


@pytest.mark.stress
def test_workers_that_see_different_checkpoints_are_refused(digits, tmp_path):
    alone(tmp_path / "a", digits, epochs=1)
    before = checkpoints(tmp_path / "a" / "checkpoints")[0].read_bytes()
    for status, _, said in finish(start([tmp_path / "a", tmp_path / "b"], digits, epochs=3)):
        assert status == 1
        assert "the workers have different checkpoints: expected those of worker 0, received others in worker 1" in said
    assert [path.read_bytes() for path in checkpoints(tmp_path / "a" / "checkpoints")] == [before]
    assert [path.name for path in (tmp_path / "b").rglob("*")] in ([], [".lock"])


@pytest.mark.stress
def test_the_script_for_several_hosts_starts_a_worker_again(digits, tmp_path):
    """With a stand-in for ssh that runs the command here; the first try of worker 1 fails."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        '#!/bin/sh\ncase "$2" in *"--worker-index 1"*) '
        f'[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exit 7; }};; esac\nexec sh -c "$2"\n'
    )
    ssh.chmod(0o755)
    run = tmp_path / "a run's"
    addresses = " ".join(free_addresses(2))
    arguments = [part if part != "RUN" else str(run) for part in words("RUN", digits, 1)]
    done = subprocess.run(
        ["sh", FILES / "hosts.sh", addresses, *arguments],
        env={**surroundings(), "SSH": str(ssh), "KERAS_VAE": f"{sys.executable} -m keras_vae", "PAUSE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "failed, try 1" in done.stderr
    assert [entry["epoch"] for entry in read_history(run / "history.json")] == [1]


def test_a_lost_worker_is_told_in_one_line(monkeypatch):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": ["a:1", "b:2"]}), task_type="worker", task_id=0
    )

    class Workers:
        cluster_resolver = resolver

    monkeypatch.setattr("keras_vae.training.strategy.worker_count", lambda strategy: 2)
    message = (
        "Detected at node X\nCollective ops is aborted by: Error reported from /job:worker/task:1: The tasks have "
        "stopped sending heartbeats\n/job:worker/replica:0/task:1\nRestart your program."
    )
    with pytest.raises(WorkerLostError) as caught, lost_worker_errors(Workers(), lambda: "from epoch 7"):
        raise tf.errors.UnavailableError(None, None, message)
    assert str(caught.value).startswith("a worker was lost (b:2: Error reported from /job:worker/task:1: The tasks")
    assert str(caught.value).endswith("Restart all workers; training continues from epoch 7.")
    assert "\n" not in str(caught.value)
    with pytest.raises(tf.errors.InvalidArgumentError), lost_worker_errors(Workers(), str):
        raise tf.errors.InvalidArgumentError(None, None, "the data's")
