"""`Plan`: the values that a bundle's files share."""

import math
from typing import NamedTuple

from serving.deploy.exported import Exported

_MIB = 2**20
# The memory of TensorFlow Serving without a model, with its queues full.
_BASE_MEMORY = 768 * _MIB
_MEMORY_STEP = 256 * _MIB


class Plan(NamedTuple):
    """What is deployed, and how.

    Attributes:
        exported: The version of the model.
        name: The model's name in requests.
        label: The name of the Kubernetes objects, of the image and of the compose service.
        image: The image of TensorFlow Serving.
        max_batch_size: The rows in the largest batch; None if requests are not batched.
        callers: The requests that a replica is expected to have in flight at a time.
        storage_uri: Where KServe finds the model's base path.
    """

    exported: Exported
    name: str
    label: str
    image: str
    max_batch_size: int | None
    callers: int
    storage_uri: str

    @property
    def batching(self) -> bool:
        """Whether requests of several clients run as one batch."""
        return self.max_batch_size is not None

    @property
    def memory_mib(self) -> int:
        """The memory of a replica in MiB: the server, two versions at the same time, and room to work."""
        needed = _BASE_MEMORY + 3 * self.exported.size
        return math.ceil(needed / _MEMORY_STEP) * _MEMORY_STEP // _MIB

    @property
    def config_files(self) -> list[str]:
        """The configuration files in the bundle."""
        return ["models.config", *(["batching.config"] if self.batching else []), "monitoring.config"]

    @property
    def status_path(self) -> str:
        """The REST path that answers 200 while the server knows the model."""
        return f"/v1/models/{self.name}"

    @property
    def ready_path(self) -> str:
        """The REST path that answers 200 once a version is loaded and serves."""
        return f"{self.status_path}/metadata"
