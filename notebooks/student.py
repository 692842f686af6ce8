"""The student's version of a notebook, and the clean one: what becomes of the solutions that its text marks.

The marks are those of nbgrader: in code a line `### BEGIN SOLUTION` and a line `### END SOLUTION`, in prose the same
words in an HTML comment. A cell that needs tasks to be done names them in its metadata: `# %% after="kl sample"`.
"""

import re

import nbformat

_CODE = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION *$", re.DOTALL | re.MULTILINE)
_PROSE = re.compile(r"<!-- BEGIN SOLUTION -->\n.*?<!-- END SOLUTION -->", re.DOTALL)
_MARK = re.compile(r"^ *(### (BEGIN|END) SOLUTION|<!-- (BEGIN|END) SOLUTION -->) *(\n|$)", re.MULTILINE)

_INTRODUCTION = """# A variational autoencoder: the assignment

The assignment derives a variational autoencoder (VAE) in equations 1 to 29, asks three questions on the way, and lets
one implement the model in Keras, for binary and for continuous data. Here are its questions and tasks, each task with a
check that says at once whether it is right, and if not, what to look at. Write where it says so, and run the cells from
top to bottom; a cell that needs a task that is not done yet says which, and waits. `assignment.ipynb` is the same
notebook with solutions.
"""


def clean(notebook: nbformat.NotebookNode) -> None:
    """Take the marks out and leave the solutions."""
    for cell in notebook.cells:
        cell.source = _MARK.sub("", cell.source).rstrip("\n")
    _check(notebook)


def tasks_only(notebook: nbformat.NotebookNode) -> None:
    """Put tasks in the place of solutions, and let cells that need them wait."""
    replaced = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, count = _CODE.subn(r"\1# Write here.\n\1raise NotImplementedError", cell.source)
        else:
            cell.source, count = _PROSE.subn("*Your answer:*", cell.source)
        replaced += count
        if tasks := cell.metadata.get("after"):
            cell.source = f"%%after {tasks}\n{cell.source}"
    if not replaced:
        raise ValueError("The notebook marks no solution, so there is nothing to leave out for a student")
    first = notebook.cells[0]
    # The table of notation is the student's too.
    first.source = _INTRODUCTION + first.source[first.source.index("\n|") :]
    _check(notebook)


def _check(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if "SOLUTION" in cell.source:
            raise ValueError(
                f"A mark without its other half, or misspelt, in the cell that begins {cell.source[:60]!r}"
            )
