"What must hold of the notebooks for the site to be whole, checked without Quarto. Each function returns what is wrong."
import importlib
import inspect
import json
import re
from pathlib import Path

import address
import colab
import first_screen
import yaml

TOP = Path(__file__).resolve().parent.parent
NBS, PACKAGE = TOP/"nbs", TOP/"loramix_nb"
MACHINE = re.compile(r"(?<![\w.:/])/(?:work|root|home|tmp|Users|content)/[\w.-]+")
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"")


def notebooks():
    "All notebooks of the site, by path from nbs."
    files = [f for f in sorted(NBS.rglob("*.ipynb"))
             if not any(p.startswith((".", "_")) for p in f.relative_to(NBS).parts)]
    return {f.relative_to(NBS).as_posix(): json.loads(f.read_text(encoding="utf-8")) for f in files}


def large(nbs):
    "Notebooks over 600 kB: they are slow to open and to review."
    sizes = {n: (NBS/n).stat().st_size for n in nbs}
    return [f"{n} has {s/1024:.0f} kB, and 600 is the limit" for n, s in sizes.items() if s > 600*1024]


def machine_paths(nbs):
    "Outputs and texts that show where somebody's files lie."
    return [f"{n} shows the machine path {hit}" for n, nb in nbs.items() for c in nb["cells"]
            for hit in MACHINE.findall(_text(c))]


def unseen_figures(nbs):
    "Figures of which only the words <Figure size …> are stored: a `core.figure` always shows itself."
    return [f"{n} shows no picture for {''.join(o['data']['text/plain'])}" for n, nb in nbs.items() for c in nb["cells"]
            for o in c.get("outputs", []) if "".join(o.get("data", {}).get("text/plain", "")).startswith("<Figure")
            and not any(k.startswith("image/") for k in o["data"])]


def _text(cell):
    said = [t for o in cell.get("outputs", []) for t in (o.get("text", []), *(v for k, v in o.get("data", {}).items()
            if not k.startswith("image/")))]
    return "\n".join("".join(x) for x in (cell["source"] if cell["cell_type"] == "markdown" else [], *said)
                     if isinstance(x, (str, list)))


def broken_links(nbs):
    "Links and pictures that lead nowhere."
    out = []
    for n, nb in nbs.items():
        texts = ["".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "markdown"]
        for target in (a or b for t in texts for a, b in LINK.findall(re.sub(r"`[^`]*`", "", t))):
            if target.startswith(("http:", "https:", "#", "mailto:", "attachment:", "data:")): continue
            file = (NBS/n).parent/target.partition("#")[0]
            if not file.exists(): out.append(f"{n} links to {target}, which is not there")
            elif target.endswith(".html"): out.append(f"{n} links to {target}: link to the notebook instead")
    return out


def pictures_without_words(nbs):
    "Pictures in the prose that a reader who cannot see them is not told about."
    return [f"{n} shows {m} without an alternative text" for n, nb in nbs.items() for c in nb["cells"]
            if c["cell_type"] == "markdown" for m in re.findall(r"!\[\]\(([^)]+)\)", "".join(c["source"]))]


def wrong_badges(nbs):
    "Colab badges that open another notebook or another repository, and first cells that install another one."
    found = {n: re.findall(r"colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/main/([\w/.-]+)",
                           "\n".join(_text(c) for c in nb["cells"])) for n, nb in nbs.items()}
    tutorials = [n for n in nbs if n.startswith("tutorials/")]
    return [f"{n} has a Colab badge for {b}" for n, badges in found.items() for b in badges if b != f"nbs/{n}"] + \
           [f"{n} has no Colab badge" for n in tutorials if not found[n]] + \
           [f"{n} does not install git+{address.address()} in its first cell" for n in tutorials
            if f"git+{address.address()}" not in _first_code(nbs[n])] + address.faults()


def _first_code(nb): return next("".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "code")


def replaced_torch(nbs):
    "Requirements that would replace the torch of Colab, an older one or a newer one."
    return colab.faults()


def not_in_the_sidebar(nbs):
    "Notebooks that nobody finds, and entries that lead nowhere."
    def files(x):
        if isinstance(x, str): return [x]
        if isinstance(x, list): return [f for y in x for f in files(y)]
        return files(x.get("contents", [])) + files(x.get("href", []))
    listed = files(yaml.safe_load((TOP/"_quarto.yml").read_text())["website"]["sidebar"]["contents"])
    pages = [n for n in nbs if not n.startswith("app/")] # those are not pages but programs
    return [f"{n} is not in the sidebar of _quarto.yml" for n in pages if n not in listed] + \
           [f"the sidebar of _quarto.yml lists {n}, which is not there" for n in listed if n not in nbs] + \
           [f"the sidebar of _quarto.yml lists {n} twice" for n in sorted({n for n in listed if listed.count(n) > 1})]


def far_down(nbs):
    "Pages whose first picture or table is not in the first screen."
    return first_screen.faults(nbs)


def undocumented(nbs):
    "Public functions and classes without a docstring: the reference would show an empty entry."
    out = []
    for file in sorted(PACKAGE.glob("[!_]*.py")):
        module = importlib.import_module(f"{PACKAGE.name}.{file.stem}")
        public = {k: getattr(module, k) for k in getattr(module, "__all__", [])}
        made = {k: v for k, v in public.items() if inspect.isfunction(v) or inspect.isclass(v)}
        out += [f"{file.stem}.{k} has no docstring" for k, v in made.items()
                if v.__module__ == module.__name__ and not inspect.getdoc(v)]
    return out


CHECKS = (large, machine_paths, unseen_figures, broken_links, pictures_without_words, wrong_badges, replaced_torch,
          not_in_the_sidebar, far_down, undocumented)


def faults():
    "Everything that is wrong."
    nbs = notebooks()
    return [f for check in CHECKS for f in check(nbs)]


if __name__ == "__main__": print("\n".join(faults()) or "whole")
