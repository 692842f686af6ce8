"""Generate the notebooks from their sources, run them in clean kernels, and save them with their outputs.

Edit `text/*.py` and read `*.ipynb`. A source with marked solutions becomes two notebooks: one with the solutions, and
one named `..._student` with tasks instead. A notebook is written atomically, and only if all its cells ran.

    python make_notebooks.py                  # all notebooks
    python make_notebooks.py assignment       # one notebook
    python make_notebooks.py --no-run         # sources only; keeps the outputs of unchanged cells
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
# TensorFlow logs these at startup, before any log level applies.
CHATTER = ("WARNING: All log messages before absl::InitializeLog()", "I0000 ", "E0000 ", "W0000 ")
STUDENT = "_student"


def names() -> list[str]:
    """Return the names of all notebooks with a source."""
    texts = {path.stem: path.read_text() for path in TEXTS.glob("*.py")}
    return sorted([*texts, *(name + STUDENT for name, text in texts.items() if "BEGIN SOLUTION" in text)])


def sources(name: str) -> nbformat.NotebookNode:
    """Return a notebook without outputs, built from its source."""
    notebook = jupytext.read(TEXTS / f"{name.removesuffix(STUDENT)}.py", fmt="py:percent")
    (student.tasks_only if name.endswith(STUDENT) else student.clean)(notebook)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    # Ids would otherwise be random, and each build would change every cell.
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def run(notebook: nbformat.NotebookNode) -> None:
    """Run every cell in the notebooks' folder and store the outputs in the notebook."""
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    ).execute()
    notebook.metadata["language_info"] = {"name": "python"}  # undo what the kernel adds: its patch version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # time stamps
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_quiet, cell.outputs) if output]


def shown(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the plain-text results of its cells."""
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
    """Build the requested notebooks."""
    there = names()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"notebooks to build, from {', '.join(there)} (default: all)"
    )
    parser.add_argument("--no-run", action="store_true", help="write the sources only")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(there):
        parser.error(f"unknown notebook: expected one of {', '.join(there)}, received {', '.join(sorted(unknown))}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in arguments.names or there:
        start, path = time.monotonic(), HERE / f"{name}.ipynb"
        notebook = sources(name)
        if not arguments.no_run:
            print(f"{name} …", flush=True)
            run(notebook)
            if not name.endswith(STUDENT) and (failed := [line for line in shown(notebook) if line.startswith("✗")]):
                raise SystemExit(f"{name}: a check rejects the solution: {failed}")
        elif path.exists():
            notebook = combine_inputs_with_outputs(notebook, nbformat.read(path, as_version=4))
        part = path.with_suffix(".part")
        nbformat.write(notebook, part)
        part.replace(path)
        print(f"{path.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
