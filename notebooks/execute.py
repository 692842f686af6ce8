"""Execute every notebook in this folder from a clean kernel and store its outputs."""

from pathlib import Path

import nbclient
import nbformat

# TensorFlow logs this at import, before any log level applies.
CHATTER = "WARNING: All log messages before absl::InitializeLog()"

for path in sorted(Path(__file__).parent.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if not o.get("text", "").startswith(CHATTER)]
        cell.metadata.pop("execution", None)  # time stamps, which would change at each run
    nbformat.write(notebook, path)
    print(path.name)
