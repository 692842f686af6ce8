"""`keras-vae bundle`."""

from argparse import Namespace

from serving import deploy


def run(options: Namespace) -> None:
    """Write the bundle, and show how to use it."""
    path = deploy.bundle(
        options.base_path,
        options.to,
        version=options.version,
        name=options.name,
        max_batch_size=options.max_batch_size,
        image=options.image,
        storage_uri=options.storage_uri,
        overwrite=options.overwrite,
    )
    print(f"{path}: written; its README.md says how to use it")
    print(f"next: docker compose --file {path / 'docker-compose.yaml'} up --detach --wait, or kubectl apply -k {path}")
