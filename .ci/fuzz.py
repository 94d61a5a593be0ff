"""Every reader is given damaged files: `python .ci/fuzz.py [--cases 40] [--out results.json]`.

A reader may succeed, or refuse with a ValueError or OSError that says something. Anything else is a fault: another
exception, a hang, far more memory than the file's size, code that ran, a file written outside the folder it was given.
The same number of cases gives the same cases."""
import argparse
import io
import json
import pickle
import random
import resource
import signal
import sys
import tarfile
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml

from loramix_nb.pool import Pool
from loramix_nb.classifier import Judge
from loramix_nb.cli import _read_config
from loramix_nb.core import asset, Run, write_json, write_jsonl
from loramix_nb.data import paint_collection, Paintings
from loramix_nb.shards import Shards
from loramix_nb.formats import load_lora, save_lora, _write_safetensors
from loramix_nb.merging import Recipe
from loramix_nb.sampling import Sweep

SECONDS, SLACK = 20, 192 << 20 # for one case; bytes beyond twice the file that Python itself may need
REFUSALS = ValueError, OSError
STAND_INS = [b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", # of files that did not come
             b"<!DOCTYPE html><html><head><title>404</title>", '{"error": "Ü"}'.encode("latin-1")]


class Evil:
    "Unpickled, it writes a file: the sign that a reader ran code from outside."
    def __init__(self, sign): self.sign = str(sign)
    def __reduce__(self): return open, (self.sign, "w")


def lora_files(home):
    "One LoRA in every dialect that we write, in float8, with words, pickles under two names, and a peft folder."
    lora = load_lora(asset("eras/pop_art.safetensors"))
    words = lora.replace(embeddings={"<s1>": torch.ones(8), "<s1>.clip_g": torch.ones(2, 8)})
    for name, kw in {"diffusers": {}, "kohya": {"format": "kohya"}, "half": {"dtype": "fp16"}}.items():
        save_lora(words if name == "kohya" else lora, home/f"{name}.safetensors", **kw)
    save_lora(lora.map(lambda f: replace(f, up=f.up.to(torch.float8_e4m3fn), down=f.down.to(torch.float8_e5m2))),
              home/"eighth.safetensors")
    pairs = {f"lora_unet_x_{i}.{p}.weight": torch.randn(4, 4) for i in range(3) for p in ("lora_up", "lora_down")}
    for name in ("kohya.ckpt", "torch.safetensors"): torch.save(pairs, home/name)
    readers = {f.name: load_lora for f in sorted(home.iterdir())}
    loha = {f"mid_block.attn1.to_q.hada_w{i}_{s}": torch.randn(4, 4) for i in (1, 2) for s in "ab"}
    (home/"peft").mkdir()
    loha = {f"base_model.model.{k}": t for k, t in loha.items()}
    _write_safetensors(loha, {}, home/"peft"/"adapter_model.safetensors")
    write_json(home/"peft"/"adapter_config.json", {"peft_type": "LOHA", "r": 4, "alpha": 8, "rank_pattern": {"to_k": 2},
                                                   "alpha_pattern": {"^mid_block.*to_q": 6}, "init_weights": True})
    return readers | {f"peft/adapter_{f}": lambda f: load_lora(f.parent) for f in ("model.safetensors", "config.json")}


def shard_files(home):
    "A folder of shards as `precompute` leaves it, without a base: the arrays are random."
    rng, row = np.random.default_rng(0), {"key": "0", "style": "a", "caption": "b", "path": "c.png"}
    def npy(*shape):
        f = io.BytesIO()
        np.save(f, rng.normal(size=shape).astype(np.float16))
        return f.getvalue()
    with tarfile.open(home/"train-000000.tar", "w") as tar:
        for i in range(3):
            for name, data in ((f"{i:020}.json", json.dumps(row).encode()), (f"{i:020}.latents.npy", npy(32, 8, 8)),
                               (f"{i:020}.text.npy", npy(32, 64))):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    np.savez(home/"empty.npz", text=rng.normal(size=(32, 64)).astype(np.float16))
    write_json(home/"index.json", {"done": True, "counts": {"train": {"a": 3}},
                                   "shards": {"train": {"train-000000.tar": 3}}, "size": 64, "collection": "0",
                                   "base": {"name": "tiny", "fingerprint": "0"}})
    def read(_):
        shards = Shards(home)
        return repr(shards), shards.styles, shards.empty, shards.load("train")
    return dict.fromkeys(("index.json", "train-000000.tar", "empty.npz"), read)


def text_files(home):
    "Lists, sidecars, recipes and configurations."
    paint_collection(home/"paintings", ["pop_art"], 2)
    Paintings.from_folder(home/"paintings").save(home/"paintings.jsonl")
    picture = next((home/"paintings").rglob("*.png"))
    name = picture.relative_to(home/"paintings").as_posix()
    write_jsonl(home/"paintings"/"metadata.jsonl", [{"file_name": name, "text": "a"}])
    (home/"sweep").mkdir()
    (home/"sweep"/"0.png").write_bytes(picture.read_bytes())
    write_jsonl(home/"sweep"/"sweep.jsonl", [{"file": "0.png", "weights": {"a": .5}, "prompt": "a boat", "seed": 0}]*2)
    write_json(home/"recipe.json", {"loras": ["a.safetensors", "b.safetensors"], "weights": [.3, .7], "method": "ties",
                                    "params": {"density": .5}})
    (home/"recipe.yaml").write_text(yaml.safe_dump({"loras": ["a", "b"], "weights": [.3, .7], "method": "svd"}))
    write_json(home/"config.json", {"rank": 4, "lr": 1e-3, "targets": "attention"})
    Run(home/"run", {"rank": 4, "lr": 1e-3})
    (home/"judge").mkdir()
    for f in asset("judge").iterdir(): (home/"judge"/f.name).write_bytes(f.read_bytes())
    def sweep(f): return Sweep.load(f.parent).grid()
    def folder(f): return Paintings.from_folder(home/"paintings").report()
    def judge(f): return Judge.load(f.parent)(np.zeros((1, 64, 64, 3), np.uint8))
    picture = picture.relative_to(home).as_posix()
    return {"paintings.jsonl": lambda f: Paintings.load(f).report(), "paintings/metadata.jsonl": folder,
            picture: folder, "sweep/sweep.jsonl": sweep, "sweep/0.png": sweep,
            "recipe.json": Recipe.load, "recipe.yaml": Recipe.load, "config.json": _read_config,
             "run/run.json": lambda f: Run(f.parent, {"rank": 4, "lr": 1e-3}),
            "judge/judge.json": judge, "judge/judge.safetensors": judge}


def pool_files(home):
    "A pool with two members and a mix of them."
    pool = Pool(home/"pool")
    for e in ("pop_art", "expressionism"): pool.load(asset(f"eras/{e}.safetensors"))
    pool.merge(["pop_art", "expressionism"], [.5, .5])
    def read(_):
        pool = Pool(home/"pool")
        return [pool[k] for k in pool]
    files = [f for f in sorted((home/"pool").rglob("*")) if f.is_file() and f.stat().st_size]
    return {f.relative_to(home).as_posix(): read for f in files}


def damaged(data, rng):
    "A file as a bad disk, a broken download or a hand would leave it."
    way, n = rng.randrange(8), len(data)
    if way == 0: return data[:rng.randrange(n + 1)]
    if way == 1: return data + rng.randbytes(rng.randrange(1, 400))
    if way == 2: return rng.randbytes(rng.randrange(2000))
    at = rng.randrange(max(1, min(n, rng.choice((16, 600, n))))) # heads of files decide most
    if way == 3: return data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
    if way == 4: return data[:at] + rng.randbytes(rng.randrange(1, 40)) + data[at + rng.randrange(40):]
    if way == 5: return data[:at] + data[rng.randrange(n or 1):] # a piece is missing, or comes twice
    if way == 6: return data[:at] + b"\xff\xff\xff\xff\xff\xff\xff\x7f" + data[at + 8:] # a length that nobody has
    return another_value(data, rng)


def another_value(data, rng):
    "JSON with one value replaced by one of another kind."
    strange = [None, True, -1, 1e308, float("nan"), "", "x"*3000, "../../etc/passwd", "/etc/passwd", [], {}, [[]],
               {"a": {"b": []}}]
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    try: value = json.loads(data)
    except ValueError:
        try: value = json.loads(lines[at])
        except ValueError: return data[::-1]
        lines[at] = json.dumps(replaced(value, rng, strange)).encode()
        return b"\n".join(lines)
    return json.dumps(replaced(value, rng, strange)).encode()


def replaced(value, rng, strange):
    if not value or not isinstance(value, (dict, list)) or rng.random() < .2: return rng.choice(strange)
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    copy = value.copy()
    if isinstance(copy, dict) and rng.random() < .15: del copy[key]
    elif isinstance(copy, dict) and rng.random() < .1: copy["strange"] = 1
    else: copy[key] = replaced(value[key], rng, strange)
    return copy


def archive_members(sign):
    "Members of tar files that would land outside, and links that lead there."
    def tar(**kw):
        f = io.BytesIO()
        with tarfile.open(fileobj=f, mode="w") as t:
            info = tarfile.TarInfo(kw.pop("name", "0.json"))
            for k, v in kw.items(): setattr(info, k, v)
            t.addfile(info, io.BytesIO(b""))
        return f.getvalue()
    return [tar(name=f"../{sign.name}"), tar(name=str(sign)), tar(name="a/../../x.json"),
            tar(name="0.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            tar(name="0.json", type=tarfile.LNKTYPE, linkname="../x"), tar(name="0", type=tarfile.FIFOTYPE)]


def evil_pickles(sign):
    "Files that run code when they are unpickled without care."
    plain, f, array = pickle.dumps(Evil(sign)), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(f, "w") as z:
        z.writestr("archive/data.pkl", plain)
        z.writestr("archive/version", "3\n")
    np.save(array, np.array([Evil(sign)], object), allow_pickle=True)
    return [plain, f.getvalue(), array.getvalue()]


def verdict(read, file, size):
    "What a reader does with a file: 'read', 'refused', or the fault."
    class Hung(BaseException): pass
    def alarm(*_): raise Hung
    signal.signal(signal.SIGALRM, alarm)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(SECONDS)
    try: read(file)
    except REFUSALS as e:
        if not str(e).strip(): return f"{type(e).__name__} without a message"
        result = "refused"
    except Hung: return f"hung for {SECONDS} s"
    except BaseException as e: return f"{type(e).__name__}: {str(e)[:90]}"
    else: result = "read"
    finally: signal.alarm(0)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)*1024
    return f"{more >> 20} MB for a file of {size >> 10} kB" if more > 2*size + SLACK else result


def fuzz(cases):
    "All readers, `cases` damaged files each: {reader: {verdict: count}} and the first file of every fault."
    found, faults = {}, []
    with tempfile.TemporaryDirectory() as tmp:
        sign = Path(tmp)/"code_ran"
        for kind in (lora_files, shard_files, text_files, pool_files):
            home = Path(tmp)/kind.__name__
            home.mkdir()
            for name, read in kind(home).items():
                rng, file, whole = random.Random(name), home/name, (home/name).read_bytes()
                extra = evil_pickles(sign) + STAND_INS + (archive_members(sign) if name.endswith(".tar") else [])
                short = "lora" if "/loras/" in name else Path(name).name
                counts = found.setdefault(f"{kind.__name__}/{short}", {})
                for data in [whole, b"", *extra, *(damaged(whole, rng) for _ in range(cases))]:
                    file.write_bytes(data)
                    v = verdict(read, file, len(data))
                    if sign.exists():
                        v = "code ran, or a file was written outside"
                        sign.unlink()
                    if data is whole and v != "read": v = f"the whole file is not read: {v}"
                    counts[v] = counts.get(v, 0) + 1
                    if v not in ("read", "refused"): faults.append(f"{kind.__name__}/{name}: {v}")
                file.write_bytes(whole)
    return found, faults


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--cases", type=int, default=40)
    p.add_argument("--out", default="")
    a = p.parse_args()
    torch.set_num_threads(1)
    start = time.time()
    found, faults = fuzz(a.cases)
    total = sum(n for counts in found.values() for n in counts.values())
    result = {"cases": total, "faults": len(faults), "seconds": round(time.time() - start), "readers": found}
    if a.out: write_json(a.out, result)
    for fault in dict.fromkeys(faults): print(f"{faults.count(fault):4} × {fault}")
    print(f"{total} damaged files, {len(faults)} faults, {time.time() - start:.0f} s")
    sys.exit(bool(faults))
