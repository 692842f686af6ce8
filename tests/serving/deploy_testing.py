"""What the tests of bundles share: exports written by hand, without a model, and a bundle read back."""

from pathlib import Path

import yaml
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from serving.deploy import bundle

FLOAT, INT64, STRING = types_pb2.DT_FLOAT, types_pb2.DT_INT64, types_pb2.DT_STRING
GENERATE = ({"seed": (INT64, [-1])}, {"mean": (FLOAT, [-1, 28, 28]), "z": (FLOAT, [-1, 20])})


def write_export(base_path: Path, version: int, tensorflow: str = "2.21.0", warmup: bool = True, **signatures) -> Path:
    saved_model = saved_model_pb2.SavedModel()
    saved_model.meta_graphs.add().meta_info_def.tags.append("train")
    graph = saved_model.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.meta_info_def.tensorflow_version = tensorflow
    graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].tensor_shape.unknown_rank = True
    for name, (inputs, outputs) in (signatures or {"serving_default": GENERATE}).items():
        definition = graph.signature_def[name]
        for infos, given_infos in ((definition.inputs, inputs), (definition.outputs, outputs)):
            for alias, (dtype, shape) in given_infos.items():
                infos[alias].dtype = dtype
                infos[alias].tensor_shape.unknown_rank = shape is None
                for size in shape or []:
                    infos[alias].tensor_shape.dim.add(size=size)
    path = base_path / str(version)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    (path / "variables" / "variables.index").write_bytes(b"index")
    if warmup:
        (path / "assets.extra").mkdir()
        (path / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"records")
    return path


def write_base_path(root: Path) -> Path:
    """Two versions of a model whose name is not a DNS label."""
    for version in (2, 10):
        write_export(root / "My_digits", version)
    return root / "My_digits"


def write_bundle(root: Path) -> Path:
    return bundle(write_base_path(root / "models"), root / "new" / "bundle")


def objects(folder: Path) -> dict[str, dict]:
    """The Kubernetes objects by kind, and by name where there are several."""
    documents = [
        document
        for file in sorted((folder / "kubernetes").iterdir())
        for document in yaml.safe_load_all(file.read_text())
    ]
    return {f"{d['kind']}/{d['metadata']['name']}": d for d in documents}


def container(folder: Path) -> dict:
    return objects(folder)["Deployment/my-digits"]["spec"]["template"]["spec"]["containers"][0]
