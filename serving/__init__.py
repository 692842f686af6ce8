"""A local stand-in for TensorFlow Serving, and clients for either.

The server speaks TensorFlow Serving's own protocol buffers over gRPC, so any TensorFlow Serving client can talk to it.
The clients work unchanged with a real TensorFlow Serving.

Importing this package is fast: TensorFlow is imported when one of its names is first used.

```python
import serving

with serving.Server(model_name="digits", model_base_path="models/digits", port=0) as server:
    with serving.Client(f"127.0.0.1:{server.port}", model="digits") as client:
        digits = client.generate(n=16).mean
```
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.client.async_client import AsyncClient as AsyncClient
    from serving.client.calls import Outputs as Outputs
    from serving.client.client import Client as Client
    from serving.client.errors import NotByRowsError as NotByRowsError
    from serving.client.errors import ServingError as ServingError
    from serving.client.errors import VersionGoneError as VersionGoneError
    from serving.client.specs import SignatureSpec as SignatureSpec
    from serving.client.specs import TensorSpec as TensorSpec
    from serving.client.tls import tls_credentials as tls_credentials
    from serving.core.batching import Batching as Batching
    from serving.core.errors import ModelLoadError as ModelLoadError
    from serving.core.errors import RequestError as RequestError
    from serving.core.served_model import Retries as Retries
    from serving.options.config_files import ConfigError as ConfigError
    from serving.options.settings import Settings as Settings
    from serving.server import Server as Server

_HOMES = {
    "AsyncClient": "serving.client.async_client",
    "Batching": "serving.core.batching",
    "Client": "serving.client.client",
    "ConfigError": "serving.options.config_files",
    "ModelLoadError": "serving.core.errors",
    "NotByRowsError": "serving.client.errors",
    "Outputs": "serving.client.calls",
    "RequestError": "serving.core.errors",
    "Retries": "serving.core.served_model",
    "Server": "serving.server",
    "ServingError": "serving.client.errors",
    "Settings": "serving.options.settings",
    "SignatureSpec": "serving.client.specs",
    "TensorSpec": "serving.client.specs",
    "VersionGoneError": "serving.client.errors",
    "tls_credentials": "serving.client.tls",
}

__all__ = [
    "AsyncClient",
    "Batching",
    "Client",
    "ConfigError",
    "ModelLoadError",
    "NotByRowsError",
    "Outputs",
    "RequestError",
    "Retries",
    "Server",
    "ServingError",
    "Settings",
    "SignatureSpec",
    "TensorSpec",
    "VersionGoneError",
    "tls_credentials",
]


def __getattr__(name: str) -> object:
    """Imports a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names the public names, imported or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
