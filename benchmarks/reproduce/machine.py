"""The machine and versions that a result was measured with."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_vae.utils.files import whole

PACKAGES = ("keras-vae", "keras", "tensorflow", "tensorflow-probability", "numpy", "scikit-learn")


def machine() -> dict[str, Any]:
    """Return the processor, the number of usable cores, the accelerators, and the 15-minute load average."""
    processors = Path("/proc/cpuinfo")
    lines = processors.read_text().splitlines() if processors.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    devices = [tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")]
    return {
        "cpu": model,
        # Fewer than the machine has if the process is pinned to some of them.
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "accelerators": [d.get("device_name", "unknown") for d in devices],
        "load": round(os.getloadavg()[2], 1),
    }


def remember(path: Path) -> None:
    """Add this machine to the list of machines that worked on a run."""
    before = remembered(path)
    kind = {key: value for key, value in machine().items() if key != "load"}
    if kind not in before:
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps([*before, kind]) + "\n")


def remembered(path: Path) -> list[dict[str, Any]]:
    """Return the machines that worked on a run."""
    return json.loads(path.read_text()) if path.exists() else []


def versions() -> dict[str, str]:
    """Return the versions of Python and the packages."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}
