"""The stored notebooks are those of their texts, and ran; `make notebooks` runs them anew, in CI too."""

import json
from pathlib import Path

import make_notebooks
import nbformat
import pytest
import student

NOTEBOOKS = Path(make_notebooks.__file__).parent
NAMES = make_notebooks.names()


def stored(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def outputs(name):
    return [output for cell in stored(name).cells if cell.cell_type == "code" for output in cell.outputs]


def test_every_notebook_has_a_text():
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == NAMES
    assert {"assignment", "assignment_student", "first_steps", "likelihoods", "serving"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_its_text(name):
    both = [
        [(cell.cell_type, cell.source) for cell in made.cells] for made in (stored(name), make_notebooks.sources(name))
    ]
    assert both[0] == both[1], "text and notebook differ: make notebooks"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_was_run_from_the_top_without_a_word_of_trouble(name):
    counts = [cell.execution_count for cell in stored(name).cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not [output for output in outputs(name) if output.output_type == "error" or output.get("name") == "stderr"]
    assert "/home/" not in json.dumps(stored(name))


def test_all_checks_are_passed_by_the_solution_and_none_by_the_tasks():
    words = {name: json.dumps(outputs(name), ensure_ascii=False) for name in ("assignment", "assignment_student")}
    tasks = words["assignment"].count("✓")
    assert tasks == 8
    assert "✗" not in words["assignment"]
    assert words["assignment_student"].count("not written yet") == tasks
    assert "✓" not in words["assignment_student"]


def test_no_solution_is_left_to_the_student():
    solved, tasks = (make_notebooks.sources(name) for name in ("assignment", "assignment_student"))
    hidden = []
    for with_, without in zip(solved.cells, tasks.cells, strict=True):
        hidden += set(with_.source.splitlines()) - set(without.source.splitlines())
    text = (NOTEBOOKS / "text" / "assignment.py").read_text()
    regions = text.split("BEGIN SOLUTION")[1:]
    marked = [line for region in regions for line in region.split("END SOLUTION")[0].splitlines()]
    code = [line for line in marked if line.startswith("    ") and "###" not in line]
    assert len(code) > 25
    assert set(code) <= set(hidden)
    assert "NotImplementedError" not in json.dumps(solved)


@pytest.mark.parametrize(
    "source",
    ["### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION", "### BEGIN SOLUTON\nx = 1\n### END SOLUTION"],
)
def test_half_a_mark_is_refused(source):
    cells = [nbformat.v4.new_markdown_cell("# Title\n\n| table |"), nbformat.v4.new_code_cell(source)]
    whole = nbformat.v4.new_code_cell("### BEGIN SOLUTION\ny = 1\n### END SOLUTION")
    notebook = nbformat.v4.new_notebook(cells=[*cells, whole])
    with pytest.raises(ValueError, match="Unpaired or misspelled solution marker"):
        student.tasks_only(notebook)
