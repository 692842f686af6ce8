"""Bundles: the configuration files by their messages, the compose file, and what the export implies."""

import http.server
import shutil
import subprocess
import threading
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from deploy_testing import (
    FLOAT,
    GENERATE,
    INT64,
    STRING,
    container,
    write_base_path,
    write_bundle,
    write_export,
)

from serving.deploy import bundle
from serving.deploy.exported import Exported
from serving.deploy.plan import Plan
from serving.options import config_files

SCALAR = ({"x": (FLOAT, [-1, 3])}, {"total": (FLOAT, [])})
RAGGED = ({"words": (STRING, [-1, -1])}, {"count": (INT64, [-1])})
FIXED = ({"x": (FLOAT, [1, 3])}, {"y": (FLOAT, [-1])})
ANY_RANK = ({"x": (FLOAT, None)}, {"y": (FLOAT, [-1])})


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    return write_base_path(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundles"))


def test_models_config(bundled, base_path):
    (model,) = config_files.read_model_server_config(bundled / "models.config").model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("My_digits", "/models/My_digits", "tensorflow")
    assert list(model.model_version_policy.specific.versions) == [10]  # the newest by number, not by letters
    copied = bundled / "models" / "My_digits"
    assert [p.name for p in copied.iterdir()] == ["10"]
    for file in (base_path / "10").rglob("*"):
        copy = copied / "10" / file.relative_to(base_path / "10")
        assert file.is_dir() or copy.read_bytes() == file.read_bytes()


def test_the_label_in_the_comment_is_right(bundled, tmp_path):
    text = (bundled / "models.config").read_text()
    (line,) = [line.lstrip("# ") for line in text.splitlines() if "version_labels {" in line]
    labelled = tmp_path / "models.config"
    labelled.write_text(text.replace('model_platform: "tensorflow"', line))
    (model,) = config_files.read_model_server_config(labelled).model_config_list.config
    assert dict(model.version_labels) == {"stable": 10}


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(1, [1]), (2, [1, 2]), (64, [1, 2, 4, 8, 16, 32, 64]), (100, [1, 2, 4, 8, 16, 32, 64, 100])],
)
def test_batching_config(base_path, tmp_path, rows, sizes):
    batching = config_files.read_batching_parameters(
        bundle(base_path, tmp_path / "b", max_batch_size=rows) / "batching.config"
    )
    assert batching.max_batch_size.value == rows
    assert list(batching.allowed_batch_sizes) == sizes
    assert batching.num_batch_threads.value == 2
    assert batching.HasField("batch_timeout_micros")


@pytest.mark.parametrize(("callers", "threads"), [(1, 10), (64, 136), (500, 1008)])
def test_threads_and_queue_are_as_many_as_the_callers(base_path, tmp_path, callers, threads):
    folder = bundle(base_path, tmp_path / "b", max_batch_size=16, callers=callers)
    batching = config_files.read_batching_parameters(folder / "batching.config")
    assert batching.max_enqueued_batches.value == callers
    flags = [f"--grpc_max_threads={threads}", f"--rest_api_num_threads={callers}"]
    (service,) = yaml.safe_load((folder / "docker-compose.yaml").read_text())["services"].values()
    model = yaml.safe_load((folder / "kserve" / "inferenceservice.yaml").read_text())["spec"]["predictor"]["model"]
    for arguments in (service["command"], container(folder)["args"], model["args"]):
        assert [flag for flag in arguments if "threads" in flag] == flags
    readme = (folder / "README.md").read_text()
    assert " ".join(flags) in readme
    assert f"threads for {callers} requests in flight" in readme


def test_callers_are_needed(base_path, tmp_path):
    with pytest.raises(ValueError, match=r"callers: expected 1 to 10,000 requests in flight, received 0\. Use 64"):
        bundle(base_path, tmp_path / "b", callers=0)


def test_the_queue_is_bounded_in_bytes(tmp_path):
    wide = ({"x": (FLOAT, [-1, 2**18])}, {"y": (FLOAT, [-1])})  # 1 MiB per row
    write_export(tmp_path / "wide", 1, encode=wide, score=wide)
    batching = config_files.read_batching_parameters(
        bundle(tmp_path / "wide", tmp_path / "b", max_batch_size=16) / "batching.config"
    )
    assert batching.max_enqueued_batches.value == 8  # of 16 rows, in two queues: 256 MiB


def test_monitoring_config(bundled):
    monitoring = config_files.read_monitoring_config(bundled / "monitoring.config").prometheus_config
    assert (monitoring.enable, monitoring.path) == (True, "/monitoring/prometheus/metrics")


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (SCALAR, "output total of signature odd has shape [], whose first dimension is not a free batch dimension"),
        (RAGGED, "input words of signature odd has shape [?,?], whose unknown inner dimensions may differ"),
        (FIXED, "input x of signature odd has shape [1,3], whose first"),
        (ANY_RANK, "input x of signature odd has shape [...], whose first"),
    ],
)
def test_unbatchable(tmp_path, signature, reason):
    write_export(tmp_path / "digits", 1, warmup=False, generate=GENERATE, odd=signature)
    folder = bundle(tmp_path / "digits", tmp_path / "bundle")
    assert not (folder / "batching.config").exists()
    assert f"There is no `batching.config`: {reason}" in (folder / "README.md").read_text()
    assert "no warm-up requests" in (folder / "README.md").read_text()
    for file in ("docker-compose.yaml", "kustomization.yaml", "kubernetes/deployment.yaml", "README.md"):
        assert "batching_parameters_file" not in (folder / file).read_text()
    assert yaml.safe_load((folder / "kustomization.yaml").read_text())["configMapGenerator"][0]["files"] == [
        "models.config",
        "monitoring.config",
    ]


def test_a_real_export(exports, tmp_path):
    shutil.copytree(exports[1], tmp_path / "vae" / "1")
    folder = bundle(tmp_path / "vae", tmp_path / "bundle")
    assert "output count of signature join has shape []" in (folder / "README.md").read_text()
    assert "| `encode` | 12 | 16 | 262144 |" in (folder / "README.md").read_text()
    assert "| `join` | varies | varies | varies |" in (folder / "README.md").read_text()


def test_readme(bundled):
    text = (bundled / "README.md").read_text()
    assert "up to 256 rows" in text
    assert "It carries warm-up requests" in text
    assert "| `serving_default` | 8 | 3216 | 1304 |" in text  # 4 (28 * 28 + 20) bytes


# The keys used here, each in the Compose specification.
COMPOSE_KEYS = {
    "image", "entrypoint", "command", "ports", "volumes", "healthcheck", "restart", "init", "user", "read_only",
    "tmpfs", "cap_drop", "security_opt", "mem_limit",
}  # fmt: skip


def test_compose(bundled):
    document = yaml.safe_load((bundled / "docker-compose.yaml").read_text())
    assert list(document) == ["services"]
    service = document["services"]["my-digits"]
    assert service.keys() == COMPOSE_KEYS
    assert service["image"] == "tensorflow/serving:2.21.0"
    assert [port.rsplit(":", 1)[0] for port in service["ports"]] == ["127.0.0.1:8500", "127.0.0.1:8501"]
    assert all(volume["read_only"] for volume in service["volumes"])
    mounted = {volume["target"]: bundled / volume["source"] for volume in service["volumes"]}
    assert mounted["/bundle"].resolve() == bundled.resolve()
    assert (mounted["/models"] / "My_digits" / "10" / "saved_model.pb").is_file()


def _has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=60).returncode == 0


@pytest.mark.skipif(not _has_compose(), reason="needs docker compose")
def test_compose_by_docker(bundled):
    file = str(bundled / "docker-compose.yaml")
    command = ["docker", "compose", "--file", file, "config", "--quiet"]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (404, False)])
def test_compose_healthcheck(bundled, status, healthy):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    document = yaml.safe_load((bundled / "docker-compose.yaml").read_text())
    kind, *command = document["services"]["my-digits"]["healthcheck"]["test"]
    assert command[-1].count("$") == 2 * command[-1].count("$$")  # or compose would put its own variables there
    command[-1] = command[-1].replace("$$", "$").replace("8501", str(server.server_port))
    done = subprocess.run(command, timeout=60)
    thread.join(60)
    server.server_close()
    assert (kind, asked) == ("CMD", ["/v1/models/My_digits/metadata"])
    assert (done.returncode == 0) == healthy


def test_dockerfile(bundled):
    assert (bundled / "Dockerfile").read_text() == "FROM tensorflow/serving:2.21.0\nCOPY models /models\n"


def test_memory_grows_with_the_model(bundled):
    def memory(size):
        exported = Exported(Path("p"), 1, "2.21.0", size, True, {}, "")
        return Plan(exported, "digits", "digits", "image", 64, 64, "s3://b").memory_mib

    # 768 MiB of the server's own and three times the model's, rounded up to a quarter of a GiB.
    assert memory(2**30) == 3840
    assert memory(2**30 + 1) == 4096
    assert memory(0) == 768
    assert container(bundled)["resources"]["limits"] == {"memory": "1024Mi"}
    service = yaml.safe_load((bundled / "docker-compose.yaml").read_text())["services"]["my-digits"]
    assert service["mem_limit"] == "1024m"


def test_templates(bundled):
    templates = files("serving.deploy") / "templates"
    found = [Path(path) for path in Path(str(templates)).rglob("*") if path.is_file()]
    assert len(found) == 9
    for template in found:
        assert (bundled / template.relative_to(str(templates))).is_file()
        if template.suffix == ".yaml":  # also before it is filled, so that editors and linters can read it
            assert all(isinstance(document, dict) for document in yaml.safe_load_all(template.read_text()))
    assert not any("${" in path.read_text() for path in bundled.rglob("*.yaml"))
