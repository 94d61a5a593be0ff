"""Whether installing the package would replace a torch that is there already, such as Colab's. No network is needed:
the requirements are those of settings.ini and, behind them, those of the releases that are installed here."""
import sys
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parent.parent
FAMILY = "torch", "torchvision", "torchaudio"
OLD, NEW = TOP/".ci"/"constraints_torch_2.6.txt", TOP/"constraints.txt"


def pins(file):
    "The torch family of a constraints file: name -> version."
    lines = (line.split("#")[0].strip() for line in Path(file).read_text(encoding="utf-8").splitlines())
    found = dict(line.split("==") for line in lines if "==" in line)
    return {k: found[k] for k in FAMILY if k in found}


def required():
    "What settings.ini asks for, with all extras but that of the developers."
    cfg = ConfigParser(delimiters=["="])
    cfg.read(TOP/"settings.ini", encoding="utf-8")
    keys = [k for k in cfg["DEFAULT"] if k.endswith("requirements") and k != "dev_requirements"]
    return [Requirement(word) for k in keys for word in cfg["DEFAULT"][k].split()]


def behind(requirement):
    "The requirements of an installed release, for the extras that were asked for; none if it is not installed."
    try: lines = requires(requirement.name) or []
    except PackageNotFoundError: return []
    extras = requirement.extras or {""}
    parsed = [Requirement(line) for line in lines]
    return [r for r in parsed if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)]


def replaced(file, roots=None):
    "Who refuses a version of a constraints file, so that pip would replace it: a line each."
    held, todo, seen, wrong = pins(file), [("loramix-nb", r) for r in roots or required()], set(), []
    assert "torch" in held, f"{file} does not name a torch"
    while todo:
        who, r = todo.pop()
        name = canonicalize_name(r.name)
        if name in held:
            if not r.specifier.contains(held[name], prereleases=True):
                wrong.append(f"{who} needs {r}, which replaces {name} {held[name]} of {Path(file).name}")
        elif (key := (name, tuple(sorted(r.extras)))) not in seen:
            seen.add(key)
            todo += [(name, x) for x in behind(r)]
    return wrong


def faults():
    "Requirements that replace an older torch or a newer one."
    return [line for file in (OLD, NEW) for line in replaced(file)]


if __name__ == "__main__":
    assert replaced(OLD, [Requirement("torch>=2.7")]) and not replaced(OLD, [Requirement("torch>=2.6")])
    sys.exit("\n".join(faults()) or 0)
