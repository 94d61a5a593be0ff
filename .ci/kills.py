"""Every long job is killed at random moments and started again: `python .ci/kills.py [--kills 25] [--out r.json]`.

A job runs in a forked child, which gets SIGKILL at a moment drawn from the time the job takes; this goes on until a
child ends by itself. Its result must be that of a job that nobody disturbed: latents, weights, pools and answers to the
bit, pictures to one grey level, since a picture that is painted again has other company in its batch."""
import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from functools import cache
from pathlib import Path

import numpy as np
import torch

from loramix_nb.pool import Pool
from loramix_nb.survey import Votes
from loramix_nb.core import asset, load_base, read_json, write_json
from loramix_nb.data import paint_collection, Paintings
from loramix_nb.shards import precompute, Shards
from loramix_nb.formats import load_lora
from loramix_nb.mixer import between
from loramix_nb.sampling import sweep
from loramix_nb.trainable import TrainConfig
from loramix_nb.training import train_lora

ERAS = "early_renaissance", "pop_art"


@cache
def base(): return load_base(device="cpu")


@cache
def shared():
    "Paintings and shards that several jobs begin with."
    home = Path(tempfile.mkdtemp())
    paint_collection(home/"paintings", ERAS, 40)
    Paintings.from_folder(home/"paintings").save(home/"paintings.jsonl")
    precompute(Paintings.load(home/"paintings.jsonl"), base(), home/"shards")
    return home


def latents(home):
    precompute(Paintings.load(shared()/"paintings.jsonl"), base(), home/"shards")
    data = Shards(home/"shards").load()
    return {k: v.tolist() if isinstance(v, torch.Tensor) else [r["path"] for r in v] for k, v in data.items()}


def training(home):
    cfg = TrainConfig(style="pop_art", rank=2, batch=4, steps=16, val_every=4, save_every=2)
    train_lora(Shards(shared()/"shards"), base(), cfg, home/"lora")
    return load_lora(home/"lora"/"lora.safetensors").sha256 # of the weights: the file also says how long it took


def sweeping(home):
    loras = {e: load_lora(asset(f"eras/{e}.safetensors")) for e in ERAS}
    done = sweep(base(), loras, home/"sweep", between(*ERAS), ["A painting of a boat"], [0, 1], steps=3, batch=2)
    return [done.pictures().tolist(), [{k: r[k] for k in ("file", "weights", "seed")} for r in done.rows]]


def pool(home):
    "Each change is made unless it has been; a pool that was killed has all of a change or none of it."
    p = Pool(home/"pool")
    for e in ERAS:
        if e not in p: p.load(asset(f"eras/{e}.safetensors"))
    for i in range(1, 8):
        if f"mix{i}" not in p: p.merge(list(ERAS), [i/8, 1 - i/8], name=f"mix{i}")
    return {k: p[k].sha256 for k in p}


def survey(home):
    "Answers count from the moment they are given."
    v = Votes(home/"votes.sqlite")
    acknowledged = home/"acknowledged"
    told = int(acknowledged.read_text() or 0) if acknowledged.exists() else 0
    assert len(v) >= told, f"{told} answers were acknowledged, {len(v)} are there"
    for i in range(len(v), 150):
        v.record(f"a{i}", f"b{i}", ("left", "right", "tie", "skip")[i % 4])
        acknowledged.write_text(str(i + 1))
    return [(r["left"], r["right"], r["answer"]) for r in v.rows()]


def child(job, home):
    "Do the job in a fork of this process, which has everything loaded already: its process id."
    pid = os.fork()
    if pid: return pid
    try:
        write_json(home/"result.json", job(home))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def undisturbed(job, home):
    start = time.monotonic()
    assert os.waitpid(child(job, home), 0)[1] == 0, f"{job.__name__} failed undisturbed"
    return read_json(home/"result.json"), time.monotonic() - start


def same(job, a, b):
    "Whether two results are one and the same, and by how much pictures differ."
    if job is not sweeping: return a == b, 0
    (x, rows), (y, others) = a, b
    most = int(np.abs(np.array(x) - np.array(y)).max())
    return rows == others and most <= 1, most


def tortured(job, wanted, kills, rng, seconds):
    "Kill a job `kills` times, in as many rounds as that takes: how often its result was another one."
    killed = rounds = wrong = most = 0
    while killed < kills:
        home, rounds = Path(tempfile.mkdtemp()), rounds + 1
        while True:
            pid = child(job, home)
            if killed < kills:
                time.sleep(rng.uniform(0, 1.1*seconds))
                done, status = os.waitpid(pid, os.WNOHANG)
                if not done:
                    os.kill(pid, signal.SIGKILL)
                    status = os.waitpid(pid, 0)[1]
            else: status = os.waitpid(pid, 0)[1]
            if os.WIFSIGNALED(status): killed += 1
            else: break
        if status: wrong += 1
        else:
            fine, by = same(job, wanted, read_json(home/"result.json"))
            wrong, most = wrong + (not fine), max(most, by)
        shutil.rmtree(home)
    return {"kills": killed, "rounds": rounds, "wrong": wrong, "grey_levels": most,
            "seconds_undisturbed": round(seconds, 2)}


JOBS = latents, training, sweeping, pool, survey

if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--kills", type=int, default=25)
    p.add_argument("--jobs", default=",".join(j.__name__ for j in JOBS))
    p.add_argument("--out", default="")
    a = p.parse_args()
    torch.set_num_threads(1)
    shared()
    results = {}
    for job in (j for j in JOBS if j.__name__ in a.jobs.split(",")):
        home = Path(tempfile.mkdtemp())
        wanted, seconds = undisturbed(job, home)
        shutil.rmtree(home)
        results[job.__name__] = tortured(job, wanted, a.kills, random.Random(job.__name__), seconds)
        print(job.__name__, json.dumps(results[job.__name__]), flush=True)
    if a.out: write_json(a.out, results)
    wrong = sum(r["wrong"] for r in results.values())
    print(f"{sum(r['kills'] for r in results.values())} kills, {wrong} wrong results")
    sys.exit(bool(wrong))
