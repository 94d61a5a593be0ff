"""What must hold before a change is accepted, in the order in which it is cheapest to find out: `make test`.

Each step prints what it found and then PASS or FAIL; the last line counts steps and notebooks.
`python .ci/checks.py lint layers` runs only those."""
import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import site_pages
import surface as names
import whole
from readme import readme

TOP = Path(__file__).resolve().parent.parent
PACKAGE, NBS, BIN = TOP/"loramix_nb", TOP/"nbs", Path(sys.executable).parent
# One thread each for two notebooks at a time: two pools of threads on two cores wait for one another.
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def run(*command, cwd=TOP, **kw):
    "Run a command with the environment's programs first on the path; fails with what it printed."
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=ENV, text=True, capture_output=True, **kw)
    if done.returncode: raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def tree():
    "Every file that git knows or would add -> a hash of its content; a tree with uncommitted work is as good as any."
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {n: hashlib.sha256((TOP/n).read_bytes()).hexdigest() for n in names if (TOP/n).is_file()}


@contextmanager
def unchanged(what):
    "Fails if the block changes, adds or removes a file of the repository."
    before = tree()
    yield
    after = tree()
    moved = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    assert not moved, f"{what} changes {', '.join(moved)}: run it, look at the difference, commit it"


def clean():
    "Notebooks carry no execution counts or editor metadata; those with cells for a GPU ask Colab for one."
    with unchanged("nbdev-clean"): run("nbdev-clean")
    for nb in (nb for nb in NBS.rglob("*.ipynb") if not nb.relative_to(NBS).parts[0].startswith("_")):
        page = json.loads(nb.read_text(encoding="utf-8"))
        cuda = any(re.search(r"^#\s*\|\s*cuda", "".join(c["source"]), re.M) for c in page["cells"])
        assert not cuda or page["metadata"].get("accelerator") == "GPU", f"{nb.name} does not ask Colab for a GPU"


def export():
    "The package is what the notebooks export, and its version is the one in settings.ini."
    with unchanged("nbdev-export"): run("nbdev-export")
    cfg = ConfigParser(delimiters=["="])
    cfg.read(TOP/"settings.ini", encoding="utf-8")
    found = re.search(r'__version__ = "(.+)"', (PACKAGE/"__init__.py").read_text())[1]
    assert found == cfg["DEFAULT"]["version"], f"loramix_nb is {found}, settings.ini says {cfg['DEFAULT']['version']}"


def lint():
    "No undefined or unused names, no star imports."
    run("ruff", "check", "--output-format", "concise", ".")


def notebooks():
    "Every notebook runs from top to bottom and leaves the repository as it was: (how many did, which did not)."
    files = [f for f in NBS.rglob("*.ipynb") if not any(p.startswith((".", "_")) for p in f.relative_to(NBS).parts)]
    names = sorted(f.name for f in files if not (f.parent/".notest").exists())
    with unchanged("testing the notebooks"):
        done = subprocess.run(["nbdev-test", "--n-workers", "2", "--timing"], cwd=TOP, env=ENV, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(done.stdout.strip(), done.stderr.strip(), sep="\n")
    failed = re.findall(r"^\t(\S.*\.ipynb)$", done.stderr.partition("Failed On The Following Notebooks")[2], re.M)
    assert done.returncode == 0 or failed, "nbdev-test ended without a verdict"
    return len(names) - len(failed), failed


def examples():
    "Every command line that the help, the README and the pages print does what it says, on small inputs."
    print(run(sys.executable, "-W", "ignore", TOP/".ci"/"examples.py", timeout=900).strip())


def layers():
    "A module imports only modules of notebooks with lower numbers."
    number = {}
    for nb in NBS.glob("[0-9][0-9]_*.ipynb"): number[nb.stem[3:]] = int(nb.stem[:2])
    modules = {f.stem: f for f in PACKAGE.glob("*.py") if not f.stem.startswith("_")}
    assert modules.keys() == number.keys(), f"notebooks {sorted(number)} and modules {sorted(modules)} do not match"
    upward = [f"{name} imports {other}" for name, file in modules.items() for other in imported(file)
              if number.get(other, 0) >= number[name]]
    assert not upward, "; ".join(upward)


def imported(file):
    "The modules of the package that a file imports, wherever in the file."
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = f"{PACKAGE.name}.{node.module or ''}".rstrip(".") if node.level else node.module
            names = [f"{base}.{a.name}" for a in node.names] if base == PACKAGE.name else [base]
        else: continue
        yield from (n.split(".")[1] for n in names if n.startswith(f"{PACKAGE.name}."))


def surface():
    "Every public name is in a table, documented and used elsewhere; functions, lines and modules are short."
    wrong, counts = names.faults()
    print(", ".join(f"{module} {n}" for module, n in counts.items()), f"\n{sum(counts.values())} public names")
    assert not wrong, "\n".join(wrong)


def site():
    "The site is whole: links, pictures, badges, sidebar, docstrings, sizes, no machine's paths."
    wrong = whole.faults()
    assert not wrong, "\n".join(wrong)


def fuzz():
    "Damaged files are refused by name, by every reader; every path may be a str or a Path."
    said = run(sys.executable, "-W", "ignore", TOP/".ci"/"fuzz.py", "--cases", "30", timeout=600)
    print(said.strip().splitlines()[-1])
    print(run(sys.executable, "-W", "ignore", TOP/".ci"/"paths.py", timeout=600).strip().splitlines()[-1])


def mergebench():
    "The leaderboard is the table of its results, and a part of them is the same when it runs again."
    print(run(sys.executable, "-W", "ignore", TOP/".ci"/"mergebench.py", timeout=900).strip())


def browser():
    "Every widget answers to mouse and keyboard in a real browser."
    print(run(sys.executable, TOP/".ci"/"browser.py", timeout=1500).strip())


def page():
    "The page that paints does so in a real browser, as Python paints, without a kernel."
    print(run(sys.executable, "-W", "ignore", TOP/".ci"/"page.py", timeout=900).strip())


def docs():
    "The notebooks can be made into the site: what Quarto renders is in _proc."
    # Only exported cells and cells with an import are executed for it: one that does both an import and something
    # with the notebook's variables fails here. nbdev-proc-nbs would first try to install Quarto, as root.
    code = ("from nbdev.quarto import refresh_quarto_yml; from nbdev.serve import proc_nbs; "
            "refresh_quarto_yml(); proc_nbs(force=True, n_workers=2)")
    try: run(sys.executable, "-W", "ignore", "-c", code)
    except AssertionError as e: raise AssertionError(str(e).rpartition("Exception: ")[2] or str(e)) from e
    site_pages.before(TOP/"_proc") # what Quarto runs
    wrong = site_pages.faults(TOP/"_proc")
    assert not wrong, "\n".join(wrong)


def readme_is_index():
    "README.md is nbs/index.ipynb as markdown."
    assert (TOP/"README.md").read_text(encoding="utf-8") == readme(), "README.md is not index.ipynb: run make readme"


def wheel():
    "The wheel, built from what git holds, works in a fresh environment; only its dependencies are borrowed from ours."
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for name in tree():
            (tmp/"src"/name).parent.mkdir(parents=True, exist_ok=True)
            (tmp/"src"/name).write_bytes((TOP/name).read_bytes())
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp, tmp/"src")
        venv.create(tmp/"fresh")
        python, site = tmp/"fresh"/"bin"/"python", next((tmp/"fresh"/"lib").glob("python*"))/"site-packages"
        pip = sys.executable, "-m", "pip", "--python", python
        run(*pip, "install", "-q", "--no-deps", *tmp.glob("*.whl"), cwd=tmp)
        # A path that comes from a .pth has its own .pth files ignored, so our editable install stays out of sight.
        (site/"borrowed.pth").write_text(f"{next((BIN.parent/'lib').glob('python*'))/'site-packages'}\n")
        run(python, TOP/".ci"/"torchvision_cpu.py", cwd=tmp)
        run(*pip, "check", cwd=tmp)
        (tmp/"work").mkdir()
        print(run(python, TOP/".ci"/"first_minute.py", TOP/"README.md", cwd=tmp/"work", timeout=600).strip())


STEPS = (clean, export, lint, notebooks, examples, layers, surface, readme_is_index, site, docs, fuzz, mergebench,
         browser, page, wheel)


BESIDE = docs, fuzz, mergebench # on the core that the browser's steps leave free


def outcome(step):
    "Run a step and say how it went: how much passed and failed."
    start, good, bad = time.time(), 0, []
    try:
        good, bad = step() or (0, [])
        ok = not bad
    except Exception as e:
        ok = False
        print(e if isinstance(e, AssertionError) else f"{type(e).__name__}: {e}")
    print(f"{'PASS' if ok else 'FAIL'} {step.__name__}: {step.__doc__.splitlines()[0]} ({time.time()-start:.0f} s)",
          *bad, sep="\n  ", flush=True)
    return good + ok, len(bad) or int(not ok)


def main(steps):
    "Every step, also after one that failed: a change should learn of all that is wrong with it at once."
    beside, done = [s for s in steps if s in BESIDE and browser in steps], []
    with ThreadPoolExecutor(1) as other:
        for step in (s for s in steps if s not in beside):
            waiting = other.map(outcome, beside if step is browser else ())
            done += [outcome(step), *waiting]
    passed, failed = map(sum, zip(*done))
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__": main([s for s in STEPS if s.__name__ in sys.argv[1:] or not sys.argv[1:]])
