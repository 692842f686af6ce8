"""`keras-vae models`."""

from argparse import Namespace

from keras_vae.catalogue import CATALOGUE


def run(options: Namespace) -> None:
    """List the ready-made models: name, sentence, paper."""
    width = max(map(len, CATALOGUE))
    for name, (paper, sentence) in CATALOGUE.items():
        print(f"{name:{width}}  {sentence} ({paper})")
    print("\nnext: keras-vae train --model iwae --run runs/iwae")
