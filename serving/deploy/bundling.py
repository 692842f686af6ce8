"""`bundle`: writes the folder that deploys an export on TensorFlow Serving."""

import os
import shutil
import tempfile
from pathlib import Path

from serving.deploy import configs, fill_templates, naming
from serving.deploy.exported import read_export
from serving.deploy.plan import Plan

DEFAULT_MAX_BATCH_SIZE = 256
DEFAULT_CALLERS = 64
# What identifies a bundle: any other folder is never overwritten.
_MARKS = ("models.config", "kustomization.yaml", "models")

# Each has a thread of its own.
_MOST_CALLERS = 10_000


def bundle(
    base_path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    version: int | None = None,
    name: str | None = None,
    max_batch_size: int = DEFAULT_MAX_BATCH_SIZE,
    callers: int = DEFAULT_CALLERS,
    image: str | None = None,
    storage_uri: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes everything TensorFlow Serving needs to serve an export: the model, configuration files and manifests.

    The folder appears complete or not at all.

    Args:
        base_path: The model's base path, which holds one directory per version.
        to: The folder to write.
        version: The version to serve; the newest by default.
        name: The model's name in requests; the last part of the base path by default.
        max_batch_size: The rows in the largest batch; no effect if the signatures cannot be batched.
        callers: The requests that one replica is expected to have in flight at a time, over gRPC or REST. It has
            threads for all of them and, with batching, room for their rows in the queue.
        image: The image of TensorFlow Serving; by default the one of the minor release that wrote the export.
        storage_uri: Where KServe finds a copy of the base path; by default on the volume claim `models`.
        overwrite: Whether to replace an existing bundle.

    Returns:
        The folder.

    Raises:
        OSError: If the export cannot be read, or the folder exists or cannot be written.
        ValueError: If the export cannot be served, or an argument is invalid.
    """
    base_path, to = Path(base_path), Path(to)
    if max_batch_size < 1:
        raise ValueError(f"max_batch_size: expected 1 or more rows, received {max_batch_size}. Use 256, for example.")
    if not 1 <= callers <= _MOST_CALLERS:
        raise ValueError(
            f"callers: expected 1 to {_MOST_CALLERS:,} requests in flight, received {callers}. Use 64, for example."
        )
    _check_apart(base_path, to)
    _check_free(to, overwrite)
    name = naming.check_model_name(base_path.resolve().name if name is None else name)
    label = naming.dns_label(name)
    exported = read_export(base_path, version)
    plan = Plan(
        exported=exported,
        name=name,
        label=label,
        image=naming.serving_image(exported.tensorflow_version) if image is None else naming.check_image(image),
        max_batch_size=None if exported.unbatchable else max_batch_size,
        callers=callers,
        storage_uri=naming.check_storage_uri(f"pvc://models/{name}" if storage_uri is None else storage_uri),
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundling-", dir=to.parent) as working:
        new, old = Path(working) / "new", Path(working) / "old"
        _write(plan, new)
        if overwrite and to.exists():
            to.rename(old)
        try:
            new.rename(to)
        except OSError:
            if old.exists():
                old.rename(to)
            _check_free(to, overwrite)  # another process may have written it meanwhile
            raise
    return to


def _write(plan: Plan, folder: Path) -> None:
    model = folder / "models" / plan.name / str(plan.exported.version)
    shutil.copytree(plan.exported.path, model)
    files = {
        "models.config": configs.models_config(plan.name, plan.exported.version),
        "monitoring.config": configs.monitoring_config(),
        **fill_templates.filled_files(plan),
    }
    if plan.max_batch_size is not None:
        files["batching.config"] = configs.batching_config(plan.exported, plan.max_batch_size, plan.callers)
    for place, text in files.items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    # The server runs as another user, who must be able to read all files.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _check_apart(base_path: Path, to: Path) -> None:
    source, target = base_path.resolve(), to.resolve()
    if source.is_relative_to(target) or target.is_relative_to(source):
        raise ValueError(
            f"to: expected a folder outside the base path {base_path} and not around it, received {to}."
            " Use a folder elsewhere."
        )


def _check_free(to: Path, overwrite: bool) -> None:
    if not os.path.lexists(to):
        return
    if not overwrite:
        raise FileExistsError(
            f"to: expected a new folder, received {to}, which exists."
            " Use another folder, or pass overwrite=True (--overwrite) to replace it."
        )
    if not all((to / mark).exists() for mark in _MARKS):
        raise FileExistsError(
            f"to: expected a new folder or a bundle, received {to}, which is neither. Use another folder."
        )
