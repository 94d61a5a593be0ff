"""What Quarto's pages need beyond nbdev, run by Quarto in _proc: `before` the pages are rendered, and `after`.

Before: imports, tests and the code of benchmarks and explanations are folded, so that pictures and tables come first,
and llms.txt is written. After: every picture has an alternative text. Only the standard library is used: Quarto picks
the Python."""
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


def summary(page, cell):
    "Under which word a cell's code is folded, or None where it is shown."
    code = "".join(cell["source"])
    if cell["cell_type"] != "code" or not code.strip() or DIRECTIVE.search(code): return None
    if page.startswith(RESULTS): return "Code"
    if all(IMPORT.match(line) for line in code.splitlines()): return "Imports"
    return "Tests" if TEST.search(code) and not cell.get("outputs") else None


def folded(page, nb):
    "A notebook whose cells of tests and imports are folded."
    for cell in nb["cells"]:
        if word := summary(page, cell):
            directives = ["#| code-fold: true\n", f'#| code-summary: "{word}"\n']
            cell["source"] = [*directives, *"".join(cell["source"]).splitlines(True)]
    return nb


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
    "Fold the notebooks of a folder, and write its llms.txt."
    files = [f for f in sorted(top.rglob("*.ipynb"))
             if not any(p.startswith((".", "_")) for p in f.relative_to(top).parts)]
    pages = {f.relative_to(top).as_posix(): json.loads(f.read_text(encoding="utf-8")) for f in files}
    for name, nb in pages.items(): (top/name).write_text(json.dumps(folded(name, nb), indent=1), encoding="utf-8")
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
SAID = SAMPLE.replace('src="a"', 'alt="The sea" src="a"').replace('src="b" alt=""', 'alt="A &quot;boat&quot;" src="b"')


def faults(top):
    "What is wrong with a folder after `before`, and with `with_words`."
    listed = (top/"llms.txt").read_text(encoding="utf-8")
    pages = [f.relative_to(top).with_suffix("").as_posix() for f in sorted(top.rglob("*.ipynb"))
             if not {"app", "_docs"} & set(f.relative_to(top).parts)]
    shown = [f"{p} is not in llms.txt" for p in pages if f"({p}.html.md)" not in listed]
    unfolded = [f"{p} shows its imports" for p in pages if p.startswith(RESULTS)
                and "code-fold: true" not in (top/f"{p}.ipynb").read_text(encoding="utf-8")]
    return shown + unfolded + ([] if with_words(SAMPLE) == SAID else ["a picture has no words"])


if __name__ == "__main__":
    if sys.argv[1] == "before": before(Path.cwd())
    else: after(Path(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "../_docs")))
