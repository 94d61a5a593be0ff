"""How far down a page of the site its first picture or table stands, counted in lines, without Quarto.

A screen shows about thirty lines. Prose wraps at 90 columns, code at 120; a block is one line of space. What
`site_pages` folds is a line, what nbdev hides is none. `python .ci/first_screen.py` lists all pages."""
import math
import re

import site_pages

SCREEN, PROSE, CODE = 30, 90, 120 # lines of a screen, columns of a line
TABLE = re.compile(r"^ *\|?[ :|-]*--[ :|-]*\|[ :|-]*$|<(?:table|img|svg|figure)\b|!\[[^\]]*\]\(|^```\{?mermaid", re.M)
BADGE = re.compile(r"\[!\[[^\]]*\]\([^)]*badge[^)]*\)\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
HEADING = re.compile(r"^#+ ", re.M) # with the space around it, two lines more than its text
HIDDEN = {"hide", "export", "exporti", "exports", "default_exp"}


def wrapped(text, columns):
    "Lines that a text takes, without its empty ones."
    return sum(math.ceil(len(line) / columns) for line in text.splitlines() if line.strip())


def prose(text):
    "(lines up to the first picture or table, whether there is one) of Markdown or HTML."
    text = BADGE.sub("Badge", text)
    found = TABLE.search(text)
    before = text[:found.start()] if found else text
    return wrapped(LINK.sub(r"\1", before), PROSE) + len(HEADING.findall(before)) + 1, bool(found)


def directives(cell):
    "What a cell of code says to nbdev and Quarto: name -> value."
    return dict(re.findall(r"^#\s*\|\s*([\w-]+)[ :]*(\w*)", "".join(cell["source"]), re.M))


def code(cell):
    "Lines of a cell's code."
    said, text = directives(cell), re.sub(r"^#\s*\|.*\n?", "", "".join(cell["source"]), flags=re.M)
    if "hide-input" in said or said.get("echo") == "false": return 0
    return 2 if said.get("code-fold") == "true" else wrapped(text, CODE) + 1


def output(out):
    "(lines, whether it is a picture or table) of an output."
    data = out.get("data", {})
    if any(k.startswith("image/") for k in data): return 0, True
    if rich := data.get("text/html", data.get("text/markdown")): return prose("".join(rich))
    return wrapped("".join(out.get("text", data.get("text/plain", ""))), CODE) + 1, False


def parts(cell):
    "(lines, whether it is a picture or table) of each thing that a cell shows."
    if cell["cell_type"] != "code": return [prose("".join(cell["source"]))]
    said = directives(cell)
    if HIDDEN & said.keys() or said.get("include") == "false": return []
    shown = [] if said.get("output") == "false" else cell["outputs"]
    return [(code(cell), False), *map(output, shown)]


def depth(page, nb):
    "Lines above a page's first picture or table; infinite without one."
    lines = 0
    cells = site_pages.folded(page, site_pages.opened(nb))["cells"]
    for n, found in (p for cell in cells for p in parts(cell)):
        lines += n
        if found: return lines
    return math.inf


def faults(nbs):
    "Pages whose first screen has neither a picture nor a table, and those that open with what is not there."
    depths = {page: depth(page, nb) for page, nb in nbs.items() if not page.startswith("app/")}
    return [f"{page} has its first picture or table after {n} lines, and a screen has {SCREEN}: move it up, or name "
            f"its cell at the top in <!-- shows CELL -->" for page, n in depths.items() if n > SCREEN] + \
           [f"{page} shows cell {at}, which has no picture or table" for page, nb in nbs.items()
            for at in site_pages.missing(nb)]


if __name__ == "__main__":
    import whole
    for n, page in sorted(((depth(p, nb), p) for p, nb in whole.notebooks().items()), reverse=True): print(n, page)
