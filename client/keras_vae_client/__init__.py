"""Clients, without TensorFlow, for a variational autoencoder served by TensorFlow Serving.

The same as `serving.Client` and `serving.AsyncClient` of the distribution `keras_vae`, whose code this is.

```python
from keras_vae_client import Client

with Client("127.0.0.1:8500", model="digits") as client:
    images, z = client.generate(n=64, seed=0)  # NumPy arrays
```
"""

from .client.async_client import AsyncClient
from .client.calls import Outputs
from .client.client import Client
from .client.errors import NotByRowsError, ServingError, VersionGoneError
from .client.specs import SignatureSpec, TensorSpec
from .client.tls import tls_credentials

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "NotByRowsError",
    "Outputs",
    "ServingError",
    "SignatureSpec",
    "TensorSpec",
    "VersionGoneError",
    "tls_credentials",
]
