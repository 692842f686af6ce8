import numpy as np
import pytest
from PIL import Image

import keras_vae as kv


def test_tile_places_each_image():
    images = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1) / 10
    canvas = kv.plots.tile(images, columns=3)
    assert canvas.shape == (5, 7, 1)
    assert canvas[1::2, 1::2, 0].ravel() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 1.0])
    assert np.all(canvas[0::2] == 1)


def test_pairs_alternate():
    x = np.zeros([3, 2, 2, 1])
    assert kv.plots.pairs(x, x + 1)[:, 0, 0, 0].tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("bad", [np.zeros([0, 2, 2, 1]), np.zeros([2, 2, 1])])
def test_no_images_are_refused(bad):
    with pytest.raises(ValueError, match="wanted at least one image"):
        kv.plots.tile(bad)


def test_pictures_are_written(tmp_path, binary_images):
    vae = kv.models.vae((8, 8, 1), latent_size=3, hidden=[8])
    history = [{"epoch": e, "bound": -50.0 + e, "val_bound": -51.0 + e} for e in (1, 2)]
    kv.plots.save_grid(tmp_path / "grid.png", binary_images[:6], title="bars")
    kv.plots.save_reconstructions(tmp_path / "pairs.png", binary_images[:4], vae.predict(binary_images[:4], verbose=0))
    kv.plots.save_traversals(tmp_path / "traversals.png", vae, binary_images)
    kv.plots.save_history(tmp_path / "history.png", history)
    for path in tmp_path.iterdir():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert pixels.std() > 1, path  # not blank
    assert len(list(tmp_path.iterdir())) == 4
