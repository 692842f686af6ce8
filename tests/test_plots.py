import gc
import io
import weakref

import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.figure import Figure
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
    with pytest.raises(ValueError, match="expected at least one image"):
        kv.plots.tile(bad)


def test_pictures_are_written(tmp_path, binary_images):
    vae = kv.models.vae((8, 8, 1), latent_size=3, hidden=[8])
    history = [{"epoch": e, "bound": -50.0 + e, "val_bound": -51.0 + e} for e in (1, 2)]
    kv.plots.grid(binary_images[:6], tmp_path / "grid.png", title="bars")
    kv.plots.reconstructions(binary_images[:4], vae.predict(binary_images[:4], verbose=0), tmp_path / "pairs.png")
    kv.plots.traversals(vae, binary_images, tmp_path / "traversals.png")
    kv.plots.history(history, tmp_path / "history.png")
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
    with pytest.raises(ValueError, match="expected one for each of 2 rows, received 1"):
        labeled_grid(np.zeros([2, 3, 8, 8, 1]), ["a"])
    with pytest.raises(ValueError, match="expected one for each of 3 columns, received 2"):
        labeled_grid(np.zeros([2, 3, 8, 8, 1]), (), ["a", "b"])
    with pytest.raises(ValueError, match=r"received \(2, 3, 8\)"):
        labeled_grid(np.zeros([2, 3, 8]))


def test_interpolations_run_from_left_to_right(tmp_path):
    way = np.stack([BLACK, BLACK, WHITE, WHITE])
    for images in (way, np.stack([way, way])):
        kv.plots.interpolation(images, tmp_path / "way.png")
        _, _, left, right = brightness(tmp_path / "way.png")
        assert left > 0.3 > 0.1 > right


def test_the_manifold_is_drawn_as_it_lies(tmp_path):
    axis = np.linspace(-1, 1, 12)
    z = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1)
    images = np.where(z[..., 1, None, None, None] > 0, BLACK, WHITE)
    kv.plots.manifold(Decoded(images, z), tmp_path / "manifold.png")
    upper, lower, _, _ = brightness(tmp_path / "manifold.png")
    assert upper > 0.3 > 0.1 > lower


def test_edits_stand_below(tmp_path):
    kv.plots.edit(np.stack([BLACK] * 4), np.stack([WHITE] * 4), tmp_path / "edit.png", title="brighter")
    upper, lower, _, _ = brightness(tmp_path / "edit.png")
    assert upper > 0.3 > 0.1 > lower
    with pytest.raises(ValueError, match=r"plots\.edit: after: expected images of shape .*, received"):
        kv.plots.edit(np.stack([BLACK] * 4), np.stack([WHITE] * 3))


def test_strengths_are_rows_and_so_are_classes(tmp_path):
    images = np.stack([np.stack([BLACK, WHITE])] * 6)  # [n, strengths]
    kv.plots.attribute(images, [0, 1], tmp_path / "attribute.png", title="brighter")
    kv.plots.by_class(np.swapaxes(images, 0, 1), tmp_path / "classes.png", names=["night", "day"])
    for name in ("attribute.png", "classes.png"):
        upper, lower, _, _ = brightness(tmp_path / name)
        assert upper > 0.3 > 0.1 > lower, name
    with pytest.raises(ValueError, match="expected one for each of 2 rows, received 3"):
        kv.plots.attribute(images, [0, 1, 2])


def test_two_latents_are_drawn_as_they_are():
    means = np.random.default_rng(0).normal(size=[30, 2])
    labels = np.arange(30) % 3
    axis = kv.plots.latent_space(means, labels, names=["a", "b", "c"]).axes[0]
    legend = {text.get_text(): handle.get_facecolor()[0, :3].tolist() for text, handle in _legend(axis)}
    points = axis.collections[0]
    assert list(legend) == ["a", "b", "c"]
    found = {
        tuple(point): color[:3].tolist()
        for point, color in zip(points.get_offsets().tolist(), points.get_facecolors(), strict=True)
    }
    assert found == {tuple(point): legend["abc"[label]] for point, label in zip(means.tolist(), labels, strict=True)}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("$z_0$", "$z_1$")


def test_more_latents_are_drawn_by_principal_components():
    means = np.random.default_rng(0).normal(size=[50, 4]) * [1, 3, 0.5, 2] + 7
    axis = kv.plots.latent_space(means).axes[0]
    variances, directions = np.linalg.eigh(np.cov(means.T))
    wanted = (means - means.mean(axis=0)) @ directions[:, ::-1][:, :2]
    # A principal component has no sign.
    np.testing.assert_allclose(np.abs(axis.collections[0].get_offsets()), np.abs(wanted), atol=1e-9)
    assert axis.get_xlabel().startswith("first principal component of 4 latents")
    assert f"({variances[-2] / variances.sum():.0%} of their variance)" in axis.get_ylabel()


@pytest.mark.parametrize("classes", [1, 15, 30])
def test_any_number_of_classes_has_its_colors(classes):
    axis = kv.plots.latent_space(np.random.default_rng(0).normal(size=[60, 2]), np.arange(60) % classes).axes[0]
    colors = {tuple(handle.get_facecolor()[0]) for _, handle in _legend(axis)}
    assert len(colors) == classes


def _legend(axis):
    legend = axis.get_legend()
    return list(zip(legend.get_texts(), legend.legend_handles, strict=True))


@pytest.mark.parametrize(
    ("means", "labels", "names", "message"),
    [
        (np.zeros([5, 1]), None, None, r"two or more latents, \[n, latents\], received shape \(5, 1\)"),
        (np.zeros([5]), None, None, "two or more latents"),
        (np.zeros([5, 2]), [1, 2], None, r"labels: expected one for each of 5 points, received shape \(2,\)"),
        (np.zeros([2, 2]), [0, 2], ["a", "b"], "labels: expected integers from 0 to 1"),
    ],
)
def test_bad_latent_spaces_are_refused(tmp_path, means, labels, names, message):
    with pytest.raises(ValueError, match=message):
        kv.plots.latent_space(means, labels, tmp_path / "space.png", names=names)
    assert not list(tmp_path.iterdir())


def test_kl_bars_are_sorted():
    picture = kv.plots.to_array(kv.plots.kl([0.0, 3.0, 1.0]))
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
        kv.plots.traversals(vae, binary_images, tmp_path / "traversals.png", condition=condition)
        assert np.asarray(Image.open(tmp_path / "traversals.png").convert("L")).std() > 1


PLOTS = {
    "attribute": lambda **path: kv.plots.attribute(np.zeros([2, 3, 8, 8, 1]), [-1, 0, 1], **path),
    "by_class": lambda **path: kv.plots.by_class(np.zeros([2, 3, 8, 8, 1]), **path),
    "edit": lambda **path: kv.plots.edit(np.zeros([2, 8, 8, 1]), np.ones([2, 8, 8, 1]), **path),
    "grid": lambda **path: kv.plots.grid(np.zeros([4, 8, 8, 1]), **path),
    "history": lambda **path: kv.plots.history([{"epoch": 1, "bound": -9.0}, {"epoch": 2, "bound": -8.0}], **path),
    "interpolation": lambda **path: kv.plots.interpolation(np.zeros([4, 8, 8, 1]), **path),
    "kl": lambda **path: kv.plots.kl([0.5, 1.5], **path),
    "latent_space": lambda **path: kv.plots.latent_space(np.eye(2), **path),
    "manifold": lambda **path: kv.plots.manifold(Decoded(np.zeros([2, 2, 8, 8, 1]), np.zeros([2, 2, 2])), **path),
    "reconstructions": lambda **path: kv.plots.reconstructions(np.zeros([2, 8, 8, 1]), np.ones([2, 8, 8, 1]), **path),
}


@pytest.mark.parametrize("name", PLOTS)
def test_each_plot_returns_its_figure_and_writes_it_if_asked(name, tmp_path):
    figure = PLOTS[name]()
    assert isinstance(figure, Figure)
    assert figure.axes
    assert not list(tmp_path.iterdir())
    PLOTS[name](path=tmp_path / "plot.png")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
    assert Image.open(tmp_path / "plot.png").size[0] > 50


def test_all_plots_are_tested():
    others = {"pairs", "tile", "to_array", "traversals"}
    assert set(kv.plots.__all__) == set(PLOTS) | others


def test_a_figure_is_freed_without_being_closed():
    figure = kv.plots.grid(np.zeros([4, 8, 8, 1]))
    alive = weakref.ref(figure)
    matplotlib.pyplot.close(figure)  # allowed, and does nothing
    assert not matplotlib.pyplot.get_fignums()
    del figure
    gc.collect()
    assert alive() is None


def test_a_notebook_shows_a_figure():
    from IPython.core.formatters import DisplayFormatter

    shown, _ = DisplayFormatter().format(kv.plots.grid(np.zeros([4, 8, 8, 1])))
    assert Image.open(io.BytesIO(shown["image/png"])).size[0] > 100


def test_histories_without_a_bound_are_refused():
    for entries in ([], [{"epoch": 1, "loss": 3.0}]):
        with pytest.raises(ValueError, match="expected a list of dicts"):
            kv.plots.history(entries)


@pytest.mark.parametrize("name", ["grid", "latent_space", "reconstructions"])
def test_version_0_1_wrote_the_path_first(name, tmp_path):
    images = np.zeros([4, 8, 8, 1])
    old = {
        "grid": (images, 2, "a title"),
        "latent_space": (np.eye(2), [0, 1], ["a", "b"]),
        "reconstructions": (images, images),
    }
    with pytest.warns(DeprecationWarning, match=rf"save_{name}.* is deprecated.* Use .*{name}\(\.\.\., path=path\)"):
        getattr(kv.plots, f"save_{name}")(tmp_path / "plot.png", *old[name])
    assert (tmp_path / "plot.png").stat().st_size
    with pytest.warns(DeprecationWarning, match="draw_kl"):
        assert kv.plots.draw_kl([1.0, 2.0]).shape[-1] == 3
    with pytest.raises(AttributeError, match="no attribute 'save_nothing'"):
        kv.plots.save_nothing  # noqa: B018
