"""The folder of the page that paints, for the site: `python .ci/web.py [FOLDER]`, by default build/web.

onnxruntime-web comes from npm, in the version that the page is tested with, and is checked against its hash; nothing
of it is committed. Needs npm: https://docs.npmjs.com/downloading-and-installing-node-js-and-npm"""
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path

from loramix_nb.core import asset, load_base
from loramix_nb.formats import load_lora
from loramix_nb.web import _RUNTIME, export_web

TOP = Path(__file__).resolve().parent.parent
STYLES = {s: asset(f"eras/{s}.safetensors") for s in ("early_renaissance", "expressionism", "pop_art")}
STYLES["pop_art_of_another_seed"] = TOP/"nbs"/"explanations"/"results"/"pop_art_seed1.safetensors"
# As the registry states it: npm view onnxruntime-web@1.30.0 dist.integrity
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="


def checked(archive):
    "An archive whose hash is the pinned one; it is deleted otherwise."
    found = "sha512-" + b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found == INTEGRITY: return archive
    archive.unlink()
    raise ValueError(f"{archive.name} has the hash {found}, and {INTEGRITY} is expected: it is not what was tested")


def runtime():
    "The unpacked package, kept in build/ between calls."
    home = TOP/"build"
    archive, name = home/f"onnxruntime-web-{_RUNTIME}.tgz", f"onnxruntime-web@{_RUNTIME}"
    home.mkdir(exist_ok=True)
    if not archive.is_file():
        if not shutil.which("npm"):
            raise FileNotFoundError(f"the page that paints needs npm, which loads {name}: install Node.js")
        with tempfile.TemporaryDirectory(dir=home) as tmp:
            done = subprocess.run(["npm", "pack", name, "--silent"], cwd=tmp, text=True, capture_output=True)
            if done.returncode: raise OSError(f"npm pack {name}: {done.stderr.strip()[-500:]}")
            checked(next(Path(tmp).glob("*.tgz"))).replace(archive)
    out = home/f"onnxruntime-web-{_RUNTIME}"
    shutil.rmtree(out, ignore_errors=True)
    with tarfile.open(checked(archive)) as t:
        t.extractall(out, [m for m in t if m.name.endswith((".mjs", ".wasm"))], filter="data")
    return out/"package"


def build(out=TOP/"build"/"web"):
    "The folder, with all that the pages of the site mix; its manifest."
    return export_web(load_base("tiny", "cpu"), {s: load_lora(f) for s, f in STYLES.items()}, out, runtime())


if __name__ == "__main__":
    made = build(Path(sys.argv[1]) if sys.argv[1:] else TOP/"build"/"web")
    print(f"{sum(f['bytes'] for f in made['files'].values())/1e6:.1f} MB in {len(made['files'])} files")
