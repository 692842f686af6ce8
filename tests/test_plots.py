import numpy as np
import pytest
from PIL import Image

import keras_vae as kv
from keras_vae.latent import Decoded
from keras_vae.plots.drawing import labeled_grid

BLACK, WHITE = np.zeros([8, 8, 1]), np.ones([8, 8, 1])


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


def brightness(path):
    """Mean gray of the picture's upper and lower halves, and of its left and right halves."""
    pixels = np.asarray(Image.open(path).convert("L"), float)
    height, width = pixels.shape
    # Of dark cells only: names and titles are dark on white in every half.
    return (
        np.mean(pixels[: height // 2] < 40),
        np.mean(pixels[height // 2 :] < 40),
        np.mean(pixels[:, : width // 2] < 40),
        np.mean(pixels[:, width // 2 :] < 40),
    )


def test_rows_and_columns_are_named():
    images = np.arange(6, dtype=float).reshape(2, 3, 1, 1, 1) / 10
    _, axis = labeled_grid(images, ["a", "b"], ["x", "y", "z"], "six")
    canvas = axis.images[0].get_array()
    named = {
        (row.get_text(), column.get_text()): float(canvas[int(y), int(x)])
        for y, row in zip(axis.get_yticks(), axis.get_yticklabels(), strict=True)
        for x, column in zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
    }
    wanted = {("a", "x"): 0.0, ("a", "y"): 0.1, ("a", "z"): 0.2, ("b", "x"): 0.3, ("b", "y"): 0.4, ("b", "z"): 0.5}
    assert named == pytest.approx(wanted)
    assert axis.get_title() == "six"


def test_grids_with_other_names_or_shapes_are_refused():
    with pytest.raises(ValueError, match="a name for each of 2 rows; received 1"):
        labeled_grid(np.zeros([2, 3, 8, 8, 1]), ["a"])
    with pytest.raises(ValueError, match="a name for each of 3 columns; received 2"):
        labeled_grid(np.zeros([2, 3, 8, 8, 1]), (), ["a", "b"])
    with pytest.raises(ValueError, match=r"received shape \(2, 3, 8\)"):
        labeled_grid(np.zeros([2, 3, 8]))


def test_interpolations_run_from_left_to_right(tmp_path):
    way = np.stack([BLACK, BLACK, WHITE, WHITE])
    for images in (way, np.stack([way, way])):
        kv.plots.save_interpolation(tmp_path / "way.png", images)
        _, _, left, right = brightness(tmp_path / "way.png")
        assert left > 0.3 > 0.1 > right


def test_the_manifold_is_drawn_as_it_lies(tmp_path):
    axis = np.linspace(-1, 1, 12)
    z = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1)
    images = np.where(z[..., 1, None, None, None] > 0, BLACK, WHITE)
    kv.plots.save_manifold(tmp_path / "manifold.png", Decoded(images, z))
    upper, lower, _, _ = brightness(tmp_path / "manifold.png")
    assert upper > 0.3 > 0.1 > lower


def test_edits_stand_below(tmp_path):
    kv.plots.save_edit(tmp_path / "edit.png", np.stack([BLACK] * 4), np.stack([WHITE] * 4), "brighter")
    upper, lower, _, _ = brightness(tmp_path / "edit.png")
    assert upper > 0.3 > 0.1 > lower
    with pytest.raises(ValueError, match="as many images after as before"):
        kv.plots.save_edit(tmp_path / "edit.png", np.stack([BLACK] * 4), np.stack([WHITE] * 3))


def test_strengths_are_rows_and_so_are_classes(tmp_path):
    images = np.stack([np.stack([BLACK, WHITE])] * 6)  # [n, strengths]
    kv.plots.save_attribute(tmp_path / "attribute.png", images, [0, 1], "brighter")
    kv.plots.save_by_class(tmp_path / "classes.png", np.swapaxes(images, 0, 1), ["night", "day"])
    for name in ("attribute.png", "classes.png"):
        upper, lower, _, _ = brightness(tmp_path / name)
        assert upper > 0.3 > 0.1 > lower, name
    with pytest.raises(ValueError, match="a name for each of 2 rows; received 3"):
        kv.plots.save_attribute(tmp_path / "attribute.png", images, [0, 1, 2])


@pytest.fixture
def drawn(monkeypatch):
    """The axis of the figure that a function of `latent_space` would have saved."""

    def axis_of(*arguments):
        figures = []
        with monkeypatch.context() as patch:
            patch.setattr("keras_vae.plots.latents.save", lambda figure, path: figures.append(figure))
            kv.plots.save_latent_space("nowhere.png", *arguments)
        return figures[0].axes[0]

    return axis_of


def test_two_latents_are_drawn_as_they_are(drawn):
    means = np.random.default_rng(0).normal(size=[30, 2])
    labels = np.arange(30) % 3
    axis = drawn(means, labels, ["a", "b", "c"])
    legend = {text.get_text(): handle.get_facecolor()[0, :3].tolist() for text, handle in _legend(axis)}
    points = axis.collections[0]
    assert list(legend) == ["a", "b", "c"]
    found = {
        tuple(point): color[:3].tolist()
        for point, color in zip(points.get_offsets().tolist(), points.get_facecolors(), strict=True)
    }
    assert found == {tuple(point): legend["abc"[label]] for point, label in zip(means.tolist(), labels, strict=True)}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("$z_0$", "$z_1$")


def test_more_latents_are_drawn_by_principal_components(drawn):
    means = np.random.default_rng(0).normal(size=[50, 4]) * [1, 3, 0.5, 2] + 7
    axis = drawn(means)
    variances, directions = np.linalg.eigh(np.cov(means.T))
    wanted = (means - means.mean(axis=0)) @ directions[:, ::-1][:, :2]
    # A principal component has no sign.
    np.testing.assert_allclose(np.abs(axis.collections[0].get_offsets()), np.abs(wanted), atol=1e-9)
    assert axis.get_xlabel().startswith("first principal component of 4 latents")
    assert f"({variances[-2] / variances.sum():.0%} of their variance)" in axis.get_ylabel()


@pytest.mark.parametrize("classes", [1, 15, 30])
def test_any_number_of_classes_has_its_colors(drawn, classes):
    axis = drawn(np.random.default_rng(0).normal(size=[60, 2]), np.arange(60) % classes)
    colors = {tuple(handle.get_facecolor()[0]) for _, handle in _legend(axis)}
    assert len(colors) == classes


def _legend(axis):
    legend = axis.get_legend()
    return list(zip(legend.get_texts(), legend.legend_handles, strict=True))


@pytest.mark.parametrize(
    ("means", "labels", "names", "message"),
    [
        (np.zeros([5, 1]), None, None, r"two or more latents, \[n, latents\]; received shape \(5, 1\)"),
        (np.zeros([5]), None, None, "two or more latents"),
        (np.zeros([5, 2]), [1, 2], None, r"label for each of 5 points; received shape \(2,\)"),
        (np.zeros([2, 2]), [0, 2], ["a", "b"], "classes 0 to 1"),
    ],
)
def test_bad_latent_spaces_are_refused(tmp_path, means, labels, names, message):
    with pytest.raises(ValueError, match=message):
        kv.plots.save_latent_space(tmp_path / "space.png", means, labels, names)
    assert not list(tmp_path.iterdir())


def test_kl_bars_are_sorted(tmp_path):
    kv.plots.save_kl(tmp_path / "kl.png", [0.0, 3.0, 1.0])
    picture = kv.plots.draw_kl([0.0, 3.0, 1.0])
    assert picture.dtype == np.uint8
    blue = np.sum((picture[..., 2].astype(int) - picture[..., 0]) > 100, axis=0)  # height of the bars, by column
    heights = blue[blue > 0]  # two bars: the third latent has no KL
    # A pixel or two of a bar's edge.
    assert heights[len(heights) // 4] == pytest.approx(3 * heights[-len(heights) // 4], rel=0.03)


def test_traversals_of_a_conditional_model(tmp_path, binary_images):
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP([8]), kv.families.Normal(3)),
        decoder=kv.Decoder(kv.networks.MLP([8]), kv.families.Bernoulli((8, 8, 1))),
        condition=kv.conditions.Label(2),
    )
    for condition in (1, np.arange(len(binary_images)) % 2):
        kv.plots.save_traversals(tmp_path / "traversals.png", vae, binary_images, condition=condition)
        assert np.asarray(Image.open(tmp_path / "traversals.png").convert("L")).std() > 1
