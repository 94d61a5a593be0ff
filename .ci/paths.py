"""Every public function that takes a path does the same with a str and with a Path: `python .ci/paths.py`

The functions are found by the names and annotations of their parameters, so one without a case here is a fault."""
import dataclasses
import hashlib
import importlib
import inspect
import os
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1" # before the first bar

import numpy as np
import torch
from PIL import Image

import loramix_nb
from loramix_nb import analysis, callbacks, classifier, core, data, demo, doctor, dreambooth, formats, merging, pictures
from loramix_nb import mergebench, pool
from loramix_nb import sampling, scoring, shards, survey, training, transfer, truth, tuning, web, widgets
from loramix_nb.trainable import TrainConfig

NAMES = {"path", "paths", "file", "files", "folder", "home", "root", "out", "photos", "class_folder", "archive",
         "directory"}
# Parameters with such a name or a Path in their annotation that are something else -> what.
OTHER = {"data.Painting.path": "a stored field, relative to its collection", "sampling.morph.path": "mixes",
         "transfer.load_ip_adapter.file": "the name of a file in a folder",
         "demo.DemoConfig.folder": "a stored field, read from JSON as text",
         "doctor.LoraReport.file": "a stored field, as it was given"}
# Functions whose path is one of several things that they take, under another name.
ALSO = {"core.load_base", "dreambooth.subject_paintings", "merging.Recipe", "metrics.extractor", "sampling.remake",
        "scoring.score", "transfer.load_controlnet", "widgets.SweepBrowser", "widgets.Survey", "widgets.TransferBoard"}
# Not called here -> why.
ELSEWHERE = {"callbacks.push_to_hub": "uploads", "truth.train_pool_member": "trains for a minute; run by its page",
             "metrics.extractor": "loads weights from a hub", "transfer.load_controlnet": "the same",
             "classifier.load_judge": "is Judge.load", "classifier.save_judge": "is Judge.save"}
TIMED = {"run.json", "history.json", "index.json", "judge.json", "README.md"} # hold seconds, dates or versions
MIX, PROMPTS, ERAS = {"pop_art": 1.}, ["a cat"], ("early_renaissance", "pop_art")


def functions():
    "(module.function, its parameters) of everything public: functions, classes and the methods of classes."
    for name in sorted(m.name for m in pkgutil.iter_modules(loramix_nb.__path__) if not m.name.startswith("_")):
        module = importlib.import_module(f"loramix_nb.{name}")
        for k in getattr(module, "__all__", []):
            o = getattr(module, k)
            if getattr(o, "__module__", "") != module.__name__ or not callable(o): continue
            members = [n for n in vars(o) if not n.startswith("_")] if inspect.isclass(o) else []
            for q, f in [(f"{name}.{k}", o), *((f"{name}.{k}.{n}", getattr(o, n)) for n in members)]:
                if not callable(f) or inspect.isclass(f) and issubclass(f, Exception): continue
                yield q, inspect.signature(f).parameters.values()


def takes_path(q, p):
    "Whether a parameter is a path, by its name and annotation."
    kind = p.annotation if isinstance(p.annotation, type) else None
    if f"{q}.{p.name}" in OTHER or kind in (dict, list, int, bytes): return False
    return p.name in NAMES or "Path" in str(p.annotation)


def taking():
    "The functions that need a case."
    return {q for q, ps in functions() if any(takes_path(q, p) for p in ps)} | ALSO


def prepare(home):
    "What the cases read: collections, shards, a training, a sweep, photos and a recipe."
    pipe, lora = core.load_base("tiny", device="cpu"), formats.load_lora(core.asset("eras/pop_art.safetensors"))
    data.paint_collection(home/"paintings", ERAS, 12)
    data.Paintings.from_folder(home/"paintings", val=.25).save(home/"paintings"/"paintings.jsonl")
    found = data.Paintings.load(home/"paintings"/"paintings.jsonl")
    shards.precompute(found, pipe, home/"shards")
    config = TrainConfig(style="pop_art", rank=1, steps=1, batch=9, val_every=1, save_every=1)
    training.train_lora(shards.Shards(home/"shards"), pipe, config, home/"trained", callbacks=[])
    classifier.pack_pictures(found, home/"packed", 32)
    shutil.copy(core.asset("eras/pop_art.safetensors"), home/"pop_art.safetensors")
    files = {e: core.asset(f"eras/{e}.safetensors") for e in ERAS}
    merging.Recipe([str(f) for f in files.values()], [.5, .5]).save(home/"recipe.json")
    mixes = [{ERAS[0]: 1 - a, ERAS[1]: a} for a in (0, 1)]
    made = sampling.sweep(pipe, {e: formats.load_lora(f) for e, f in files.items()}, home/"swept", mixes, PROMPTS,
                          [0], steps=1)
    scoring.score(made, classifier.Judge.load(core.asset("judge")))
    data.paint_collection(home/"photos", ["pop_art"], 2)
    transfer.stylise_set(pipe, home/"photos", home/"set", "s", strength=.5, control_scale=0, steps=2)
    return pipe, lora


def cases(pipe, lora):
    "module.function -> a call; `at` is a folder with the inputs, `p` makes a str or a Path of a path in it."
    rows = lambda at: core.read_jsonl(at/"swept"/"sweep.jsonl")
    found = lambda at: data.Paintings.load(at/"paintings"/"paintings.jsonl")
    judge, loras = classifier.Judge.load(core.asset("judge")), {"pop_art": lora}
    scenes = (np.arange(8*32*32*3).reshape(8, 32, 32, 3).astype(np.uint8), ["a", "b"]*4)
    two = lambda at: [at/"pop_art.safetensors", core.asset("eras/early_renaissance.safetensors")]
    photo = lambda at: next((at/"photos").rglob("*.png"))
    def written(path):
        with core.atomic_path(path) as temp: temp.write_text("x")
        return path
    def widget(kind, n):
        def make(at, p):
            w = kind(pipe, {e: core.asset(f"eras/{e}.safetensors") for e in (*ERAS, "expressionism")[:n]},
                     folder=p(at/"new"), steps=1, preview_steps=1)
            w.worker.wait()
            return w.save()
        return make
    def browsed(at, p):
        w = widgets.SweepBrowser(p(at/"swept"), {"pop_art": p(at/"pop_art.safetensors")})
        return w.code
    def dropped(name, file): # onto a board
        def take(at, p):
            w = widgets.MixBoard(pipe, {"expressionism": core.asset("eras/expressionism.safetensors")},
                                 folder=at/"new", steps=1, preview_steps=1)
            getattr(w, name)(p(file(at)))
            w.worker.wait()
            return w.note, list(w.loras), w.photo
        return take
    def restyle_board(at, p):
        w = widgets.TransferBoard(pipe, loras, {"a": p(photo(at))}, folder=p(at/"new"), steps=1, preview_steps=1)
        w.worker.wait()
        return w.code
    return {
        "analysis.plot_grid": lambda at, p: analysis.plot_grid(rows(at), p(at/"swept"), *ERAS),
        "callbacks.pick_best": lambda at, p: len(callbacks.pick_best(p(at/"trained"), pipe, "a", (1.,), 1,
                                                                     steps=1).axes),
        "callbacks.write_model_card": lambda at, p: callbacks.write_model_card(p(at/"trained"), pipe, PROMPTS, 1),
        "classifier.pack_pictures": lambda at, p: classifier.pack_pictures(found(at), p(at/"new"), 32),
        "classifier.PackedPictures": lambda at, p: len(classifier.PackedPictures(p(at/"packed"))),
        "classifier.Judge.save": lambda at, p: judge.save(p(at/"new")),
        "classifier.Judge.load": lambda at, p: classifier.Judge.load(p(core.asset("judge"))).classes,
        "classifier.train_judge": lambda at, p: classifier.train_judge(scenes, scenes, out=p(at/"new"), epochs=1,
                                                                       batch=4).classes,
        "core.atomic_path": lambda at, p: written(p(at/"new"/"a.txt")),
        "core.write_json": lambda at, p: core.write_json(p(at/"new"/"a.json"), {"a": 1}),
        "core.read_json": lambda at, p: core.read_json(p(at/"recipe.json")),
        "core.write_jsonl": lambda at, p: core.write_jsonl(p(at/"new"/"a.jsonl"), [{"a": 1}]),
        "core.read_jsonl": lambda at, p: core.read_jsonl(p(at/"swept"/"sweep.jsonl")),
        "core.load_base": lambda at, p: core.fingerprint(core.load_base(p(core.asset("tiny")), device="cpu")),
        "core.Run": lambda at, p: core.Run(p(at/"new"), {"a": 1}).step("b", lambda: 2),
        "data.paint_collection": lambda at, p: data.paint_collection(p(at/"new"), ["pop_art"], 1),
        "data.difficult_folder": lambda at, p: data.difficult_folder(p(at/"new")),
        "data.Paintings": lambda at, p: data.Paintings(list(found(at)), p(at/"paintings")),
        "data.Paintings.from_folder": lambda at, p: data.Paintings.from_folder(p(at/"paintings")),
        "data.Paintings.write_html": lambda at, p: found(at).write_html(p(at/"paintings"/"new.html")),
        "data.Paintings.save": lambda at, p: found(at).save(p(at/"paintings"/"new.jsonl")),
        "data.Paintings.load": lambda at, p: data.Paintings.load(p(at/"paintings"/"paintings.jsonl")),
        "demo.Demo": lambda at, p: demo.Demo(p(at/"new")).run.folder,
        "doctor.describe": lambda at, p: doctor.describe(p(at/"pop_art.safetensors")).norms,
        "doctor.compare": lambda at, p: doctor.compare(*(p(f) for f in two(at))).cosine,
        "doctor.LoraReport.write_html": lambda at, p: doctor.describe(lora).write_html(p(at/"new.html")),
        "dreambooth.class_pictures": lambda at, p: dreambooth.class_pictures(pipe, PROMPTS, p(at/"new"), 1, 1),
        "dreambooth.subject_paintings": lambda at, p: dreambooth.subject_paintings(
            p(at/"photos"/"pop_art"), "sks", "cat", p(at/"photos"/"pop_art")),
        "formats.load_lora": lambda at, p: formats.load_lora(p(at/"pop_art.safetensors")),
        "formats.save_lora": lambda at, p: [formats.save_lora(lora, p(at/"new"/n), f) for n, f in (
            ("a.safetensors", "kohya"), ("peft", "peft"))],
        "merging.Recipe": lambda at, p: merging.merge(merging.Recipe([p(f) for f in two(at)], [.5, .5])),
        "merging.Recipe.save": lambda at, p: merging.Recipe([lora], [1.]).save(p(at/"new.json")),
        "merging.Recipe.load": lambda at, p: merging.merge(merging.Recipe.load(p(at/"recipe.json"))),
        "mergebench.bench_method": lambda at, p: [r["gap"] for r in mergebench.bench_method(
            "concat", "many", p(at/"new"), part=.1)],
        "pictures.open_picture": lambda at, p: pictures.open_picture(p(photo(at))),
        "pool.Pool": lambda at, p: list(pool.Pool(p(at/"new"))),
        "pool.Pool.load": lambda at, p: pool.Pool(at/"new").load(p(at/"pop_art.safetensors"), p(two(at)[1])),
        "pool.Pool.save": lambda at, p: _pool(at).save(p(at/"saved")),
        "sampling.Sweep": lambda at, p: sampling.Sweep(p(at/"swept"), rows(at)).pictures(),
        "sampling.Sweep.load": lambda at, p: sampling.Sweep.load(p(at/"swept")).pictures(),
        "sampling.sweep": lambda at, p: sampling.sweep(pipe, {"pop_art": p(at/"pop_art.safetensors")}, p(at/"new"),
                                                       [MIX], PROMPTS, [0], steps=1).pictures(),
        "sampling.remake": lambda at, p: sampling.remake(pipe, rows(at)[-1], {e: p(core.asset(
            f"eras/{e}.safetensors")) for e in ERAS}),
        "sampling.morph": lambda at, p: sampling.morph(pipe, loras, p(at/"new.gif"), [{}, MIX], "a", frames=2,
                                                       steps=1)[0],
        "scoring.export_pairs": lambda at, p: scoring.export_pairs(rows(at), p(at/"new")),
        "scoring.score": lambda at, p: scoring.score(p(at/"swept"), judge, "again"),
        "shards.precompute": lambda at, p: shards.precompute(found(at), pipe, p(at/"new")).index["counts"],
        "shards.Shards": lambda at, p: shards.Shards(p(at/"shards")).load(),
        "survey.Votes": lambda at, p: len(survey.Votes(p(at/"new"/"v.sqlite"))),
        "training.train_lora": lambda at, p: training.train_lora(
            shards.Shards(at/"shards"), pipe, TrainConfig(style="pop_art", rank=1, steps=1, batch=2), p(at/"new"), []),
        "transfer.restyle": lambda at, p: [transfer.restyle(pipe, p(photo(at)), steps=2),
                                           transfer.restyle(pipe, p(at/"photos"), steps=2, out=p(at/"new")).rows],
        "transfer.restyle_folder": lambda at, p: transfer.restyle_folder(
            pipe, p(at/"photos"), p(at/"new"), how=transfer.RestyleSettings(steps=2)).rows,
        "transfer.sweep_photos": lambda at, p: transfer.sweep_photos(pipe, loras, p(at/"new"), [p(photo(at))], [MIX],
                                                                     (.5,), steps=2).pictures(),
        "transfer.stylise_set": lambda at, p: transfer.stylise_set(pipe, p(at/"photos"), p(at/"new"), "s",
                                                                   strength=.5, control_scale=0, steps=2),
        "transfer.compare_sheet": lambda at, p: transfer.compare_sheet(p(at/"photos"), p(at/"set"), 2),
        "truth.cached_pictures": lambda at, p: truth.cached_pictures(p(at/"new.npz"), pipe, lora, PROMPTS, [0], 1),
        "tuning.tune": lambda at, p: tuning.tune(
            pipe, {"a": p(at/"pop_art.safetensors"), "b": p(two(at)[1])}, "half", list("abcd"), None, p(at/"new"),
            ["concat"], budget=0, steps=2).numbers,
        "tuning.Tuned.save": lambda at, p: tuning.Tuned(
            {"a": lora}, "g", "concat", [1.], dict(arm="concat", numbers=[1.]),
            dict.fromkeys(("tuned", "low", "high", "prompts"), 0), []).save(p(at/"new.json")),
        "web.export_web": lambda at, p: web.export_web(core.load_base(p(core.asset("tiny")), "cpu"), loras,
                                                       p(at/"new"))["files"],
        "widgets.AlphaSlider": widget(widgets.AlphaSlider, 2), "widgets.MixBoard": widget(widgets.MixBoard, 1),
        "widgets.MixBoard.add": dropped("add", lambda at: at/"pop_art.safetensors"),
        "widgets.MixBoard.restyle": dropped("restyle", photo),
        "widgets.StyleTriangle": widget(widgets.StyleTriangle, 3), "widgets.SweepBrowser": browsed,
        "widgets.Survey": lambda at, p: widgets.Survey({n: p(photo(at)) for n in "ab"},
                                                       survey.Votes(at/"v.sqlite")).pair,
        "widgets.TransferBoard": restyle_board,
        "widgets.DoctorWidget": lambda at, p: widgets.DoctorWidget(p(at/"pop_art.safetensors")).note,
    }


def _pool(at):
    found = pool.Pool(at/"new")
    found.load(at/"pop_art.safetensors")
    return found


def plain(x, at):
    "A result without the folder that it was made in and without what is new each time."
    if isinstance(x, (Path, str)): return str(x).replace(str(at), "AT")
    if isinstance(x, Image.Image): return plain(np.asarray(x), at)
    if isinstance(x, torch.Tensor): return plain(x.detach().cpu().float().numpy(), at)
    if isinstance(x, np.ndarray): return x.shape, hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
    if hasattr(x, "sha256") and hasattr(x, "metadata"): return x.name, x.sha256
    if dataclasses.is_dataclass(x): return plain(dataclasses.asdict(x), at)
    if isinstance(x, dict): return {plain(k, at): plain(v, at) for k, v in x.items()}
    if hasattr(x, "__iter__") and not isinstance(x, bytes): return [plain(y, at) for y in x]
    return x if isinstance(x, (bytes, int, float, bool, type(None))) else repr(x).replace(str(at), "AT")


def files(at):
    "The files of a folder with hashes of their content; of those that hold times only that they are there."
    def content(f): return "" if f.name in TIMED or f.suffix in (".html", ".zip") else f.read_bytes().replace(
        str(at).encode(), b"AT")
    return {f.relative_to(at).as_posix(): hashlib.sha256(content(f)).hexdigest() if content(f) else ""
            for f in sorted(at.rglob("*")) if f.is_file() and f.suffix not in (".sqlite", ".pt")}


def run(call, inputs, kind):
    "One call in a copy of the inputs that has the same address for both kinds."
    at = inputs.parent/"at"
    shutil.copytree(inputs, at)
    back = os.getcwd()
    os.chdir(at)
    try: return plain(call(at, kind), at), files(at)
    finally:
        os.chdir(back)
        shutil.rmtree(at)


def differ(one, other):
    "The parts in which two results differ, for whoever looks for the cause."
    (a, f), (b, g) = one, other
    return [repr(x)[:300] for x in (a, b) if a != b] + [k for k in f.keys() | g.keys() if f.get(k) != g.get(k)]


def faults():
    "Functions without a case, cases without a function, and calls that a str and a Path give different results."
    need = taking() - ELSEWHERE.keys()
    with tempfile.TemporaryDirectory() as tmp:
        torch.set_num_threads(1)
        inputs = Path(tmp).resolve()/"inputs"
        inputs.mkdir()
        table = cases(*prepare(inputs))
        wrong = [f"{q} takes a path: call it in .ci/paths.py" for q in sorted(need - table.keys())]
        wrong += [f"{q} is called in .ci/paths.py and takes no path" for q in sorted(table.keys() - need)]
        for q in sorted(need & table.keys()):
            try: one, other = run(table[q], inputs, str), run(table[q], inputs, Path)
            except Exception as e: wrong.append(f"{q}: {type(e).__name__}: {e}"); continue
            if one != other: wrong.append(f"{q} gives something else for a str than for a Path")
            if one != other and "-v" in sys.argv: print(q, *differ(one, other), sep="\n  ")
    return wrong, len(need)


if __name__ == "__main__":
    bad, n = faults()
    sys.exit("\n".join(bad)) if bad else print(f"{n} functions take a str as they take a Path")
