"""The public surface: what a reader meets who types a module's name and Tab.

`python .ci/surface.py --write` puts the tables of public names into the notebooks; sentences that are there stay."""
import ast
import json
import re
import statistics
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
NBS, PACKAGE = TOP/"nbs", TOP/"loramix_nb"
HEAD = "| What is in here | |\n|---|---|\n"
ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.M)
# The limits: names in all, lines of a module, lines of a function (median, 90 %, longest), share of lines within 100
# columns, names that nothing else uses. In the comment the aim, where today is not there yet: the numbers only tighten.
NAMES, MODULE = 245, 800
MEDIAN, MOST, LONGEST = 5, 14, 35
SHORT, UNUSED = .95, 0


def modules():
    "Module -> its notebook, in order."
    return {nb.stem[3:]: nb for nb in sorted(NBS.glob("[0-9][0-9]_*.ipynb"))}


def tree(module): return ast.parse((PACKAGE/f"{module}.py").read_text(encoding="utf-8"))


def is_patch(node): return any(ast.unparse(d).startswith("patch") for d in getattr(node, "decorator_list", ()))


def public(module):
    "Public name -> its node: functions, classes and constants, without methods added by `@patch`."
    found = {}
    for node in tree(module).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            if is_patch(node): continue
            names = [node.name]
        elif isinstance(node, ast.Assign):
            stored = [n for t in node.targets for n in ast.walk(t) if isinstance(getattr(n, 'ctx', None), ast.Store)]
            names = [n.id for n in stored if isinstance(n, ast.Name)]
        else: continue
        found.update({n: node for n in names if not n.startswith("_")})
    return found


def sources():
    "Everything that can use a name: (where, code), for notebooks, the command line and the checks."
    for nb in sorted(NBS.rglob("*.ipynb")):
        if any(p.startswith((".", "_")) for p in nb.relative_to(NBS).parts): continue
        cells = json.loads(nb.read_text(encoding="utf-8"))["cells"]
        yield nb, "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def used():
    "(module, name) of everything that another notebook imports or reaches through the module, or that is a program."
    out = {("cli", "main")}
    for nb, code in sources():
        here = nb.stem[3:] if re.match(r"\d\d_", nb.stem) else None
        for module, names in re.findall(r"from loramix_nb\.(\w+) import (\([^)]*\)|[^\n;#]*)", code):
            if module == here: continue
            out |= {(module, n.split(" as ")[0].strip()) for n in names.strip("()").split(",")}
        alias = {a or m: m for m, a in re.findall(r"import loramix_nb\.(\w+)(?: as (\w+))?", code)}
        alias |= {n: n for ns in re.findall(r"from loramix_nb import ([\w, ]+)", code) for n in re.split(", *", ns)}
        out |= {(alias[m], n) for m, n in re.findall(r"\b(\w+)\.(\w+)", code) if m in alias and alias[m] != here}
    return out


def shown(module):
    "Names in the notebook's table, with their sentences."
    cells = json.loads(modules()[module].read_text(encoding="utf-8"))["cells"]
    table = [s for s in ("".join(c["source"]) for c in cells[:4]) if HEAD in s]
    return dict(ROW.findall(table[0].partition(HEAD)[2])) if table else {}


def in_signatures(nodes):
    "Names of types in the annotations of public functions and methods."
    words = set()
    for node in nodes:
        for n in ast.walk(node):
            for a in (getattr(n, "annotation", None), getattr(n, "returns", None)):
                if a is not None: words |= set(re.findall(r"\w+", ast.unparse(a)))
            if isinstance(n, ast.Return) and isinstance(n.value, ast.Call):
                words |= set(re.findall(r"\w+", ast.unparse(n.value.func)))
    return words


def faults():
    "What is wrong with the surface, and the number of names of each module."
    wrong, alone, counts, use = [], [], {}, used()
    for module in modules():
        names, table = public(module), shown(module)
        counts[module] = len(names)
        wrong += [f"{module}.{n} is not in its notebook's table" for n in names.keys() - table.keys()]
        wrong += [f"{module}'s table has `{n}`, which is not public" for n in table.keys() - names.keys()]
        documented = {n for n, node in names.items() if isinstance(node, ast.Assign) or ast.get_docstring(node)}
        wrong += [f"{module}.{n} has no docstring" for n in names.keys() - documented]
        types = in_signatures([*names.values(), *filter(is_patch, tree(module).body)])
        unused = [n for n in names if (module, n) not in use and n not in types]
        alone += [f"{module}.{n}" for n in unused]
    if len(alone) > UNUSED: wrong += [f"{n} is used by no other notebook" for n in alone]
    if sum(counts.values()) > NAMES: wrong.append(f"{sum(counts.values())} public names, and {NAMES} is the limit")
    return wrong + shapes(), counts


def shapes():
    "Modules, functions, lines and cells that are too long."
    wrong, lengths, columns, cells = [], [], [], []
    for module, nb in modules().items():
        text = (PACKAGE/f"{module}.py").read_text(encoding="utf-8")
        lines = re.sub(r"\n\nDocs: [^\n]*\"\"\"\n", '"""\n', text, count=1).splitlines() # nbdev's, and no code
        if len(lines) > MODULE: wrong.append(f"{module} has {len(lines)} lines, and {MODULE} is the limit")
        columns += [len(line) for line in lines if line.strip() and not line.startswith(("__all__", "# %%"))]
        functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
        sized = [(n.end_lineno - n.lineno + 1, f"{module}.{n.name}") for n in functions]
        wrong += [f"{name} has {n} lines, and {LONGEST} is the limit" for n, name in sized if n > LONGEST]
        lengths += [n for n, _ in sized]
        for cell in json.loads(nb.read_text(encoding="utf-8"))["cells"]:
            code = "".join(cell["source"])
            if not re.match(r"\s*#\s*\|\s*export", code): continue
            defined = sum(isinstance(n, (ast.FunctionDef, ast.ClassDef)) for n in ast.parse(code).body)
            if defined > 3: wrong.append(f"{nb.name} has a cell with {defined} definitions, and 3 is the limit")
            if defined: cells.append(defined)
    median, most = statistics.median(lengths), sorted(lengths)[int(len(lengths)*.9)]
    share, single = sum(n <= 100 for n in columns)/len(columns), cells.count(1)/len(cells)
    print(f"functions: median {median:g} lines, 90 % within {most}, longest {max(lengths)}; "
          f"{share:.1%} of lines within 100 columns; {single:.0%} of exported cells hold one definition")
    if median > MEDIAN: wrong.append(f"functions have {median:g} lines in the median, and {MEDIAN} is the limit")
    if most > MOST: wrong.append(f"nine functions of ten have up to {most} lines, and {MOST} is the limit")
    if share < SHORT: wrong.append(f"{share:.1%} of lines are within 100 columns, and {SHORT:.0%} is asked")
    if single < .75: wrong.append(f"{single:.0%} of exported cells hold one definition, and 75 % is asked")
    return wrong


def write():
    "Put a table of its public names into each notebook; sentences that are there already stay."
    for module, nb in modules().items():
        names, told = public(module), shown(module)
        if not names: continue
        docs = {n: "" if isinstance(node, ast.Assign) else ast.get_docstring(node) or "" for n, node in names.items()}
        first = {n: d.split("\n")[0].replace("|", "\\|") for n, d in docs.items()}
        table = HEAD + "\n".join(f"| `{n}` | {told.get(n) or first[n]} |" for n in names)
        data = json.loads(nb.read_text(encoding="utf-8"))
        at = next((c for c in data["cells"][:4] if HEAD in "".join(c["source"])), None)
        if at is None:
            pages = [c for c in data["cells"] if c["cell_type"] == "markdown"]
            at = next(c for c in pages if "".join(c["source"]).startswith("# "))
        text = "".join(at["source"])
        before, found, after = text.partition(HEAD)
        after = ROW.sub("", after).strip("\n") if found else ""
        text = before.rstrip("\n") + "\n\n" + table + ("\n\n" + after if after else "")
        at["source"] = text.splitlines(keepends=True)
        nb.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv: write()
    wrong, counts = faults()
    print(*(f"{n:4} {module}" for module, n in counts.items()), sep="\n")
    print(f"{sum(counts.values()):4} names in all", *wrong, sep="\n")
    sys.exit(bool(wrong))
