"""A local stand-in for TensorFlow Serving, and a client for either.

The server speaks TensorFlow Serving's own protocol buffers over gRPC, so any TensorFlow Serving client can
talk to it. The client works unchanged against a genuine TensorFlow Serving.

Importing this package is light: TensorFlow is imported when one of its names is first used.

```python
import serving

with serving.Server(model_name="digits", model_base_path="models/digits", port=0) as server:
    with serving.Client(f"127.0.0.1:{server.port}", model="digits") as client:
        digits = client.generate(16).mean
```
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.client.async_client import AsyncClient as AsyncClient
    from serving.client.client import Client as Client
    from serving.client.errors import ServingError as ServingError
    from serving.client.tls import tls_credentials as tls_credentials
    from serving.options.settings import Settings as Settings
    from serving.server import Server as Server

_HOMES = {
    "AsyncClient": "serving.client.async_client",
    "Client": "serving.client.client",
    "Server": "serving.server",
    "ServingError": "serving.client.errors",
    "Settings": "serving.options.settings",
    "tls_credentials": "serving.client.tls",
}

__all__ = ["AsyncClient", "Client", "Server", "ServingError", "Settings", "tls_credentials"]


def __getattr__(name: str) -> object:
    """Imports a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
