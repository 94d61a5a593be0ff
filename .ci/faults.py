"""Every writer meets a full disk and a folder it may not write to: `python .ci/faults.py [--out results.json]`.

The disk is a tmpfs of 24 MB (so this needs root and Linux). A writer must raise an OSError; what was there before must
be there unchanged, nothing half written may carry a real name; with room again the same call must succeed."""
import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import torch

from kills import ERAS, base, shared
from loramix_nb.pool import Pool
from loramix_nb.survey import Votes
from loramix_nb.classifier import Judge
from loramix_nb.core import asset, Run, _sha256, write_json, write_jsonl
from loramix_nb.data import paint_collection, Paintings
from loramix_nb.shards import precompute, Shards
from loramix_nb.formats import load_lora, save_lora
from loramix_nb.merging import Recipe
from loramix_nb.mixer import between
from loramix_nb.sampling import sweep
from loramix_nb.trainable import TrainConfig
from loramix_nb.training import train_lora


def eras(): return {e: load_lora(asset(f"eras/{e}.safetensors")) for e in ERAS}


# Each takes a folder and a number: 0 writes what must survive, 1 what meets the fault.
def json_file(home, n): write_json(home/"a.json", list(range(10 + 2_000_000*n)))
def json_lines(home, n): write_jsonl(home/"a.jsonl", [{"i": i} for i in range(10 + 500_000*n)])
def lora_file(home, n): save_lora(eras()[ERAS[n]]*(1 + n), home/"a.safetensors", dtype="fp32")
def recipe_file(home, n): Recipe([f"lora{i}" for i in range(2 + 5000*n)], [.5]*(2 + 5000*n)).save(home/"recipe.json")
def collection(home, n): paint_collection(home/"paintings", ERAS, 4 + 36*n)
def paintings_list(home, n):
    found = Paintings.load(shared()/"paintings.jsonl")
    (found if n else found.select(ERAS[0])).save(home/"paintings.jsonl")
def shards(home, n):
    found = Paintings.load(shared()/"paintings.jsonl")
    precompute(found if n else found.select(ERAS[0]), base(), home/"shards")
def training(home, n):
    cfg = TrainConfig(style=ERAS[n], rank=2, batch=2, steps=4, val_every=2, save_every=1)
    train_lora(Shards(shared()/"shards"), base(), cfg, home/f"lora{n}")
def sweeping(home, n):
    sweep(base(), eras(), home/"sweep", between(*ERAS, (0, 1)[:1 + n]), ["a boat"], [n], steps=2, batch=1)
def judge(home, n): Judge.load(asset(("judge", "recogniser")[n])).save(home/"judge")
def pool(home, n):
    p = Pool(home/"pool")
    if ERAS[n] not in p: p.load(asset(f"eras/{ERAS[n]}.safetensors"))
def survey(home, n):
    v = Votes(home/"votes.sqlite")
    for i in range(1 + 400*n): v.record(f"a{i}", f"b{i}", "left", voter="somebody with a long name"*40)
def run(home, n): Run(home/f"run{n}", {"n": n}).step("one", lambda: "x"*(10 + 4_000_000*n))


WRITERS = (json_file, json_lines, lora_file, recipe_file, collection, paintings_list, shards, training, sweeping, judge,
           pool, survey, run)


@contextmanager
def small_disk():
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", tmp], check=True)
        try: yield Path(tmp)
        finally: subprocess.run(["umount", "-l", tmp], check=True)


def fill(disk):
    "Take what room there is, but for a few kB."
    free = os.statvfs(disk)
    (disk/".ballast").write_bytes(bytes(max(0, free.f_bavail*free.f_frsize - 8192)))


def files(home):
    "What a reader would find; the database is looked at through its own eyes."
    return {f.relative_to(home).as_posix(): _sha256(f) for f in home.rglob("*") if f.is_file() and f.suffix != ".lock"
            and not f.name.startswith(".")}


def met(writer, home, before):
    "What a writer does about the fault: None if it did well, else what was wrong."
    try: writer(home, 1)
    except OSError as e:
        if not str(e): return "an error without a message"
    except BaseException as e: return f"{type(e).__name__} and not OSError: {e}"
    else: return "no error"
    if writer is survey: return None if len(Votes(home/"votes.sqlite")) else "answers were lost"
    after, grows = files(home), ("jsonl", "run.json", "index.json") # what a job that begins may write to
    lost = [k for k, v in before.items() if after.get(k) != v and not k.endswith(grows)]
    return f"changed or lost: {lost[0]}" if lost else None


def full(writer):
    with small_disk() as disk:
        home = disk/"home"
        writer(home, 0)
        before = files(home)
        fill(disk)
        wrong = met(writer, home, before)
        (disk/".ballast").unlink()
        if not wrong: writer(home, 1) # with room again it works
        return wrong


def read_only(writer):
    with small_disk() as disk:
        home = disk/"home"
        writer(home, 0)
        before = files(home)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        wrong = met(writer, home, before)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        if not wrong: writer(home, 1)
        return wrong


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--out", default="")
    a = p.parse_args()
    torch.set_num_threads(1)
    results = {}
    for writer in WRITERS:
        results[writer.__name__] = {}
        for fault in (full, read_only):
            try: wrong = fault(writer)
            except BaseException as e: wrong = f"afterwards: {type(e).__name__}: {e}"
            results[writer.__name__][fault.__name__] = wrong or "as it should"
            print(writer.__name__, fault.__name__, wrong or "as it should", flush=True)
    if a.out: write_json(a.out, results)
    bad = sum(v != "as it should" for r in results.values() for v in r.values())
    print(f"{2*len(WRITERS)} faults met, {bad} not as they should")
    sys.exit(bool(bad))
