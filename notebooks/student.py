"""Turn a source with marked solutions into the student's version of a notebook or the completed one.

The markers are those of nbgrader: in code, the lines `### BEGIN SOLUTION` and `### END SOLUTION`; in prose, the same
words in an HTML comment. A cell that depends on tasks lists them in its metadata: `# %% after="kl sample"`.
"""

import re

import nbformat

_CODE = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION *$", re.DOTALL | re.MULTILINE)
_PROSE = re.compile(r"<!-- BEGIN SOLUTION -->\n.*?<!-- END SOLUTION -->", re.DOTALL)
_MARK = re.compile(r"^ *(### (BEGIN|END) SOLUTION|<!-- (BEGIN|END) SOLUTION -->) *(\n|$)", re.MULTILINE)

_INTRODUCTION = """# A variational autoencoder: the assignment

The assignment derives a variational autoencoder (VAE) in equations 1 to 29, asks three questions along the way, and has
you implement the model in Keras, for binary and for continuous data. This notebook contains its questions and tasks.
Each task comes with a check that tells you immediately whether your solution is correct and, if not, what to look at.
Write your code where indicated and run the cells from top to bottom. A cell that depends on an unfinished task tells
you which one and does not run. `assignment.ipynb` is the same notebook with solutions.
"""


def clean(notebook: nbformat.NotebookNode) -> None:
    """Remove the markers and keep the solutions."""
    for cell in notebook.cells:
        cell.source = _MARK.sub("", cell.source).rstrip("\n")
    _check(notebook)


def tasks_only(notebook: nbformat.NotebookNode) -> None:
    """Replace the solutions by tasks, and make the cells that depend on them wait."""
    replaced = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, count = _CODE.subn(r"\1# Your code here.\n\1raise NotImplementedError", cell.source)
        else:
            cell.source, count = _PROSE.subn("*Your answer:*", cell.source)
        replaced += count
        if tasks := cell.metadata.get("after"):
            cell.source = f"%%after {tasks}\n{cell.source}"
    if not replaced:
        raise ValueError("The notebook has no marked solution. Mark one with ### BEGIN SOLUTION and ### END SOLUTION.")
    first = notebook.cells[0]
    # Keep the table of notation.
    first.source = _INTRODUCTION + first.source[first.source.index("\n|") :]
    _check(notebook)


def _check(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if "SOLUTION" in cell.source:
            raise ValueError(
                f"Unpaired or misspelled solution marker in the cell that begins {cell.source[:60]!r}. Use matching "
                "BEGIN SOLUTION and END SOLUTION markers."
            )
