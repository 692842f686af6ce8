"""`keras-vae generate`."""

from argparse import Namespace

from keras_vae.commands import conditioning, output
from serving import Client, ServingError


def run(options: Namespace) -> None:
    """Generate over gRPC."""
    output.check(options.out)
    with Client(options.server, model=options.model, timeout=options.timeout) as client:
        try:
            condition = conditioning.read_served(options, client.metadata())
            answer = client.generate(options.n, seed=options.seed, condition=condition)
        except ServingError as error:
            raise ValueError(str(error)) from error
    output.write(options.out, answer.mean)
