"""The project's address stands in settings.ini; badges, install lines, citation and metadata repeat it.

`python .ci/address.py https://github.com/OWNER/NAME` writes it everywhere, so that a fork's pages open the fork."""
import re
import sys
from configparser import ConfigParser
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
# Everything that names the repository: what stands before the address, and what ends it.
PLACES = (
    (re.compile(r"(?<=colab\.research\.google\.com/github/)[\w.-]+/[\w.-]+(?=/blob/)"), "{path}"),
    (re.compile(r"(?<=git\+)https://github\.com/[\w.-]+/[\w.-]*\w"), "{url}"),
    (re.compile(r"(?<=repository-code: )\S+"), "{url}"),
    (re.compile(r'(?<=Repository = ")[^"]+'), "{url}"),
    (re.compile(r'(?<=Documentation = ")[^"]+'), "https://{owner}.github.io/{name}"),
    (re.compile(r"(?<=^Docs: )https://[\w.-]+\.github\.io/[\w.-]+(?=/)", re.M), "https://{owner}.github.io/{name}"),
    (re.compile(r"(?<='doc_host': ')[^']+"), "https://{owner}.github.io"),
    (re.compile(r"(?<='doc_baseurl': ')[^']+"), "/{name}"),
    (re.compile(r"(?<='git_url': ')[^']+"), "{url}"), # what nbdev-export makes of it
    (re.compile(r"(?<=^repository = )\S+", re.M), "{url}"))


def address(folder=TOP):
    "The address in settings.ini."
    cfg = ConfigParser(delimiters=["="])
    cfg.read(Path(folder)/"settings.ini", encoding="utf-8")
    return cfg["DEFAULT"]["repository"]


def files(folder=TOP):
    "The files that can name the address."
    pages = (f for f in (Path(folder)/"nbs").rglob("*.ipynb")
             if not any(p.startswith((".", "_")) for p in f.relative_to(folder).parts))
    others = "README.md", "CITATION.cff", "pyproject.toml", "settings.ini", "loramix_nb/_modidx.py"
    modules = sorted((Path(folder)/"loramix_nb").glob("[!_]*.py")) # nbdev names the documentation in each
    return [*sorted(pages), *modules, *(Path(folder)/f for f in others)]


def with_address(text, url):
    "A text with another address in all its places."
    path = url.removeprefix("https://github.com/")
    owner, name = path.split("/")
    for pattern, form in PLACES: text = pattern.sub(form.format(url=url, path=path, owner=owner, name=name), text)
    return text


def faults(folder=TOP):
    "Files that name another address than settings.ini."
    url = address(folder)
    return [f"{f.relative_to(folder).as_posix()} names another repository than settings.ini ({url}): run make address"
            for f in files(folder) if (text := f.read_text(encoding="utf-8")) != with_address(text, url)]


def write(url, folder=TOP):
    "Put an address everywhere; the files that changed."
    url = url.rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(f"'{url}' is no address such as https://github.com/OWNER/NAME, which Colab's badges need")
    changed = []
    for f in files(folder):
        text = f.read_text(encoding="utf-8")
        if (new := with_address(text, url)) != text: changed.append(f); f.write_text(new, encoding="utf-8")
    return changed


if __name__ == "__main__":
    try: done = write(sys.argv[1] if sys.argv[1:] else address())
    except ValueError as e: sys.exit(str(e))
    print(f"{len(done)} files name {address()} now")
