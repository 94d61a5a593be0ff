"""README.md is nbs/index.ipynb as markdown: `python .ci/readme.py` writes it.

Hidden cells are left out, directives are dropped, and links that are relative to nbs/ are made relative to the top."""
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

TOP = Path(__file__).resolve().parent.parent
LINK = re.compile(r'(\]\(|\b(?:src|href)=")(?![a-z]+:|[/#])([^)"\s#]+)')


def shown(cell):
    "Whether a cell belongs into the README; a place that paints is for the site alone."
    if 'class="lm-here"' in cell.source: return False
    return cell.cell_type != "raw" and not re.search(r"^#\s*\|\s*(hide|include:\s*false)", cell.source, re.M)


def from_top(link):
    "A link as seen from the top of the repository; one to a file that is not there is refused."
    path = (TOP/"nbs"/link[2]).resolve()
    if not path.is_relative_to(TOP) or not path.exists():
        raise FileNotFoundError(f"nbs/index.ipynb links to '{link[2]}', which is no file of the repository")
    return link[1] + path.relative_to(TOP).as_posix()


def readme():
    "The text that README.md must have."
    nb = nbformat.read(TOP/"nbs"/"index.ipynb", as_version=4)
    nb.cells = [c for c in nb.cells if shown(c)]
    for cell in nb.cells: cell.source = re.sub(r"^#\s*\|.*\n", "", cell.source, flags=re.M)
    nb.metadata.language_info = {"name": "python"} # nbdev-clean drops it, and the code's colours with it
    text, extra = MarkdownExporter().from_notebook_node(nb)
    if extra["outputs"]:
        raise ValueError("nbs/index.ipynb has a picture among its outputs: save it in nbs/images/ and show that file")
    return LINK.sub(from_top, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


if __name__ == "__main__": (TOP/"README.md").write_text(readme(), encoding="utf-8")
