"""Bundles on Kubernetes and KServe: each object by its schema, and all of them in agreement."""

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from deploy_testing import container, objects, write_bundle


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundles"))


def test_kubernetes_schemas(bundled):
    found = objects(bundled)
    assert sorted(found) == [
        "Deployment/my-digits",
        "HorizontalPodAutoscaler/my-digits",
        "PodDisruptionBudget/my-digits",
        "Service/my-digits",
        "Service/my-digits-pods",
    ]
    for document in found.values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_kubernetes_objects_fit_one_another(bundled):
    found = objects(bundled)
    deployment = found["Deployment/my-digits"]["spec"]
    pod = deployment["template"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    assert found["PodDisruptionBudget/my-digits"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in container(bundled)["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for name in ("my-digits", "my-digits-pods"):
        service = found[f"Service/{name}"]["spec"]
        assert service["selector"].items() <= labels.items()
        assert {port["port"] for port in service["ports"]} <= set(ports.values())
        assert {port["targetPort"] for port in service["ports"]} <= set(ports)
    assert found["Service/my-digits-pods"]["spec"]["clusterIP"] == "None"
    target = found["HorizontalPodAutoscaler/my-digits"]["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "my-digits"}
    assert "replicas" not in deployment  # a new `apply` would undo the autoscaler's work
    drain = int(container(bundled)["lifecycle"]["preStop"]["exec"]["command"][1])
    assert drain < pod["terminationGracePeriodSeconds"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container(bundled)["volumeMounts"]} == volumes


def test_probes_ask_for_the_model_by_its_own_name(bundled):
    probes = container(bundled)
    for probe in ("startupProbe", "readinessProbe"):
        assert probes[probe]["httpGet"] == {"path": "/v1/models/My_digits/metadata", "port": "rest"}
    assert probes["livenessProbe"]["httpGet"] == {"path": "/v1/models/My_digits", "port": "rest"}


def test_nobody_is_root(bundled):
    pod = objects(bundled)["Deployment/my-digits"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container(bundled)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_flags_name_files_that_are_mounted(bundled):
    kustomization = yaml.safe_load((bundled / "kustomization.yaml").read_text())
    (config_map,) = kustomization["configMapGenerator"]
    (volume,) = [
        volume["configMap"]["name"]
        for volume in objects(bundled)["Deployment/my-digits"]["spec"]["template"]["spec"]["volumes"]
        if "configMap" in volume
    ]
    assert volume == config_map["name"]
    service = yaml.safe_load((bundled / "docker-compose.yaml").read_text())["services"]["my-digits"]
    for flags, folder in ((container(bundled)["args"], "/config"), (service["command"], "/bundle")):
        given_flags = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
        files = {name: Path(value) for name, value in given_flags.items() if name.endswith("_file")}
        assert sorted(files) == ["batching_parameters_file", "model_config_file", "monitoring_config_file"]
        assert {str(path.parent) for path in files.values()} == {folder}
        assert sorted(path.name for path in files.values()) == sorted(config_map["files"])
        assert all((bundled / path.name).is_file() for path in files.values())
        assert (given_flags["port"], given_flags["rest_api_port"], given_flags["enable_batching"]) == (
            "8500",
            "8501",
            "true",
        )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kustomize(bundled):
    done = subprocess.run(["kubectl", "kustomize", str(bundled)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    built = {document["kind"]: document for document in yaml.safe_load_all(done.stdout)}
    for document in built.values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    config_map, pod = built["ConfigMap"], built["Deployment"]["spec"]["template"]["spec"]
    assert config_map["data"] == {
        name: (bundled / name).read_text() for name in ("models.config", "batching.config", "monitoring.config")
    }
    assert pod["volumes"][0]["configMap"]["name"] == config_map["metadata"]["name"] != "my-digits-config"
    assert pod["containers"][0]["image"] == "my-digits:10"


# The part of KServe's v1beta1 schema used here: what a key holds, by path.
KSERVE = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str, "labels": dict},
    "spec": {
        "predictor": {
            "minReplicas": int,
            "maxReplicas": int,
            "model": {
                "modelFormat": {"name": str, "version": str},
                "image": str,
                "storageUri": str,
                "protocolVersion": str,
                "ports": list,
                "args": list,
                "resources": {"requests": dict, "limits": dict},
            },
        }
    },
}


def _check(found, schema):
    if isinstance(schema, type):
        assert isinstance(found, schema)
        return
    assert found.keys() == schema.keys()
    for key, value in found.items():
        _check(value, schema[key])


def test_kserve(bundled):
    service = yaml.safe_load((bundled / "kserve" / "inferenceservice.yaml").read_text())
    _check(service, KSERVE)
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert service["metadata"]["name"] == "my-digits"
    model = service["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "tensorflow", "version": "2"}
    assert (model["image"], model["storageUri"]) == ("tensorflow/serving:2.21.0", "pvc://models/My_digits")
    assert model["args"] == ["--model_name=My_digits", "--grpc_max_threads=136", "--rest_api_num_threads=64"]
    assert model["ports"] == [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
    # Its container part, as Kubernetes has it.
    parts = {key: model[key] for key in ("image", "ports", "args", "resources")}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", **parts}]},
    }
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
