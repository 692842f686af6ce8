"""One page with everything, and the command that writes it."""

import dataclasses
import html.parser
import json
from argparse import Namespace

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

import keras_vae as kv
from keras_vae import cli
from keras_vae.cli import evaluate, evaluate_report
from keras_vae.cli.evaluate_report import Material
from keras_vae.evaluation import report
from keras_vae.evaluation.report import Section
from keras_vae.training import Run
from tests.short_runs import config


class Page(html.parser.HTMLParser):
    """Collects texts by tag, and sees that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.sources = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.sources.append(dict(attrs)["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1], data))


def written(path, *parts):
    page = report.Page(path, "A <model>", [("likelihood", "Bernoulli")])
    for part in parts:
        page.add(part)
    return page


def test_what_was_measured_before_a_kill_is_on_the_page(tmp_path):
    path = tmp_path / "page.html"
    page = written(path, Section("Rates", rows=[("", "nats"), ("rate", "3.10")]))
    before = Page(path.read_text())
    assert ("td", "3.10") in before.texts
    assert any(tag == "p" and text.startswith("Not finished") for tag, text in before.texts)
    page.add(Section("Gaps", missing="no real latents"))
    page.finish()
    after = Page(path.read_text())
    assert [text for tag, text in after.texts if tag == "h2"] == ["Rates", "Gaps"]
    assert not any(text.startswith("Not finished") for _, text in after.texts)


def test_a_page_holds_tables_pictures_warnings_and_what_is_missing(tmp_path):
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    parts = [
        Section("Rates <&>", "Nats.", [("", "nats"), ("p(x) <b>", "3.10")], [figure], ["few examples"]),
        Section("Gaps", missing="no real latents"),
    ]
    written(tmp_path / "page.html", *parts).finish()
    page = Page((tmp_path / "page.html").read_text())
    for found in (
        ("h1", "A <model>"),
        ("h2", "Rates <&>"),
        ("th", "nats"),
        ("td", "p(x) <b>"),
        ("td", "3.10"),
        ("p", "few examples"),
    ):
        assert found in page.texts
    assert ("p", "Not measured: no real latents") in page.texts
    assert len(page.sources) == 1
    assert page.sources[0].startswith("data:image/png;base64,")


def test_only_a_page_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.html, received .*page\.pdf"):
        report.Page(tmp_path / "page.pdf", "", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "error"), [("page.pdf", "ends in .html"), ("nowhere/page.html", "Create nowhere first")]
)
def test_a_bad_name_is_refused_before_anything_is_measured(name, error, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["evaluate", "no-such-run", "--report", name]) == 2
    assert error in capsys.readouterr().err


def examples(values):
    """Four images of one gray value each, and labels."""
    images = np.broadcast_to(np.uint8(values)[:, None, None, None], (len(values), 4, 4, 1))
    return kv.data.Examples(np.array(images), np.arange(len(values), dtype=np.int32) % 2, "grays")


@pytest.fixture
def material():
    model = kv.models.vae((4, 4, 1), likelihood="continuous_bernoulli", latent_size=1, hidden=[2], seed=0)

    def load(part, with_labels):
        return kv.data.load(
            part, "test", likelihood="continuous_bernoulli", preprocess="gray", with_labels=with_labels, shuffle=False
        )

    return Material(model, examples([0, 0, 51, 51]), examples([102, 153]), load, seed=0)


def test_samples_are_compared_with_training_images_and_held_out_ones_beside(material, monkeypatch):
    def values(batches):
        return [round(float(x), 1) for batch, _ in batches for x in batch[:, 0, 0, 0]]

    seen = {}
    monkeypatch.setattr(evaluate_report.evaluation, "learn_features", lambda train, test, **_: values(train))
    monkeypatch.setattr(
        evaluate_report.evaluation,
        "sample_quality",
        lambda model, reference, held_out, features, **_: seen.update(
            reference=values(reference), held_out=values(held_out), features=features
        ),
    )
    evaluate_report._sample_quality(material)
    assert seen["features"] == seen["reference"] == [0.0, 0.0, 0.2, 0.2]
    assert seen["held_out"] == [0.4, 0.6]
    np.testing.assert_allclose(evaluate_report._training_mean(material), np.full([4, 4, 1], 0.1), rtol=1e-6)


def test_a_few_examples_are_drawn_from_all(material):
    sorted_by_class = examples(np.arange(200))
    found = evaluate_report.some(sorted_by_class, 20, seed=0)
    assert len(found) == 20
    assert found.images[:, 0, 0, 0].max() > 100
    np.testing.assert_array_equal(found.labels, found.images[:, 0, 0, 0] % 2)
    assert evaluate_report.some(sorted_by_class, None, seed=0) is sorted_by_class


def test_training_examples_are_not_held_against_themselves(material):
    read = {"train": material.train}.__getitem__
    for split, wanted in (
        ("test", None),
        ("test_small", None),
        ("train[90%:]", "training"),
        ("test+train", "contains some"),
    ):
        found = evaluate._training(read, Namespace(split=split))
        assert found is material.train if wanted is None else wanted in found
    alone = dataclasses.replace(material, train="they are training examples themselves")
    with pytest.raises(ValueError, match="themselves"):
        evaluate_report._sample_quality(alone)
    assert evaluate_report._training_mean(alone) is None


@pytest.mark.parametrize(
    ("error", "told"),
    [(tf.errors.ResourceExhaustedError(None, None, "out of memory"), "out of memory"), (MemoryError(), "MemoryError")],
)
def test_one_measure_without_memory_does_not_cost_the_others(error, told, material, monkeypatch):
    def fail(*_, **__):
        raise error

    names = [name for name in evaluate_report.evaluation.__all__ if callable(getattr(evaluate_report.evaluation, name))]
    for name in names:
        monkeypatch.setattr(evaluate_report.evaluation, name, fail)
    parts = list(evaluate_report.sections(material))
    assert [part.missing for part in parts[:2]] == [None, None]  # pictures
    assert all(part.missing for part in parts[2:])
    assert told in parts[2].missing


@pytest.mark.stress
@pytest.mark.parametrize(("labels", "model"), [(False, "vae"), (True, "vae"), (True, "hierarchical")])
def test_the_command_measures_what_goes_with_model_and_data(
    labels, model, tmp_path, binary_images, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    gray = (np.tile(binary_images, (4, 1, 1, 1)) * 250).astype(np.uint8)
    classes = np.arange(256) % 3
    extra = {"y_train": classes, "y_test": classes} if labels else {}
    np.savez(tmp_path / "digits.npz", x_train=gray, x_test=gray, **extra)
    Run(tmp_path / "run").train(config(tmp_path / "digits.npz", model=model), epochs=2)
    words = ["evaluate", "run", "--num-samples", "20", "--report", "page.html", "--json", "figures.json"]
    assert cli.main(words) == 0
    page = Page((tmp_path / "page.html").read_text())
    titles = [text for tag, text in page.texts if tag == "h2"]
    assert len(titles) == 12
    missing = [text for tag, text in page.texts if tag == "p" and text.startswith("Not measured")]
    # Factors, and without labels the classes; 8×8 images are too small for nothing else.
    assert len(missing) == (1 if labels else 3), missing
    assert len(page.sources) == 12 - len(missing)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert f"{figures['log_likelihood']:.2f}" in capsys.readouterr().out


def test_the_command_prints_the_kl_of_each_group_of_latents(tmp_path, binary_images, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gray = (binary_images * 250).astype(np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=gray, x_test=gray)
    Run(tmp_path / "run").train(config(tmp_path / "digits.npz", model="hierarchical", num_samples=2), epochs=1)
    assert cli.main(["evaluate", "run", "--num-samples", "5", "--json", "figures.json"]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["kl"] == pytest.approx(figures["kl/z1"] + figures["kl/z2"], rel=1e-4)
    printed = capsys.readouterr().out
    assert f"    of z2            {figures['kl/z2']:9.2f}" in printed
    assert f"  KL               {figures['kl']:9.2f}" in printed


def test_the_page_names_the_posterior_and_the_latents_of_each_group():
    model = kv.models.make("hierarchical", (4, 4, 1), latent_size=4, hidden=[2])
    options = Namespace(split="test", preprocess=None, seed=0)
    facts = dict(evaluate._facts("run", model, None, options, "digits"))
    assert facts["posterior"] == "z1: Normal, z2: Normal"
    assert facts["latents"] == "z1: (4,), z2: (2,)"
