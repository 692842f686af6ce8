"""Make the notebooks from their texts, run them from clean kernels, and store them with their outputs.

`text/*.py` is what one edits; `*.ipynb` is what one reads. A text that marks solutions becomes two notebooks: with
them, and, named `..._student`, with tasks in their place. A notebook is written whole, and only if all its cells ran.

    python make_notebooks.py                  # all
    python make_notebooks.py assignment       # one
    python make_notebooks.py --no-run         # sources only: outputs of cells that did not change are kept
"""

import argparse
import os
import time
from pathlib import Path

import jupytext
import nbclient
import nbformat
import student
from jupytext.combine import combine_inputs_with_outputs

HERE = Path(__file__).parent
TEXTS = HERE / "text"
# TensorFlow logs these as it starts, before any log level applies.
CHATTER = ("WARNING: All log messages before absl::InitializeLog()", "I0000 ", "E0000 ", "W0000 ")
STUDENT = "_student"


def names() -> list[str]:
    """All notebooks that there are texts for."""
    texts = {path.stem: path.read_text() for path in TEXTS.glob("*.py")}
    return sorted([*texts, *(name + STUDENT for name, text in texts.items() if "BEGIN SOLUTION" in text)])


def sources(name: str) -> nbformat.NotebookNode:
    """A notebook without outputs, from its text."""
    notebook = jupytext.read(TEXTS / f"{name.removesuffix(STUDENT)}.py", fmt="py:percent")
    (student.tasks_only if name.endswith(STUDENT) else student.clean)(notebook)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    # Ids are random otherwise, and each build would change every cell.
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def run(notebook: nbformat.NotebookNode) -> None:
    """Runs every cell, in the notebooks' folder; the outputs are stored in place."""
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    ).execute()
    notebook.metadata["language_info"] = {"name": "python"}  # as before: the kernel adds its patch version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # time stamps
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_quiet, cell.outputs) if output]


def shown(notebook: nbformat.NotebookNode) -> list[str]:
    """The plain text of what its cells show."""
    return [
        output.data["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result"
    ]


def _quiet(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    if output.get("name") != "stderr":
        return output
    lines = [line for line in output.text.splitlines(keepends=True) if not line.startswith(CHATTER)]
    output.text = "".join(lines)
    return output if output.text.strip() else None


def main() -> None:
    """Builds the notebooks that are asked for."""
    there = names()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(there)}; all by default")
    parser.add_argument("--no-run", action="store_true", help="write the sources only")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(there):
        parser.error(f"no such notebook: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in arguments.names or there:
        start, path = time.monotonic(), HERE / f"{name}.ipynb"
        notebook = sources(name)
        if not arguments.no_run:
            print(f"{name} …", flush=True)
            run(notebook)
            if not name.endswith(STUDENT) and (failed := [line for line in shown(notebook) if line.startswith("✗")]):
                raise SystemExit(f"{name}: a check refuses the solution: {failed}")
        elif path.exists():
            notebook = combine_inputs_with_outputs(notebook, nbformat.read(path, as_version=4))
        part = path.with_suffix(".part")
        nbformat.write(notebook, part)
        part.replace(path)
        print(f"{path.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
