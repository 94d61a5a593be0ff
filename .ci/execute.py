"""Executes notebooks in place and keeps what a reader should see: `python .ci/execute.py NOTEBOOK...`

Progress bars and warnings are for the person who waits; in a stored notebook they are a dead widget and a path on
somebody's machine. Both are dropped, metadata is cleaned, and the file is replaced only when every cell has run. Cells
marked `#| cuda` wait for a GPU."""
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient
from nbdev.clean import nbdev_clean

BAR = "application/vnd.jupyter.widget-view+json"
LARGE = 150_000 # characters of a PNG above which its JPEG is good enough


def for_readers(output):
    "Whether an output belongs into the stored notebook: no stderr, and no bar that has stopped moving."
    if output.output_type == "stream": return output.name == "stdout"
    return not (BAR in output.get("data", {}) and "it/s]" in output.data.get("text/plain", ""))


def one_picture(output):
    "Pillow shows every picture both as PNG and as JPEG; one of them is enough."
    data = output.get("data", {})
    if {"image/png", "image/jpeg"} <= data.keys():
        del data["image/png" if len(data["image/png"]) > LARGE else "image/jpeg"]
    return output


def execute(path):
    "Run one notebook from its own folder and write its outputs back."
    nb, start = nbformat.read(path, as_version=4), time.time()
    where = {"metadata": {"path": str(path.parent)}}
    waiting = [c for c in nb.cells if re.search(r"^#\s*\|\s*cuda", c.source, re.M) and not torch.cuda.is_available()]
    for cell in waiting: cell.metadata["tags"] = ["skip-execution"]
    NotebookClient(nb, timeout=None, kernel_name="python3", resources=where).execute()
    for cell in nb.cells:
        if cell.cell_type == "code": cell.outputs = [one_picture(o) for o in cell.outputs if for_readers(o)]
    for cell in waiting: del cell.metadata["tags"]
    nb.metadata.pop("widgets", None) # the state of the bars that were dropped
    tmp = path.with_suffix(".ipynb.tmp")
    nbformat.write(nb, tmp)
    os.replace(tmp, path)
    nbdev_clean(str(path))
    print(f"{path}: {time.time() - start:.0f} s, {path.stat().st_size >> 10} kB")


if __name__ == "__main__":
    for name in sys.argv[1:]: execute(Path(name).resolve().relative_to(Path.cwd()))
