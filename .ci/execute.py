"""Executes notebooks in place and keeps what a reader should see: `python .ci/execute.py NOTEBOOK...`

Progress bars and warnings are for the person who waits; in a stored notebook they are a dead widget and a path on
somebody's machine. Both are dropped, metadata is cleaned, and the file is replaced only when every cell has run. Cells
marked `#| cuda` wait for a GPU. Heavy pictures are stored in less space; `--pictures` does only that, without a run."""
import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient
from nbdev.clean import nbdev_clean
from PIL import Image

BAR = "application/vnd.jupyter.widget-view+json"
LARGE = 150_000 # characters of a PNG above which its JPEG is good enough
HEAVY = 60_000 # characters of a PNG that is worth less space


def for_readers(output):
    "Whether an output belongs into the stored notebook: no stderr, and no bar that has stopped moving."
    if output.output_type == "stream": return output.name == "stdout"
    return not (BAR in output.get("data", {}) and "it/s]" in output.data.get("text/plain", ""))


def one_picture(output):
    "Pillow shows every picture both as PNG and as JPEG; one of them is enough."
    data = output.get("data", {})
    if {"image/png", "image/jpeg"} <= data.keys():
        del data["image/png" if len(data["image/png"]) > LARGE else "image/jpeg"]
    if "image/png" in data: data.update(lighter(data.pop("image/png")))
    return output


def encoded(im, kind, **options):
    "A picture as the base64 text of a notebook, by its type."
    file = io.BytesIO()
    im.save(file, kind, **options)
    return {f"image/{kind.lower()}": base64.b64encode(file.getvalue()).decode()}


def lighter(png):
    "A PNG without an alpha that hides nothing; a heavy one as 256 colours, or as a JPEG if it has thousands."
    im = Image.open(io.BytesIO(base64.b64decode(png)))
    if im.mode == "RGBA" and im.getextrema()[3][0] == 255: im = im.convert("RGB")
    small = encoded(im, "PNG", optimize=True)
    if len(small["image/png"]) > len(png): small = {"image/png": png}
    if len(png) <= HEAVY or im.mode != "RGB": return small
    if im.getcolors(4096): return encoded(im.quantize(256, dither=Image.Dither.NONE), "PNG", optimize=True)
    return encoded(im, "JPEG", quality=80)


def lighten(path):
    "Store the pictures of a notebook in less space."
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        for output in cell.get("outputs", []): one_picture(output)
    nbformat.write(nb, path)
    nbdev_clean(str(path))
    print(f"{path}: {path.stat().st_size >> 10} kB")


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
    names = [name for name in sys.argv[1:] if name != "--pictures"]
    for name in names: (lighten if "--pictures" in sys.argv else execute)(Path(name).resolve().relative_to(Path.cwd()))
