"""Every command line that the help, the README and the pages print, typed for real, on small inputs.
What needs a hub gets a stand-in of the same layout; what cannot run here is named in `ELSEWHERE`."""
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, sleep

os.environ["TQDM_DISABLE"] = "1"
import yaml
from address import address

from loramix_nb import cli, core, web
from loramix_nb.data import paint_collection

TOP = Path(__file__).resolve().parent.parent
PROGRAMS = "loramix|make|npm|pip|%pip|!pip|git|hf|accelerate launch|torchrun|jupyter|voila|python"
# A command that cannot run here -> why. One that is in no example any more is refused, so that the list stays true.
ELSEWHERE = {
    "make demo": "the same as loramix demo, which runs here in small",
    "make test": "runs this",
    "make app": "opens Voila and stays, as loramix app does, which is started here",
    f"pip install git+{address()}": "needs the repository's address; the step wheel installs what is built",
    f"pip install -q git+{address()}": "the same",
    f'pip install "loramix-nb[metrics,control,breeding,app,hub,video,sdxl8bit] @ git+{address()}"': "the same",
    "pip install 'loramix-nb[heif]'": "the same",
    "accelerate launch --num_processes 2 paint.py": "wants GPUs; the page runs the same on two CPU processes",
    "accelerate launch --num_processes 2 job.py": "wants GPUs; the page runs the same on two CPU processes",
    "torchrun --nproc-per-node 2 job.py": "the page runs the same job on two CPU processes",
    "npm pack onnxruntime-web@1.30.0": "needs npm; the step page does it",
    "python .ci/checks.py page": "runs as the step page",
    "loramix bench all --seeds 0,1,2": "an hour; the step mergebench reruns a part of it",
    "python .ci/browser.py": "runs as the step browser",
    "python .ci/browser.py 10": "the same, ten times over",
    "python .ci/fuzz.py --cases 300 --out nbs/explanations/results/fuzz.json": "long; runs as the step fuzz, in small",
    "python .ci/kills.py --kills 25 --out nbs/explanations/results/kills.json": "measured once, figures on the page",
    "python .ci/faults.py --out nbs/explanations/results/faults.json": "measured once, figures on the page",
}
# The numbers that make a job small; they are added to what is printed, whose own words stay as they are.
SMALL = {"train": "--steps 2", "sweep": "--steps 1", "judge": "--epochs 1", "restyle": "--steps 3",
         "tune": "--steps 2 --budget 0 --methods concat",
         "demo": "--config small.yaml", "bench": "--part .1", "app": ""}
ORDER = ("data plan latents train judge sweep score mix convert inspect doctor restyle breed bench tune app export-web "
         "demo report").split()


def lines(text):
    "The command lines of a text: those of its blocks, and those between backticks or quotes."
    for block in re.findall(r"```(?:sh|bash|console|python)?\n(.*?)```", text, re.S):
        yield from re.findall(rf"^(?:\$ )?((?:\.venv/bin/)?(?:{PROGRAMS}) .*)$", block, re.M)
    for quoted in re.findall(rf"`((?:{PROGRAMS}) [^`\n]+)`", text): yield quoted


def plain(line):
    "A command without its comment, its folder of programs and its prompt sign."
    line = re.sub(r"^(?:\.venv/bin/|[!%])", "", re.sub(r"\s+#.*", "", line)).replace("\\|", "|") # as in a table
    return " ".join(line.split())


def found():
    "Command -> the first page that prints it."
    told = {}
    for job in cli._JOBS.values():
        for line in job.examples: told.setdefault(line, f"loramix {job.__name__} --help")
    for page in sorted([TOP/"README.md", *(TOP/"nbs").rglob("*.ipynb")]):
        if any(p.startswith((".", "_")) for p in page.relative_to(TOP).parts): continue
        for line in of_page(page): told.setdefault(plain(line), page.relative_to(TOP).as_posix())
    return {line: where for line, where in told.items() if not mention(line)}


def of_page(page):
    "The command lines of a page: of its prose, and the texts in its hidden tables of commands."
    if page.suffix == ".md": yield from lines(page.read_text(encoding="utf-8")); return
    for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown": yield from lines(text)
        elif not re.search(r"^#\| export", text, re.M):
            yield from re.findall(r"^ *'(loramix [^'\n]+)'", text, re.M)
            for out in cell.get("outputs", []): yield from lines("".join(out.get("data", {}).get("text/markdown", "")))


def mention(line):
    "Whether a job is only named, as in the folder that `loramix sweep` wrote: it takes files, and none is given."
    words = shlex.split(line)
    if words[0] != "loramix" or len(words) > 2 or words[-1] not in cli._JOBS: return False
    return any(not a.option_strings and a.nargs != "*" for a in cli._build_parser(words[1])._actions) or words[1] in (
        "sweep", "mix", "breed", "tune", "doctor")


def make_inputs(home):
    "What the examples take for granted: folders of pictures, LoRA files, a recipe and two configurations."
    for folder in ("my_paintings", "my_styles", "paintings"):
        paint_collection(home/folder, ["impressionism", "pop_art"], 12)
        (home/folder/"impressionism").rename(home/folder/"monet")
    paint_collection(home/"photos", ["pop_art"], 2)
    for name, era in {"a": "pop_art", "b": "pixel_art", "c": "expressionism", "renaissance": "early_renaissance",
                      "pop_art": "pop_art"}.items():
        shutil.copy(core.asset(f"eras/{era}.safetensors"), home/f"{name}.safetensors")
    write(home/"recipe.yaml", {"loras": ["a.safetensors", "b.safetensors"], "weights": [.5, .5]})
    write(home/"mine.yaml", {"batch": 2, "rank": 2})
    shutil.copy(TOP/"nbs/benchmarks/mergebench/submissions/keep_norm.py", home/"keep_norm.py")
    (home/"my_merge.py").write_text("from loramix_nb.merging import mix\ndef my_merge(loras, weights): "
                                    "return mix(loras, weights)\n", encoding="utf-8")
    write(home/"small.yaml", dict(lora=dict(rank=2, steps=2, batch=2, val_every=2, save_every=2), paintings=12,
                                  styles=["early_renaissance", "pop_art"], subjects=1, noises=1, sampling_steps=1,
                                  judged=6, epochs=1))


def write(file, value): file.write_text(yaml.safe_dump(value), encoding="utf-8")


def serve(page, port, token):
    "In place of `web._serve`: the server starts in a process of its own, answers, and is ended."
    code = f"from loramix_nb.web import _serve; _serve({str(page)!r}, {port}, {token!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            end = monotonic() + 60
            while not answers(f"http://127.0.0.1:{port}/voila/static/nothing"):
                assert server.poll() is None and monotonic() < end, "the server of the app does not answer"
                sleep(.3)
        finally: server.terminate()


def answers(url):
    "Whether somebody is there, whatever they say."
    try: urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError: return True
    except OSError: return False
    return True


def type_in(line, home, made_by):
    "One command in a folder of its own that has the inputs; what it made is there for the commands that come later."
    words = shlex.split(line)[1:]
    own = SMALL.get(words[0], "").split() if "--first-minute" not in words else ["--config", "small.yaml"]
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for name in parts(home): # but nothing that the same job made before
            if made_by.get(name) != words[0]: copy(home/name, place/name)
        code, said = answer([*words, *own], place)
        assert code == 0, f"$ {line}\n{said[-1500:]}"
        for name in parts(place):
            if not (home/name).exists(): copy(place/name, home/name); made_by[name] = words[0]


def parts(folder):
    "What is in a folder, and in those of its folders that hold a result each."
    several = "runs", "loras"
    found = [*folder.iterdir(), *(f for name in several for f in (folder/name).glob("*"))]
    return [f.relative_to(folder).as_posix() for f in found if f.name not in several]


def copy(a, b):
    "A file, or a folder with all that is in it."
    b.parent.mkdir(exist_ok=True)
    (shutil.copytree if a.is_dir() else shutil.copy)(a, b)


def answer(words, place):
    "Exit code and what was printed."
    said, back = io.StringIO(), os.getcwd()
    os.chdir(place)
    try:
        with redirect_stdout(said), redirect_stderr(said): return cli.main(words), said.getvalue()
    except SystemExit as e: return e.code, said.getvalue() # argparse
    finally: os.chdir(back)


def group(jobs):
    "Type some of the commands, in the order in which one needs what another makes: what went wrong."
    core.BASES.update(sd14=core.asset("tiny"), sd15=core.asset("tiny"), sdxl=core.asset("tiny")) # of the same layout
    web._serve = serve
    wrong, made_by = [], {}
    with tempfile.TemporaryDirectory() as home:
        make_inputs(Path(home))
        for line in sorted(jobs, key=lambda line: ORDER.index(line.split()[1])):
            begun = monotonic()
            try: type_in(line, Path(home), made_by)
            except AssertionError as e: wrong.append(str(e))
            if "-v" in sys.argv: print(f"{monotonic() - begun:5.1f} s  {line}", flush=True)
    return wrong


def main():
    told = found()
    jobs = [line for line in told if line.startswith("loramix ") and line not in ELSEWHERE]
    odd = [f"{line} ({told[line]})" for line in told if line not in jobs and line not in ELSEWHERE]
    assert not odd, f"nobody runs {'; '.join(odd)}: run it here, or say in ELSEWHERE why not"
    assert not (gone := ELSEWHERE.keys() - told.keys()), f"no page prints {', '.join(sorted(gone))} any more"
    demos = [line for line in jobs if line.split()[1] in ("demo", "report")]
    with ProcessPoolExecutor(2, get_context("spawn")) as both: # half of the time each
        wrong = sum(both.map(group, (demos, [line for line in jobs if line not in demos])), [])
    assert not wrong, "\n".join(wrong)
    print(f"{len(jobs)} commands were typed; {len(ELSEWHERE)} are not run here: "
          + "; ".join(f"{k} ({v})" for k, v in ELSEWHERE.items()))


if __name__ == "__main__": main()
