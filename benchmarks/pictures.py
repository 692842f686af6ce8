"""The README's figures of conditional samples and latents, from models trained on mnist_5k.

python benchmarks/pictures.py        # about five minutes on two cores; writes docs/images/
"""

from pathlib import Path

import keras
import numpy as np

import keras_vae as kv

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def trained(name: str, latent_size: int, epochs: int = 60) -> kv.VAE:
    keras.utils.set_random_seed(0)
    conditional = kv.models.READY_MADE[name].conditional
    classes = 10 if conditional else None
    model = kv.models.make(name, (28, 28, 1), latent_size=latent_size, classes=classes, seed=0)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.fit(kv.data.load("mnist_5k", with_labels=conditional), epochs=epochs, verbose=0)
    return model


def main() -> None:
    x, labels = next(iter(kv.data.load("mnist_5k", "test", batch_size=1000, with_labels=True).as_numpy_iterator()))

    conditional = trained("cvae", 8)
    rows = [np.asarray(conditional.sample(10, seed=0, condition=digit)) for digit in range(10)]
    kv.plots.by_class(np.stack(rows), IMAGES / "by_class.png", names=range(10))

    two = trained("vae", 2)
    kv.plots.manifold(kv.latent.manifold(two), IMAGES / "manifold.png")
    kv.plots.latent_space(two.encode(x)["mean"], labels, IMAGES / "latent_space.png")

    vae = trained("vae", 20)
    one_of_each = np.stack([x[labels == digit][0] for digit in range(10)])
    ways = [
        kv.latent.interpolate(vae, one_of_each[a], one_of_each[b], steps=11, kind="spherical").images
        for a, b in ((1, 7), (3, 8), (4, 9), (0, 6))
    ]
    kv.plots.interpolation(np.stack(ways), IMAGES / "interpolation.png")
    # Compare bold and thin within each class; across classes, bold would mean 0 and thin 1.
    ink = x.sum(axis=(1, 2, 3))
    middle = np.array([np.median(ink[labels == digit]) for digit in range(10)])[labels]
    bold, thin = x[ink > 1.2 * middle], x[ink < 0.8 * middle]
    strengths = (-1.0, -0.5, 0.0, 0.5, 1.0)
    direction = kv.latent.attribute_vector(vae, x_with=bold, x_without=thin)
    bolder = kv.latent.add_attribute(vae, one_of_each, direction, strength=strengths)
    kv.plots.attribute(bolder.images, strengths, IMAGES / "attribute.png", title="thin to bold")
    traversal = kv.latent.traverse(vae, one_of_each[3], latents=1, reference=x)
    edited = kv.latent.edit(vae, one_of_each, {int(traversal.latents[0]): 2.5})
    title = f"latent {traversal.latents[0]}, the most active, set to 2.5"
    kv.plots.edit(one_of_each, edited.images, IMAGES / "edit.png", title=title)


if __name__ == "__main__":
    main()
