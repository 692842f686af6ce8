"""What measures return: a table, JSON that any reader takes, a picture."""

import json
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, aligned


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
    with pytest.raises(FileNotFoundError, match="make it first"):
        found.plot(tmp_path / "nowhere" / "found.png")
