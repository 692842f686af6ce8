"""`keras-vae models`."""

from argparse import Namespace

from keras_vae.models.catalog import CATALOG


def run(options: Namespace) -> None:
    """List the ready-made models: name, sentence, paper."""
    width = max(map(len, CATALOG))
    for name, (paper, sentence) in CATALOG.items():
        print(f"{name:{width}}  {sentence} ({paper})")
    print("\nnext: keras-vae train --model iwae --run runs/iwae")
