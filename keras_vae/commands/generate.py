"""`keras-vae generate`."""

import sys
from argparse import Namespace

from keras_vae.commands import conditioning, output
from serving import Client, ServingError
from serving.client.tls import tls_credentials


def run(options: Namespace) -> None:
    """Generate over gRPC."""
    output.check(options.out)
    files = {"root": options.tls_root, "certificate": options.tls_certificate, "key": options.tls_key}
    credentials = tls_credentials(**files) if any(files.values()) else None
    with Client(options.server, model=options.model, timeout=options.timeout, credentials=credentials) as client:
        try:
            condition = conditioning.read_served(options, client.metadata())
            answer = client.generate(options.n, seed=options.seed, condition=condition, progress=sys.stderr.isatty())
        except ServingError as error:
            raise ValueError(str(error)) from error
    output.write(options.out, answer.mean)
