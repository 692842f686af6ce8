"""One page with everything, and the command that writes it."""

import html.parser
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_vae import cli
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


def test_a_page_holds_tables_pictures_warnings_and_what_is_missing(tmp_path):
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    parts = [
        Section("Rates <&>", "Nats.", [("", "nats"), ("p(x) <b>", "3.10")], [figure], ["few examples"]),
        Section("Gaps", missing="no real latents"),
    ]
    report.write(tmp_path / "page.html", "A <model>", [("likelihood", "Bernoulli")], parts)
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
    with pytest.raises(ValueError, match=r"must end in \.html; received .*page\.pdf"):
        report.write(tmp_path / "page.pdf", "", [], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "error"), [("page.pdf", "must end in .html"), ("nowhere/page.html", "make it first")])
def test_a_bad_name_is_refused_before_anything_is_measured(name, error, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["evaluate", "no-such-run", "--report", name]) == 1
    assert error in capsys.readouterr().err


@pytest.mark.stress
@pytest.mark.parametrize("labels", [False, True])
def test_the_command_measures_what_goes_with_model_and_data(labels, tmp_path, binary_images, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grey = (np.tile(binary_images, (4, 1, 1, 1)) * 250).astype(np.uint8)
    classes = np.arange(256) % 3
    extra = {"y_train": classes, "y_test": classes} if labels else {}
    np.savez(tmp_path / "digits.npz", x_train=grey, x_test=grey, **extra)
    Run(tmp_path / "run").train(config(tmp_path / "digits.npz"), epochs=2)
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
