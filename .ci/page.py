"""The page that paints, in a real browser: `python .ci/page.py [FOLDER FOR SCREENSHOTS]`

The pages of the site that have a place for it are served as a static folder, without a kernel. What the browser paints
is compared, pixel by pixel, with what `generate` paints here. Needs npm and chromium."""
import functools
import http.server
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}

import numpy as np
import torch
from playwright.sync_api import sync_playwright
from web import build, STYLES

from browser import CHROMIUM, FLAGS
from loramix_nb.core import load_base
from loramix_nb.formats import load_lora
from loramix_nb.merging import merge_factors
from loramix_nb.mixer import mix_into
from loramix_nb.sampling import generate

TOP = Path(__file__).resolve().parent.parent
PAGES = "index.ipynb", "tutorials/mix_two_styles.ipynb", "explanations/why_mix_deltas.ipynb"
HEAD = ('<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">')
LIMIT, SLOW = 35e6, 120_000 # bytes of a first visit; ms that a busy machine may take
TIMES, SENT = {}, [] # what was measured; bytes of each file that was served


def places():
    "Page -> the cell with its place, as the site has it."
    for name in PAGES:
        cells = json.loads((TOP/"nbs"/name).read_text(encoding="utf-8"))["cells"]
        found = ["".join(c["source"]) for c in cells if 'class="lm-here"' in "".join(c["source"])]
        assert len(found) == 1, f"nbs/{name} has {len(found)} places that paint, and 1 is expected"
        yield name.replace(".ipynb", ".html"), found[0]


def site(home):
    "A static site: the folder that paints, and its places on pages of their own."
    made = build(home/"web")
    for name, cell in places():
        (home/name).parent.mkdir(exist_ok=True)
        (home/name).write_text(HEAD + f"<title>{name}</title><body>{cell}</body></html>", encoding="utf-8")
    return made


def served(home):
    "Address of a server for a folder."
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
        def copyfile(self, source, out):
            SENT.append(os.fstat(source.fileno()).st_size)
            super().copyfile(source, out)
        def end_headers(self): # one of the pages is isolated, as a site can ask for: it may use threads
            if "isolated" in self.path + self.headers.get("Referer", "") or self.path.startswith("/web/"):
                self.send_header("Cross-Origin-Opener-Policy", "same-origin")
                self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            super().end_headers()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=home))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Reference:
    "What Python paints."
    def __init__(self):
        torch.set_num_threads(1)
        self.pipe, self.loras = load_base("tiny", "cpu"), {s: load_lora(f) for s, f in STYLES.items()}

    def __call__(self, request):
        w = dict(zip(STYLES, request["weights"]))
        if request["factors"]:
            used = {k: v for k, v in w.items() if v}
            merged = merge_factors([self.loras[k] for k in used], list(used.values()))
            mix_into(self.pipe, {"factors": merged}).set([1.])
        else: mix_into(self.pipe, self.loras).set(w)
        return generate(self.pipe, request["prompt"], request["seed"], steps=request["steps"])[0]


class Place:
    "The place of one page, and what it has painted."
    def __init__(self, context, url):
        self.page, self.faults = context.new_page(), []
        self.page.on("pageerror", lambda e: self.faults.append(str(e)))
        self.page.add_init_script("window.painted = []; addEventListener('painted', e => painted.push(e.detail))")
        self.page.goto(url)

    def open(self):
        "Press the button; seconds until the controls are there."
        begun = time.time()
        self.page.get_by_role("button", name="Paint here").click()
        self.page.wait_for_selector(".lm-canvas", timeout=SLOW)
        return time.time() - begun

    def wait(self, n):
        "The n-th picture that was finished."
        self.page.wait_for_function(f"painted.length >= {n}", timeout=SLOW)
        return self.page.evaluate("painted")[n - 1]

    def picture(self, kind="changes"):
        "What is on the canvas, uint8 [H, W, 3]."
        data = self.page.evaluate("""kind => { const c = document.querySelector(`canvas[data-kind=${kind}]`)
            return [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data] }""", kind)
        return np.array(data[2:], np.uint8).reshape(*data[:2], 4)[..., :3]

    def count(self): return self.page.evaluate("painted.length")


def close(a, b, what):
    off = np.abs(a.astype(float) - b).mean()
    assert off <= 1, f"{what}: {off:.2f} of 255 from what Python paints"
    return off


def triangle(context, url, python, shots):
    "The home page: first picture, corners by keyboard, cancelling, memory, and without a network."
    place = Place(context, f"{url}/index.html")
    place.page.wait_for_load_state("networkidle")
    TIMES["bytes before the button"] = sum(SENT)
    said = place.page.locator(".lm-about").inner_text()
    assert sum(SENT) < 1e5, f"{sum(SENT)} bytes are loaded before anybody asks for them"
    if shots: place.page.screenshot(path=Path(shots)/"button.png")
    TIMES["s until the controls"] = place.open()
    first = place.wait(1)
    TIMES["first picture, 8 steps, ms"] = first["ms"]
    off = [close(place.picture(), python(first), "the first picture")]
    TIMES["bytes of the first visit"] = loaded = sum(SENT)
    assert f"about {loaded/1e6:.0f} MB" in said, f"'{said}', and {loaded/1e6:.1f} MB are loaded"
    assert loaded <= LIMIT, f"{loaded/1e6:.1f} MB are loaded, and {LIMIT/1e6:.0f} is the limit"
    context.set_offline(True)
    pad = place.page.locator(".lm-pad")
    for n, key in enumerate("123", 2):
        pad.press(key)
        last = place.wait(n)
        off.append(close(place.picture(), python(last), f"corner {key}"))
    TIMES["a move, ms"] = last["ms"]
    assert last["weights"] == [0, 0, 1, 0], last
    pad.press("1")
    assert place.wait(5)["cached"], "a picture from before was painted again"
    before = place.count()
    for _ in range(12): pad.press("ArrowDown", delay=15)
    place.page.wait_for_function("!document.querySelector('[aria-busy]')", timeout=SLOW)
    painted = place.count() - before
    TIMES["pictures finished of 12 quick moves"] = painted
    assert painted < 12, "no picture was cancelled"
    last = place.page.evaluate("painted.at(-1)")
    off.append(close(place.picture(), python(last), "after quick moves"))
    assert place.page.locator(".lm-canvas").get_attribute("aria-label").startswith(last["prompt"])
    place.page.locator(".lm-prompt").fill("A painting of a yellow house in the hills")
    place.page.locator(".lm-prompt").press("Enter")
    place.wait(place.count() + 1)
    off.append(close(place.picture(), python(place.page.evaluate("painted.at(-1)")), "another prompt"))
    assert not place.faults, place.faults
    TIMES["largest mean difference of a picture, of 255"] = max(off)
    shoot(place.page, shots, "triangle")
    context.set_offline(False)


def slider(context, url, python, shots):
    "The tutorial's slider, by mouse and by keyboard."
    place = Place(context, f"{url}/tutorials/mix_two_styles.html?isolated")
    place.open()
    first = place.wait(1)
    close(place.picture(), python(first), "the slider's first picture")
    a = place.picture()
    place.page.locator(".lm-alpha-range").press("ArrowRight")
    moved = place.wait(2)
    TIMES["a move of the slider, with threads, ms"] = moved["ms"]
    assert place.page.evaluate("crossOriginIsolated") and "threads" in place.page.locator(".lm-note").inner_text()
    close(place.picture(), python(moved), "the slider's next picture")
    assert (a != place.picture()).any() and moved["weights"] != first["weights"], "the slider changes nothing"
    shoot(place.page, shots, "slider")


def sides(context, url, python, shots):
    "Changes and factors side by side."
    place = Place(context, f"{url}/explanations/why_mix_deltas.html")
    place.open()
    place.wait(2)
    for request in place.page.evaluate("painted"):
        close(place.picture(request["kind"]), python(request), request["kind"])
    assert (place.picture("changes") != place.picture("factors")).any(), "both sides paint the same"
    shoot(place.page, shots, "sides")


def without(browser, url):
    "Without JavaScript the sentence of the place stays; on a phone nothing is wider than the screen."
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{url}/index.html")
    assert page.locator(".lm-here").inner_text().strip(), "without JavaScript the place is empty"


def shoot(page, folder, name):
    "Pictures of a page on a desk and on a phone, which must not scroll sideways."
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} pixels wide on a screen of {width}"
        if folder: page.screenshot(path=Path(folder)/f"{name}_{width}.png")


def main(shots=""):
    if not CHROMIUM: sys.exit("no chromium: apt-get install -y chromium, or CHROMIUM=/path/to/it")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as p:
        try: made, python = site(Path(home)), Reference()
        except (OSError, ValueError) as e: sys.exit(str(e)) # no npm, no network, or another package than was tested
        url, browser = served(home), p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        for check in (triangle, slider, sides): check(context, url, python, shots)
        without(browser, url)
        browser.close()
    print(f"models: {sum(f['bytes'] for n, f in made['files'].items() if n.endswith('.onnx'))/1e6:.1f} MB")
    print("\n".join(f"{k}: {v:.4g}" if v < 1e4 else f"{k}: {v/1e6:.1f} MB" for k, v in TIMES.items()))


if __name__ == "__main__": main(*sys.argv[1:])
