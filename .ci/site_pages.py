"""What Quarto's pages need beyond nbdev, run by Quarto in _proc: `before` the pages are rendered, and `after`.

Before: the title's cell is completed, of which nbdev keeps only title and description; <!-- shows CELL --> in a text
becomes the pictures and tables of that cell; imports, tests and the code of benchmarks and explanations are folded, so
that pictures and tables come first; and llms.txt is written. After: every picture has an alternative text. Only the
standard library is used: Quarto picks the Python."""
import ast
import html
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

TEST = re.compile(r"^\s*(test_\w+\(|assert )|\btest_(eq|close|fail|ne|is)\(", re.M)
IMPORT = re.compile(r"(from .+ import .+|import .+|[%#].*|\s+.*|\)|)$")
DIRECTIVE = re.compile(r"^#\s*\|\s*(echo|code-fold|include|output|export|hide|default_exp)", re.M)
RESULTS = "benchmarks/", "explanations/" # pages that are read for what was found
LONGEST = 200 # characters of an alternative text
TOP = Path(__file__).resolve().parent.parent
ADDED = "first-screen" # how the ids of added cells begin
SHOWS = re.compile(r"<!-- shows (\S+) -->\n*")


def text_of(cell): return "".join(cell["source"])


def below_title(nb):
    "What stands in the title's cell beside title and description."
    titles = (c for c in nb["cells"] if c["cell_type"] == "markdown" and re.search(r"^# ", text_of(c), re.M))
    text = next(map(text_of, titles), "")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    for line in (r"^# .*\n?", r"^> .*\n?"): text = re.sub(line, "", text, count=1, flags=re.M)
    return text.strip()


def completed(nb, source):
    "A page of nbdev's with the rest of its title's cell; names in its table link to their entries."
    text = below_title(source)
    if not text or any(c["id"].startswith(ADDED) for c in nb["cells"]): return nb
    shown = ("".join(o.get("data", {}).get("text/markdown", "")) for c in nb["cells"] for o in c.get("outputs", []))
    known = set(re.findall(r"^### (\w+)$", "\n".join(shown), re.M))
    def link(m): return f"| [`{m[1]}`](#{m[1].lower()}) |" if m[1] in known else m[0]
    text = re.sub(r"^\| `(\w+)` \|", link, text, flags=re.M)
    at = next(i for i, c in enumerate(nb["cells"]) if c["cell_type"] == "raw") + 1
    nb["cells"].insert(at, dict(cell_type="markdown", id=ADDED, metadata={}, source=text.splitlines(True)))
    return nb


def seen(output):
    "Whether an output is a picture or has a table."
    data = output.get("data", {})
    table = re.search(r"^\|[ :]*---", "".join(data.get("text/markdown", "")), re.M)
    return bool(table) or "<table" in "".join(data.get("text/html", "")) or any(k.startswith("image/") for k in data)


def missing(nb):
    "Cells that a page should show at its top and that have no picture or table."
    cells = {c.get("id"): c for c in nb["cells"]}
    named = [at for c in nb["cells"] if c["cell_type"] == "markdown" for at in SHOWS.findall(text_of(c))]
    return [at for at in named if not any(map(seen, cells.get(at, {}).get("outputs", [])))]


def opened(nb):
    "A page with the pictures and tables of a cell wherever a comment of the text names the cell."
    cells, out = {c.get("id"): c for c in nb["cells"]}, []
    for cell in nb["cells"]:
        texts = SHOWS.split(text_of(cell)) if cell["cell_type"] == "markdown" else [text_of(cell)]
        for i, text in enumerate(texts):
            if i % 2:
                outputs = [o for o in cells.get(text, {}).get("outputs", []) if seen(o)]
                out.append(dict(cell_type="code", id=f"{ADDED}-{text}", metadata={}, execution_count=None,
                                source=["#| echo: false\n", "..."], outputs=outputs))
            elif text.strip() or len(texts) == 1:
                out.append({**cell, "source": text.splitlines(True), **({"id": f"{cell.get('id')}-{i}"} if i else {})})
    return {**nb, "cells": out}


def summary(page, cell):
    "Under which word a cell's code is folded, or None where it is shown."
    code = "".join(cell["source"])
    if cell["cell_type"] != "code" or not code.strip() or DIRECTIVE.search(code): return None
    if page.startswith(RESULTS): return "Code"
    if all(IMPORT.match(line) for line in code.splitlines()): return "Imports"
    return "Tests" if TEST.search(code) and not cell.get("outputs") else None


def is_test(node):
    "Whether a statement only tests: an assertion, a call of fastcore's, a loop over them."
    if isinstance(node, ast.For): return all(map(is_test, node.body))
    called = getattr(getattr(getattr(node, "value", None), "func", None), "id", "")
    return isinstance(node, ast.Assert) or isinstance(node, ast.Expr) and called.startswith("test_")


def parted(code):
    "The lines of a cell without its tests, and its tests."
    try: nodes = ast.parse(code).body
    except SyntaxError: return code, "" # a magic
    tests = {i for n in nodes if is_test(n) for i in range(n.lineno, n.end_lineno + 1)}
    tests -= {i for n in nodes if not is_test(n) for i in range(n.lineno, n.end_lineno + 1)}
    lines = list(enumerate(code.split("\n"), 1))
    return tuple("\n".join(t for i, t in lines if (i in tests) == kind).rstrip("\n") for kind in (False, True))


def as_folded(cell, word, code):
    "A cell whose code is folded under a word."
    source = f'#| code-fold: true\n#| code-summary: "{word}"\n{code}'
    return {**cell, "source": source.splitlines(True)}


def in_parts(page, cell):
    "A cell as the page has it: folded, or shown with its tests folded below what it shows, or as it is."
    code = text_of(cell)
    if word := summary(page, cell): return [as_folded(cell, word, code)]
    if cell["cell_type"] != "code" or DIRECTIVE.search(code): return [cell]
    shown, tests = parted(code)
    if not tests: return [cell]
    if not shown.strip(): return [as_folded(cell, "Tests", code)]
    below = {**cell, "id": f"{cell['id']}-tests", "outputs": []}
    return [{**cell, "source": shown.splitlines(True)}, as_folded(below, "Tests", tests)]


def folded(page, nb):
    "A notebook whose cells of tests and imports are folded."
    return {**nb, "cells": [part for cell in nb["cells"] for part in in_parts(page, cell)]}


def heading(nb):
    "Title and description of a page, from its first cell of text."
    text = next("".join(c["source"]) for c in nb["cells"] if c["cell_type"] in ("markdown", "raw"))
    title = re.search(r"^(?:# |title: *)(.+)$", text, re.M)
    said = re.search(r"^(?:> |description: *)(.+)$", text, re.M)
    return tuple(m[1].strip().strip("\"'") if m else "" for m in (title, said))


def llms(sidebar, pages, about):
    "llms.txt: the site's pages by section, each as Markdown, with one line about it. See llmstxt.org."
    lines = [f"# {about[0]}", "", f"> {about[1]}"]
    for line in sidebar.splitlines():
        if section := re.match(r"\s+- section: (.+)", line): lines += ["", f"## {section[1]}", ""]
        elif (page := re.match(r"\s+- (\S+)\.ipynb", line)) and f"{page[1]}.ipynb" in pages:
            title, said = heading(pages[f"{page[1]}.ipynb"])
            lines.append(f"- [{title or page[1]}]({page[1]}.html.md): {said}")
    return "\n".join(lines) + "\n"


def before(top):
    "Complete and fold the notebooks of a folder, and write its llms.txt."
    files = [f for f in sorted(top.rglob("*.ipynb"))
             if not any(p.startswith((".", "_")) for p in f.relative_to(top).parts)]
    pages = {f.relative_to(top).as_posix(): json.loads(f.read_text(encoding="utf-8")) for f in files}
    for name, nb in pages.items():
        source = json.loads((TOP/"nbs"/name).read_text(encoding="utf-8"))
        page = folded(name, opened(completed(nb, source)))
        (top/name).write_text(json.dumps(page, indent=1), encoding="utf-8")
    sidebar = (top/"_quarto.yml").read_text(encoding="utf-8")
    (top/"llms.txt").write_text(llms(sidebar, pages, heading(pages["index.ipynb"])), encoding="utf-8")


class Pictures(HTMLParser):
    "The pictures of a page that have no alternative text, and the words that stand for each."
    def __init__(self, text):
        super().__init__()
        self.starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self.found, self.open, self.said, self.words, self.last = [], [], "", [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img" and not attrs.get("alt"):
            line, column = self.getpos()
            self.found.append([self.starts[line - 1] + column, self.get_starttag_text(), self.last])
        if tag in ("p", "figcaption", "h1", "h2", "h3"): self.open.append(tag); self.words = []

    handle_startendtag = handle_starttag

    def handle_data(self, data): self.words.append(data)

    def handle_endtag(self, tag):
        if not self.open or tag != self.open[-1]: return
        self.open.pop()
        said = " ".join("".join(self.words).split())
        if tag == "figcaption" and self.found and said: self.found[-1][2] = said # a caption says it better
        elif said: self.last = said


def with_words(text):
    "A page in which each picture says what it shows: its caption, or the words that stand before it."
    for at, tag, said in reversed(Pictures(text).found):
        said = said if len(said) <= LONGEST else said[:LONGEST].rsplit(" ", 1)[0] + " …"
        bare = re.sub(r'\salt(="")?(?=[\s/>])', "", tag)
        new = bare[:4] + f' alt="{html.escape(said or "Picture of this page")}"' + bare[4:]
        text = text[:at] + new + text[at + len(tag):]
    return text


def after(site):
    "Give the pictures of all rendered pages their words."
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        if (new := with_words(text)) != text: page.write_text(new, encoding="utf-8")


SAMPLE = '<p>The <b>sea</b></p><img src="a"><figure><img src="b" alt=""/><figcaption>A "boat"</figcaption></figure>'
TESTED = "a = 1; b = 2\ntest_eq(a, 1)\nfor c in a: assert c\na"
SAID = SAMPLE.replace('src="a"', 'alt="The sea" src="a"').replace('src="b" alt=""', 'alt="A &quot;boat&quot;" src="b"')


def faults(top):
    "What is wrong with a folder after `before`, and with `with_words` and `parted`."
    listed = (top/"llms.txt").read_text(encoding="utf-8")
    pages = [f.relative_to(top).with_suffix("").as_posix() for f in sorted(top.rglob("*.ipynb"))
             if not {"app", "_docs"} & set(f.relative_to(top).parts)]
    shown = [f"{p} is not in llms.txt" for p in pages if f"({p}.html.md)" not in listed]
    unfolded = [f"{p} shows its imports" for p in pages if p.startswith(RESULTS)
                and "code-fold: true" not in (top/f"{p}.ipynb").read_text(encoding="utf-8")]
    sources = {p: json.loads((TOP/"nbs"/f"{p}.ipynb").read_text(encoding="utf-8")) for p in pages}
    lost = [f"{p} has lost what stands below its title" for p, nb in sources.items()
            if below_title(nb) and ADDED not in (top/f"{p}.ipynb").read_text(encoding="utf-8")]
    tested = [] if parted(TESTED) == ("a = 1; b = 2\na", "test_eq(a, 1)\nfor c in a: assert c") else ["tests are shown"]
    return shown + unfolded + lost + tested + ([] if with_words(SAMPLE) == SAID else ["a picture has no words"])


if __name__ == "__main__":
    if sys.argv[1] == "before": before(Path.cwd())
    else: after(Path(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "../_docs")))
