"""What measures return: a table, JSON that any reader takes, a picture."""

import inspect
import json
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_vae as kv
from keras_vae.evaluation.checks.rank_statistics import ecdf_band
from keras_vae.evaluation.latents import disentanglement_metrics
from keras_vae.evaluation.result import Result, aligned
from keras_vae.evaluation.samples.distances import kernel_distance

# What a seed is tested with, besides arrays: it is checked before a model is used.
SOME = {"simulations": 10, "ranks": 3}


@dataclass(frozen=True, eq=False)
class Found(Result):
    title: ClassVar[str] = "Things found"

    values: np.ndarray
    count: np.int64
    by_name: dict[str, float]
    image: np.ndarray = field(default_factory=lambda: np.zeros(2), metadata={"json": False})

    def table(self):
        return [("", "nats"), ("first", "−1.50"), ("the second one", "12.00")]

    def figure(self):
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1])
        return figure

    def warnings(self):
        return ["few examples"]


@pytest.fixture
def found():
    return Found(np.array([[1.5, np.nan], [np.inf, 2]]), np.int64(3), {"a": float("-inf")})


def test_it_prints_as_a_table_with_its_warnings(found):
    assert str(found).split("\n") == [
        "Things found",
        "                   nats",
        "  first           −1.50",
        "  the second one  12.00",
        "warning: few examples",
    ]


def test_rows_may_be_short():
    assert aligned([("a", "1", "2"), ("bcd", "10")]) == ["  a     1  2", "  bcd  10"]


def test_json_holds_everything_but_images_and_is_strict(found, tmp_path):
    found.save(tmp_path / "found.json")

    def refuse(name):
        raise AssertionError(name)

    read = json.loads((tmp_path / "found.json").read_text(), parse_constant=refuse)
    assert read == {
        "measure": "Found",
        "values": [[1.5, None], [None, 2.0]],
        "count": 3,
        "by_name": {"a": None},
        "warnings": ["few examples"],
    }


def test_the_picture_is_written_whole(found, tmp_path):
    assert isinstance(found.plot(), Figure)
    assert isinstance(found.plot(tmp_path / "found.png"), Figure)
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(FileNotFoundError, match="Create the folder first"):
        found.plot(tmp_path / "nowhere" / "found.png")


def positional(function):
    """The parameters of a function that may be passed without their name."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind in kinds]


MEASURES = {
    name: getattr(kv.evaluation, name)
    for name in kv.evaluation.__all__
    if inspect.isfunction(getattr(kv.evaluation, name))
}
METRICS = {name: getattr(disentanglement_metrics, name) for name in ("beta_vae", "dci", "factor_vae")}
SEEDED = {
    **{name: measure for name, measure in MEASURES.items() if name != "representation"},  # which draws nothing
    **METRICS,
    "kernel_distance": kernel_distance,
    "ecdf_band": ecdf_band,
}


@pytest.mark.parametrize("name", MEASURES)
def test_measures_take_a_model_and_data_and_the_rest_by_name(name):
    data = {"impute": "x", "representation": "train", "sample_quality": "reference"}.get(name, "data")
    wanted = {
        "bidirectional": ["model"],
        "simulation_calibration": ["model"],
        "learn_features": ["train"],
    }
    assert positional(MEASURES[name]) == wanted.get(name, ["model", data])


def test_the_positional_form_of_version_0_1_is_refused():
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3"):
        kv.evaluation.log_likelihood(None, None, 100)
    with pytest.raises(TypeError, match="takes 1 positional argument but 3"):
        kv.latent.attribute_vector(None, np.zeros([1, 2]), np.zeros([1, 2]))


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, True, "1"])
@pytest.mark.parametrize("name", SEEDED)
def test_there_is_one_kind_of_seed(name, seed):
    some = np.indices([4, 5]).reshape(2, -1).T.repeat(2, axis=0)
    given = {
        parameter.name: SOME.get(parameter.name, some)
        for parameter in inspect.signature(SEEDED[name]).parameters.values()
        if parameter.default is inspect.Parameter.empty
    }
    with pytest.raises(ValueError, match=f"{name}: seed: expected .* 0 to 2147483647, received"):
        SEEDED[name](**given, seed=seed)
