"""The widgets in a real browser: all of them in Voila, one in JupyterLab and Notebook 7. `python .ci/browser.py [RUNS]`

Each control is moved by mouse and by keyboard, and each picture compared, pixel by pixel, with what the plain function
paints in this process. Pictures of the pages are in runs/browser. Needs chromium: `apt-get install -y chromium`, or
CHROMIUM=/path/to/it."""
import io
import json
import os
import secrets
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} # what the kernels have, so that the pictures are equal
os.environ["TQDM_DISABLE"] = "1" # no bars among the results

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import sync_playwright
from visits import app, elsewhere, free_port, lost, missing, started, visits

from loramix_nb.web import _studio_page
from loramix_nb.core import asset, load_base
from loramix_nb.formats import load_lora
from loramix_nb.merging import merge, Recipe
from loramix_nb.mixer import current_mixer, mix_into
from loramix_nb.sampling import generate
from loramix_nb.transfer import restyle
from loramix_nb.studio import _pixel_id, _Renderer
from loramix_nb.widgets import _board_mix, _split_blocks, _triangle_point, _triangle_weights

TOP = Path(__file__).resolve().parent.parent
NAMES = "chromium", "chromium-browser", "google-chrome"
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync").split()
PROMPT, SEED, STYLES = "A painting of a red boat on the sea", 3, ("early_renaissance", "pop_art", "expressionism")
SLOW = 300_000 # ms: how long a busy machine may take for what is done in seconds on a quiet one
TIMES = {} # what was measured -> milliseconds
SEEN = TOP/"runs"/"browser" # the last run's pictures of pages


class Reference:
    "The plain functions, on a pipeline of this process."
    def __init__(self):
        torch.set_num_threads(1)
        self.pipe, self.files = load_base("tiny"), {s: asset(f"eras/{s}.safetensors") for s in STYLES}
        self.loras = {s: load_lora(f) for s, f in self.files.items()}
        self.board, self.made = _Renderer(self.pipe, {"/".join(k): v for k, v in _split_blocks(self.loras).items()}), {}

    def mix(self, weights, prompt=PROMPT, seed=SEED, steps=20):
        if (key := (tuple(weights.items()), prompt, seed, steps)) not in self.made:
            mixer = current_mixer(self.pipe)
            if not mixer or mixer.names != list(self.loras): mix_into(self.pipe, self.loras)
            self.made[key] = generate(self.pipe, prompt, seed, steps=steps, weights=weights)[0]
        return self.made[key]

    def plain(self, prompt, seed=5, steps=12):
        if current_mixer(self.pipe): current_mixer(self.pipe).set([0.]*len(current_mixer(self.pipe).names))
        return generate(self.pipe, prompt, seed, steps=steps)[0]

    def run(self, lines, **more):
        "What the three lines paint."
        names = dict(load_base=load_base, load_lora=load_lora, asset=asset, mix_into=mix_into, generate=generate,
                     merge=merge, Recipe=Recipe, restyle=restyle, **more)
        exec(lines, names)
        return np.asarray(names["picture"])


# ---- the servers

@contextmanager
def jupyter(tmp, *command):
    "A Jupyter server on 127.0.0.1, with a token and a configuration of its own: (address, token)."
    port, token = free_port(), secrets.token_urlsafe(16)
    command = "-m", *command, "--no-browser", f"--port={port}", f"--IdentityProvider.token={token}"
    with started(tmp, port, *command): yield f"http://127.0.0.1:{port}", token


# ---- what the browser shows

class Screen:
    "One widget on a page."
    def __init__(self, page, kind):
        self.page, self.box, self.kind = page, page.locator(f"section.lm-{kind}"), kind
        self.img = self.box.locator("figure img.lm-picture")
        self.box.evaluate("box => box.scrollIntoView()")
        self.note, self.code = self.box.locator(".lm-note"), self.box.locator(".lm-code")

    def until(self, test, *args):
        "Wait for a condition on the widget's element, in JavaScript."
        self.page.wait_for_function(f"([box, args]) => ({test})(box, ...args)", timeout=SLOW,
                                    arg=[self.box.element_handle(), args])

    def shows(self, expected, what, slack=0):
        "Wait for this full picture; then compare the pixels that the browser decoded with it."
        expected = np.asarray(expected)
        if not slack: # the mark is the hash of the pixels, so that waiting for it is waiting for the picture
            self.until("""(box, m) => { const d = box.querySelector('figure img.lm-picture').dataset
                return d.mark === m && d.stage === 'full' }""", _pixel_id(expected))
        else: self.until("(box) => box.querySelector('figure img.lm-picture').dataset.stage === 'full'")
        seen = pixels(self.img)
        off = np.abs(seen.astype(int) - expected).max() if seen.shape == expected.shape else 255
        assert off <= slack, f"{self.kind}, {what}: the picture differs from the function's by {off} of 255"

    def timed(self, act):
        "Milliseconds from a key press to the first new picture, and to the full one, with its mark."
        self.page.evaluate("""box => {
            const img = box.querySelector('figure img.lm-picture'), log = window.lmlog = {start: 0, seen: []}
            addEventListener('keydown', () => { log.start ||= performance.now() }, {capture: true, once: true})
            new MutationObserver(() => log.seen.push({ms: performance.now() - log.start, ...img.dataset}))
                .observe(img, {attributeFilter: ['data-shown']}) }""", self.box.element_handle())
        old = self.img.get_attribute("data-mark")
        act()
        self.page.wait_for_function("old => lmlog.seen.some(s => s.stage === 'full' && s.mark !== old)", arg=old,
                                    timeout=SLOW)
        seen = [s for s in self.page.evaluate("lmlog.seen") if s["mark"] != old]
        return seen[0]["ms"], next(s["ms"] for s in seen if s["stage"] == "full"), seen[0]["stage"]


def pixels(img):
    "What the browser made of a picture, uint8 [H, W, 3]."
    data = img.evaluate("""img => { const c = document.createElement('canvas')
        c.width = img.naturalWidth; c.height = img.naturalHeight
        const x = c.getContext('2d'); x.drawImage(img, 0, 0); return c.toDataURL('image/png').split(',')[1] }""")
    return np.asarray(Image.open(io.BytesIO(b64decode(data))).convert("RGB"))


def places(box):
    "Where the parts of a widget are, seen from its corner: what must not jump."
    return box.evaluate("""box => { const at = e => e.getBoundingClientRect(), o = at(box)
        return ['.lm-buttons', '.lm-code', 'figure', '.lm-control'].map(s => at(box.querySelector(s)))
            .map(r => [r.x - o.x, r.y - o.y, r.width, r.height].map(Math.round)) }""")


# ---- the checks

def alpha(page, ref):
    "AlphaSlider: mouse, keyboard, prompt and seed; cached and fresh; a sweep; saved, loaded, copied."
    w, at = Screen(page, "alpha"), lambda t, **kw: ref.mix({"early_renaissance": round(1 - t, 6), "pop_art": t}, **kw)
    bar = w.box.locator(".lm-control input[type=range]")
    w.shows(at(.5), "at the start")
    before, box = places(w.box), bar.bounding_box()
    page.mouse.click(box["x"] + 8 + .8*(box["width"] - 16), box["y"] + box["height"]/2)
    w.shows(at(.8), "after a click")
    bar.focus()
    TIMES["fresh"] = [w.timed(lambda: bar.press("ArrowLeft")) for _ in range(2)] # .75, .7
    w.shows(at(.7), "after two keys")
    TIMES["cached"] = [w.timed(lambda k=k: bar.press(f"Arrow{k}")) for k in ("Right", "Right", "Left", "Left", "Right")]
    w.shows(at(.75), "on the way back")
    assert all(stage == "full" for _, _, stage in TIMES["cached"]), TIMES["cached"]
    bar.press("Home")
    w.shows(at(0.), "at the first style")
    assert bar.get_attribute("aria-valuetext") == "100% early renaissance, 0% pop art"
    page.mouse.move(box["x"] + 8, box["y"] + box["height"]/2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"]/2, steps=40)
    page.mouse.up()
    start = time.time()
    w.shows(at(1.), "after a sweep")
    TIMES["after a sweep"] = [(1000*(time.time() - start),)*2 + ("full",)]
    assert places(w.box) == before, "the slider's parts have moved"
    save_and_load(w, ref, lambda: bar.press("Home"), at(1.), at(0.))
    for typed in ("-1", "1.5", "9" * 12, ""):
        w.box.locator(".lm-seed").fill(typed)
        w.box.locator(".lm-seed").press("Tab")
        said = w.box.locator(".lm-main > .lm-scene .lm-wrong").text_content()
        assert said.endswith("give a whole number from 0 to 4294967295; 3 still holds") and typed in said, said
        assert w.box.locator(".lm-seed").get_attribute("aria-invalid") == "true"
    w.shows(at(1.), "with a seed that cannot be")
    w.box.locator(".lm-prompt").fill("A painting of a cat")
    w.box.locator(".lm-seed").fill("5")
    w.box.locator(".lm-seed").press("Tab")
    w.shows(at(1., prompt="A painting of a cat", seed=5), "with another prompt and seed")


def save_and_load(w, ref, leave, here, there):
    w.box.locator("button.lm-save").click()
    w.until("box => box.querySelector('.lm-note').textContent.startsWith('saved as')")
    name = w.note.text_content().removeprefix("saved as ")
    if w.box.locator("details.lm-lines:not([open])").count(): w.box.locator(".lm-lines summary").click()
    w.box.locator("button.lm-copy").click()
    w.until("box => box.querySelector('.lm-note').textContent === 'copied'")
    lines = w.page.evaluate("navigator.clipboard.readText()")
    assert lines == w.code.text_content() and len(lines.splitlines()) == 3, lines
    assert np.abs(ref.run(lines).astype(int) - here).max() <= 1, "the three lines paint something else"
    leave()
    if there is not None: w.shows(there, "somewhere else")
    w.box.locator("select.lm-saved").select_option(name)
    w.shows(here, "loaded again")


def triangle(page, ref):
    "StyleTriangle: drag and arrow keys, and the same arithmetic as in Python."
    w = Screen(page, "triangle")
    pad, at = w.box.locator(".lm-pad"), lambda: [float(v) for v in pad.get_attribute("data-at").split(",")]
    where = lambda: dict(zip(STYLES, at()))
    w.shows(ref.mix(where()), "at the start")
    before, box = places(w.box), pad.bounding_box()
    k = box["width"] / 304 # the drawing is 304 wide, the triangle in it 260 by 225, with a margin of 22
    spot = lambda x, y: (box["x"] + k*(22 + 260*x), box["y"] + k*(22 + 225*y))
    page.mouse.move(*spot(*_triangle_point(at())))
    page.mouse.down()
    for x, y in ((.4, .4), (-.2, .3), (.5, 1.3), (1.4, .6), (.62, .75)):
        page.mouse.move(*spot(x, y), steps=4)
        assert np.abs(np.subtract(at(), _triangle_weights(x, y))).max() < .011, (x, y, at())
    page.mouse.up()
    w.shows(ref.mix(where()), "after a drag")
    for keys in (["ArrowLeft", "ArrowUp"], ["Shift+ArrowRight"], ["2"], ["0"], ["1", "ArrowDown", "ArrowDown"]):
        old = at()
        for key in keys: pad.press(key)
        assert at() != old and abs(sum(at()) - 1) < 1e-9, (keys, at())
        w.shows(ref.mix(where()), f"after {keys}")
    assert places(w.box) == before, "the triangle's parts have moved"
    here = ref.mix(where())
    save_and_load(w, ref, lambda: pad.press("3"), here, ref.mix(dict(zip(STYLES, (0., 0., 1.)))))


def board(page, ref):
    "MixBoard: strengths, the UNet's fader, single blocks, by mouse and by keyboard."
    w = Screen(page, "board")
    styles, blocks = w.box.locator("input.lm-strength"), list(_split_blocks(ref.loras))
    def expected():
        v = [[float(x.input_value()) for x in w.box.locator(s).all()] for s in ("input.lm-strength", "input.lm-block")]
        mix = _board_mix(dict(zip(STYLES, v[0])), dict(zip(blocks, v[1])))
        return ref.board.paint({"/".join(k): x for k, x in mix.items()}, PROMPT, SEED)
    for i in range(3): w.box.locator("summary").nth(i).click()
    w.shows(expected(), "at the start")
    before = places(w.box)
    styles.nth(1).focus()
    for _ in range(3): styles.nth(1).press("ArrowRight")
    assert styles.nth(1).input_value() == "0.45", styles.nth(1).input_value()
    w.shows(expected(), "after three keys")
    box = styles.nth(2).bounding_box()
    page.mouse.click(box["x"] + .25*box["width"], box["y"] + box["height"]/2)
    w.shows(expected(), "after a click")
    w.box.locator("input.lm-unet").first.focus()
    w.box.locator("input.lm-unet").first.press("ArrowLeft")
    assert {x.input_value() for x in w.box.locator("input.lm-block").all()[:7]} == {"0.95"}
    w.shows(expected(), "with the UNet's fader moved")
    mid = w.box.locator("input.lm-block[data-block=MID]").nth(1)
    mid.focus()
    for _ in range(6): mid.press("ArrowLeft")
    here = expected()
    w.shows(here, "with a block moved")
    typed, wrong = w.box.locator(".lm-cell .lm-number").first, w.box.locator(".lm-cell .lm-wrong").first
    typed.fill("7")
    typed.press("Enter")
    assert wrong.text_content() == f"7: give a number from -1 to 2; {typed.get_attribute('data-now')} still holds"
    w.shows(expected(), "with a weight that cannot be")
    typed.fill("0.37")
    typed.press("Enter")
    assert (wrong.text_content(), styles.first.input_value()) == ("", "0.37")
    here = expected()
    w.shows(here, "with a weight that was typed")
    assert w.box.locator("em").count() == 3, "these LoRAs leave the text encoder alone"
    assert places(w.box) == before, "the board's parts have moved"
    save_and_load(w, ref, lambda: styles.nth(0).press("End"), here, None)


def sweep(page, ref):
    "SweepBrowser: filters, mouse and arrow keys, the Python of a picture."
    w = Screen(page, "sweep")
    w.until("box => box.querySelectorAll('.lm-thumbs button').length === 6")
    w.box.locator("select[data-column=seed]").select_option("4")
    w.until("box => box.querySelectorAll('.lm-thumbs button').length === 3")
    buttons = w.box.locator(".lm-thumbs button")
    acts = {"a click": buttons.nth(1).click, "→": lambda: page.keyboard.press("ArrowRight"),
            "Home": lambda: page.keyboard.press("Home")}
    for what, act in acts.items():
        old = w.img.get_attribute("data-mark")
        act()
        w.until("(box, old) => box.querySelector('figure img').dataset.mark !== old", old)
        chosen = w.box.locator(".lm-thumbs button[aria-selected=true]")
        assert chosen.count() == 1 and "seed" not in chosen.get_attribute("title")
        w.until("""box => box.querySelector('figure img').dataset.mark ===
            box.querySelector('[aria-selected=true] img').dataset.mark""")
        w.shows(ref.run(w.code.text_content()), what, slack=1) # painted in a batch there, alone here
    w.box.locator("select[data-column=seed]").select_option("")
    w.until("box => box.querySelector('.lm-note').textContent === '6 of 6 pictures'")


def survey(page, ref, runs):
    "Survey: every key and button; what is on the disk is what was answered."
    w, votes = Screen(page, "survey"), runs/"gallery"/"votes.sqlite"
    def answers():
        with sqlite3.connect(f"file:{votes}?mode=ro", uri=True) as db:
            return [a for a, in db.execute("select answer from votes order by id")]
    def act(do, done):
        do()
        w.until("(box, n) => box.dataset.done === n", str(done))
        return answers()
    w.box.focus()
    assert act(lambda: page.keyboard.press("ArrowLeft"), 1) == ["left"]
    assert act(w.box.locator(".lm-right").click, 2) == ["left", "right"]
    assert act(lambda: page.keyboard.press("z"), 1) == ["left"]
    assert act(w.box.locator(".lm-tie").click, 2) == ["left", "tie"]
    assert act(lambda: page.keyboard.press("s"), 3) == ["left", "tie", "skip"]
    rows = w.box.locator(".lm-result tbody tr")
    assert rows.count() == 3 and "95% intervals" in w.box.locator(".lm-result caption").text_content()
    w.until("box => [...box.querySelectorAll('.lm-result img')].every(i => i.naturalWidth > 0)")
    told = [float(t.replace("−", "-").split()[0]) for t in w.box.locator(".lm-result small").all_text_contents()]
    assert told == sorted(told, reverse=True) and rows.first.locator("svg circle").count() == 1, told
    page.keyboard.press("ArrowLeft") # there is nothing left to answer
    assert act(w.box.locator(".lm-undo").click, 2) == ["left", "tie"]
    assert act(lambda: page.keyboard.press("ArrowDown"), 3) == ["left", "tie", "tie"]
    act(w.box.locator(".lm-undo").click, 2)
    assert all(s not in w.box.inner_html() for s in ("0.5", "pop_art", ".png")), "the survey tells what is shown"


def doctor(page, ref):
    "DoctorWidget: the report of a file; a web page is told from a LoRA; two files are compared."
    w = Screen(page, "doctor")
    has = lambda text: page.frame_locator("section.lm-doctor iframe").get_by_text(text).first.wait_for(timeout=SLOW)
    has("a LoRA for the given base")
    take = w.box.locator("input[type=file]")
    take.set_input_files({"name": "page.safetensors", "mimeType": "", "buffer": b"<html>"})
    has("a web page, saved in place of the file")
    take.set_input_files([str(ref.files[s]) for s in ("early_renaissance", "expressionism")])
    has("They can be mixed.")


def pool(page, ref):
    "PoolBrowser: select, mix, rename, undo, take in a file, refuse what is wrong."
    w = Screen(page, "pool")
    card = lambda name: w.box.locator(f".lm-cards button[data-name='{name}']")
    def has(*names):
        w.until("""(box, ...names) => [...box.querySelectorAll('.lm-cards button')].map(b => b.dataset.name).join()
            === names.join()""", *names)
    def paints(name, picture):
        w.until("(box, n) => box.querySelector(`[data-name='${n}'] img`).dataset.mark", name)
        off = np.abs(pixels(card(name).locator("img")).astype(int) - picture).max()
        assert off <= 1, f"'{name}' shows another picture, {off} of 255 off"
    two = STYLES[:2]
    has(*two)
    for s in two: paints(s, ref.mix({s: 1.}))
    card(two[0]).click()
    card(two[0]).press("ArrowRight")
    page.keyboard.press("Space")
    w.until("box => !box.querySelector('.lm-mix').disabled")
    w.box.locator(".lm-share").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    w.box.locator(".lm-mix").click()
    w.until("box => box.querySelectorAll('.lm-cards button').length === 3")
    child = w.box.locator(".lm-cards button").nth(2).get_attribute("data-name")
    paints(child, ref.mix(dict(zip(two, (.3, .7)))))
    shares = w.box.locator(".lm-mixer output")
    before = shares.text_content()
    for s in two: card(s).click() # nothing is selected any more
    card(child).click()
    w.box.locator(".lm-load").click()
    w.until("(box, t) => box.querySelector('.lm-mixer output').textContent === t", before)
    w.box.locator(".lm-undo").click()
    has(*two)
    w.box.locator("input[type=file]").set_input_files(str(ref.files["expressionism"]))
    has(*STYLES)
    paints("expressionism", ref.mix({"expressionism": 1.}))
    card(two[1]).click() # of the two that were selected one is left
    w.box.locator(".lm-name").fill("expressionism")
    w.box.locator(".lm-rename").click()
    w.until("box => box.querySelector('.lm-note').textContent.includes(\"there is a 'expressionism'\")")
    has(*STYLES)
    w.box.locator(".lm-name").fill("gold")
    w.box.locator(".lm-rename").click()
    has("gold", *STYLES[1:])
    w.box.locator(".lm-undo").click()
    has(*STYLES)
    w.box.locator("summary").click()
    for s in two: card(s).click()
    w.box.locator(".lm-mix:enabled").click()
    w.until("box => box.querySelectorAll('.lm-cards img[data-mark]').length === 4")
    w.until("box => box.querySelector('.lm-tree').naturalWidth > 100")


def transfer(page, ref):
    "TransferBoard: photo, faders and keys."
    w = Screen(page, "transfer")
    things = {"boat": "a red boat on the sea", "cat": "a black cat in a room"}
    photos = {k: Image.fromarray(ref.plain(p)) for k, p in things.items()}
    w.until("box => box.querySelector('figure img.lm-picture').dataset.stage === 'full'")
    run = lambda: ref.run(w.code.text_content(), photos=photos)
    w.shows(run(), "at the start")
    w.box.locator(".lm-photo").select_option("cat")
    w.until("""box => box.querySelector('.lm-before').alt === 'the photo cat' &&
        box.querySelector('.lm-code').textContent.includes("photos['cat']")""")
    w.shows(run(), "with the other photo")
    strength = w.box.locator(".lm-setting-0")
    strength.focus()
    strength.press("ArrowRight")
    w.until("box => box.querySelector('.lm-code').textContent.includes('strength=0.65')")
    w.shows(run(), "after a key")
    box = w.box.locator(".lm-strength").nth(1).bounding_box()
    page.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"]/2)
    w.until("box => box.querySelector('.lm-code').textContent.includes(\"'pop_art': 1.0\")")
    w.shows(run(), "after a click")
    labels = w.box.locator(".lm-style").first.locator("span").all_text_contents()
    assert labels == ["denoising strength", "IP-Adapter scale", "ControlNet scale"], labels
    assert w.box.locator(".lm-setting-1").is_disabled() and w.box.locator(".lm-setting-2").is_disabled()


def nothing_outside(address, port, token, tmp):
    "Voila asks for the token, and gives out no file, whichever way its path is written."
    (TOP/"nbs"/"app"/".secret.png").write_bytes(b"nobody should see this")
    def get(path, with_token=True):
        c = HTTPConnection("127.0.0.1", port, timeout=60)
        # The path is sent as it is written here.
        c.request("GET", path, headers={"Authorization": f"token {token}"} if with_token else {})
        r = c.getresponse()
        return r.status, r.read()
    try:
        for path in ("/", "/voila/render/studio.ipynb"):
            assert get(path, False)[0] in (302, 401, 403), f"{path} needs no token"
        ups = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "..\\", "..%5c", "....//", "%c0%ae%c0%ae/")
        goals = "README.md", "etc/passwd", "nbs/images/hero.png"
        files = [f"{u*n}{f}" for u in ups for n in (1, 3, 6) for f in goals]
        files += ["studio.ipynb", ".secret.png", "%2esecret.png", "./.secret.png", "runs/studio", "/etc/passwd",
                  "%2fetc%2fpasswd"]
        pages = "/voila/render/", "/voila/tree/"
        secrets_of = b"root:x:", b"nobody should see", b"# loramix_nb", b"\x89PNG", b'"nbformat"'
        for root in (*pages, "/voila/files/", "/voila/static/", "/static/", "/voila/templates/lab/static/", "/files/",
                     "/api/contents/"):
            for f in files:
                if root in pages and f == "studio.ipynb": continue # the page itself
                status, body = get(root + f)
                assert not any(s in body for s in secrets_of), f"{root}{f} gives out {body[:80]}"
                assert status >= 400 or root in pages, f"{root}{f}: {status}"
    finally: (TOP/"nbs"/"app"/".secret.png").unlink()
    with socket.socket() as s:
        s.settimeout(1)
        mine = {a[4][0] for a in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
        for a in mine - {"127.0.0.1", "127.0.1.1"}: assert s.connect_ex((a, port)) != 0, f"it listens on {a}, too"


def lab(page, address, token, ref):
    "JupyterLab: the studio is run, and the slider answers."
    page.goto(f"{address}/lab/tree/studio.ipynb?token={token}&reset", timeout=SLOW)
    idle = page.locator("text=Python 3 (ipykernel) | Idle") # the attribute data-status says idle before it is
    idle.wait_for(timeout=SLOW)
    answers(page, ref, "JupyterLab")


def notebook7(page, address, token, ref):
    "Notebook 7: the same."
    page.goto(f"{address}/notebooks/studio.ipynb?token={token}", timeout=SLOW)
    page.wait_for_function("""() => { const w = window.jupyterapp?.shell.currentWidget
        return w?.context?.isReady && w.sessionContext.isReady
            && w.sessionContext.session.kernel.status === 'idle' }""",
        timeout=SLOW)
    answers(page, ref, "Notebook 7")


def answers(page, ref, where):
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator("section.lm-alpha").wait_for(timeout=SLOW)
    w = Screen(page, "alpha")
    w.shows(ref.mix({"early_renaissance": .5, "pop_art": .5}), "at the start")
    bar = w.box.locator(".lm-control input[type=range]")
    bar.focus()
    TIMES[f"fresh, in {where}"] = [w.timed(lambda: bar.press("ArrowRight"))]
    w.shows(ref.mix({"early_renaissance": .45, "pop_art": .55}), "after a key")
    TIMES[f"cached, in {where}"] = [w.timed(lambda k=k: bar.press(k)) for k in ("ArrowLeft", "ArrowRight", "ArrowLeft")]
    box = bar.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"]/2)
    w.shows(ref.mix({"early_renaissance": 0., "pop_art": 1.}), "after a click")


def one_page(tmp, page_of, ref):
    "The page of `loramix app`: tabs over one state, dice and lock, from wide screens to phones, light and dark."
    (tmp/"one").mkdir()
    page_file = tmp/"one"/"studio.ipynb"
    page_file.write_text(json.dumps(_studio_page({s: str(f) for s, f in ref.files.items()}, "tiny", PROMPT, SEED)))
    with app(tmp/"one", page_file) as (address, _, token, _):
        page = page_of()
        page.goto(f"{address}/?token={token}", timeout=SLOW)
        page.locator("section.lm-board").wait_for(timeout=SLOW)
        w = Screen(page, "board")
        w.ref = ref
        pad, styles = w.box.locator(".lm-pad"), w.box.locator("input.lm-strength")
        def expected(weights, seed=SEED, steps=None):
            full = {"/".join(k): weights[k[0]] for k in _split_blocks(ref.loras)}
            return ref.board.paint(full, PROMPT, seed, steps)
        assert pad.is_visible() and not styles.first.is_visible()
        pad.press("2")
        w.shows(expected({s: float(i == 1) for i, s in enumerate(STYLES)}), "at a corner of the triangle")
        w.box.get_by_role("tab", name="triangle").press("ArrowLeft")
        assert styles.nth(1).is_visible() and not pad.is_visible()
        assert [x.input_value() for x in styles.all()] == ["0", "1", "0"], "the faders do not follow the triangle"
        styles.first.focus()
        for _ in range(20): styles.first.press("ArrowRight")
        w.box.get_by_role("tab", name="triangle").click()
        assert pad.get_attribute("data-at") == "0.5,0.5,0", "the triangle does not follow the faders"
        w.shows(expected(dict(zip(STYLES, (1., 1., 0.)))), "after the faders")
        seed, prompt = w.box.locator(".lm-seed"), w.box.locator(".lm-prompt")
        w.box.locator(".lm-dice").click()
        rolled = seed.input_value()
        assert rolled != str(SEED)
        w.shows(expected(dict(zip(STYLES, (1., 1., 0.))), int(rolled)), "with a new seed")
        for locked in (True, False):
            prompt.fill(f"A painting of a cat, {locked}")
            prompt.press("Tab")
            assert (seed.input_value() == rolled) is locked, f"locked {locked}: {seed.input_value()}"
            if locked: w.box.locator(".lm-lock").click()
        remembers(w, tmp, prompt, seed, expected)
        favourites(w)
        grids(w)
        restyles(w, tmp)
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 800})
            figure, pane = w.img.bounding_box(), w.box.locator(".lm-control").bounding_box()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width}: it scrolls sideways"
            if width < 700: assert figure["y"] < pane["y"] and figure["height"] <= 400, (width, figure, pane)
            else: assert figure["width"] >= .4*width and figure["y"] + figure["height"] <= 800, (width, figure)
            page.screenshot(path=str(SEEN/f"studio_{width}.png"))
        phone(w, page_of, f"{address}/?token={token}")
        more_loras(w, ref)
        page.set_viewport_size({"width": 1440, "height": 800})
        brightness = lambda: np.asarray(Image.open(io.BytesIO(w.box.locator(".lm-main").screenshot()))).mean()
        assert brightness() > 200
        page.emulate_media(color_scheme="dark")
        assert brightness() < 120, "the page does not follow a dark system"
        page.context.close()


def remembers(w, tmp, prompt, seed, expected):
    "Settings, undo, history, compare, download and a dropped picture, on the page of the app."
    two, few = dict(zip(STYLES, (1., 1., 0.))), w.box.locator(".lm-steps")
    for field, text in ((prompt, PROMPT), (seed, str(SEED))): field.fill(text); field.press("Tab")
    w.shows(expected(two), "back at the first prompt")
    w.box.locator(".lm-settings summary").click()
    few.fill("0")
    few.press("Tab")
    assert "from 1 to 1000; 20 still holds" in w.box.locator(".lm-settings").text_content()
    few.fill("8")
    few.press("Tab")
    w.shows(expected(two, steps=8), "with fewer steps")
    with w.page.expect_download() as kept: w.box.locator(".lm-download").click()
    file = Path(kept.value.path())
    assert np.array_equal(np.asarray(Image.open(file)), expected(two, steps=8)), "another picture was downloaded"
    w.box.locator(".lm-compare").click()
    w.box.locator(".lm-line").press("ArrowRight")
    assert w.box.locator(".lm-kept").is_visible() and "51" in w.box.locator(".lm-line").get_attribute("aria-valuetext")
    w.box.locator(".lm-compare").click()
    w.box.locator(".lm-undo").click()
    w.shows(expected(two), "after an undo")
    w.box.locator(".lm-pad").focus()
    w.page.keyboard.press("Control+Shift+z")
    w.shows(expected(two, steps=8), "after a redo by keyboard")
    w.box.locator(".lm-revisit").nth(1).click()
    w.shows(expected(two), "from the history")
    drop(w, "kept.png", file.read_bytes())
    w.shows(expected(two, steps=8), "from a dropped picture")
    assert few.input_value() == "8"
    other_sizes(w, tmp, expected, dict(zip(STYLES, (1., 1., 0.))))


def drop(w, name, content):
    "Drop a file onto a widget."
    w.page.evaluate("""([box, name, data]) => {
        const t = new DataTransfer(), bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0))
        t.items.add(new File([bytes], name))
        box.dispatchEvent(new DragEvent('drop', {dataTransfer: t, bubbles: true, cancelable: true})) }""",
        [w.box.element_handle(), name, b64encode(content).decode()])


def says(w, text): w.until("(box, t) => box.querySelector('.lm-note').textContent.includes(t)", text)


def runs_code(w, what, *parts):
    "Wait until the shown code has these parts; what it paints is what is seen."
    for part in parts: w.until("(box, p) => box.querySelector('.lm-code').textContent.includes(p)", part)
    picture = w.ref.run(w.code.text_content())
    w.shows(picture, what, slack=1)
    return picture


def favourites(w):
    "A star keeps a picture in front."
    marks = lambda: [e.get_attribute("data-mark") for e in w.box.locator(".lm-past").all()]
    last = marks()[-1]
    w.box.locator(".lm-star").last.focus()
    w.page.keyboard.press("Enter")
    w.until("(box, m) => box.querySelector('.lm-past').dataset.mark === m", last)
    assert w.box.locator(".lm-star").first.get_attribute("aria-pressed") == "true"
    w.box.locator(".lm-pad").press("1")
    w.until("box => box.querySelectorAll('.lm-star[aria-pressed=true]').length === 1")
    w.until("(box, n) => box.querySelectorAll('.lm-past').length > n", len(marks()) - 1)
    assert marks()[0] == last, "a favourite is not in front"


def grids(w):
    "A grid of the present state: stopped, resumed, opened; two equal ends are refused beside the fields."
    w.box.locator(".lm-grid-box summary").click()
    w.box.locator(".lm-grid-end-1").select_option("0")
    assert w.box.locator(".lm-grid-box .lm-wrong").text_content() == "choose two different styles"
    assert w.box.locator(".lm-grid-start").is_disabled()
    w.box.locator(".lm-grid-end-1").select_option("1")
    w.box.locator(".lm-grid-count").select_option("11")
    w.box.locator(".lm-grid-start").click()
    w.until("box => box.querySelectorAll('.lm-grid img').length > 1")
    w.box.locator(".lm-grid-stop").click()
    w.until("box => box.querySelector('.lm-grid-said').textContent.includes('stopped')")
    assert 1 < w.box.locator(".lm-grid img").count() < 11
    w.box.locator(".lm-grid-resume").click()
    w.until("box => box.querySelector('.lm-grid-said').textContent === '11 of 11 pictures'")
    w.until("box => [...box.querySelectorAll('.lm-grid img')].every(i => i.dataset.mark)")
    cell = w.box.locator(".lm-cell-of-grid").nth(3)
    mark = cell.locator("img").get_attribute("data-mark")
    cell.press("Enter")
    w.until("(box, m) => box.querySelector('figure img.lm-picture').dataset.mark === m", mark)
    runs_code(w, "from the grid", "'early_renaissance': 0.7, 'pop_art': 0.3")
    w.box.locator(".lm-grid-box summary").click()


def restyles(w, tmp):
    "A dropped photo is restyled, with a strength; there is a way back; the command line paints the same."
    photo, file = Image.fromarray(w.ref.plain("a red boat on the sea")).resize((80, 64)), io.BytesIO()
    old = w.img.get_attribute("data-mark")
    photo.save(file, "png")
    drop(w, "boat.png", file.getvalue())
    says(w, "restyling boat.png")
    strength = w.box.locator(".lm-photo-strength")
    strength.focus()
    for _ in range(2): strength.press("ArrowRight")
    where = w.page.evaluate("document.querySelector('.lm-code').textContent").split("restyle(pipe, '")[1].split("'")[0]
    assert where.endswith("photos/boat/boat.png") and w.box.locator("select.lm-size").is_disabled()
    picture = runs_code(w, "over a photo", "strength=0.7")
    assert picture.shape == (64, 80, 3)
    shown = painted(w.box.locator(".lm-command").text_content(), tmp, "restyled")
    assert np.abs(shown.astype(int) - picture).max() <= 2, "the command line restyles otherwise"
    w.box.locator(".lm-plain").click()
    w.until("(box, m) => box.querySelector('figure img.lm-picture').dataset.mark === m", old)
    assert not strength.is_visible()


def fingers(page):
    "What moves a finger along some points."
    send = page.context.new_cdp_session(page).send
    def move(*points):
        for i, (x, y) in enumerate(points):
            kind = "touchMove" if i else "touchStart"
            send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    return move


def phone(other, page_of, address):
    "A second visitor, on a phone: triangle and fader by touch. Neither sees what the other does."
    page = page_of(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto(address, timeout=SLOW)
    page.locator("section.lm-board").wait_for(timeout=SLOW)
    w, before = Screen(page, "board"), (other.code.text_content(), other.img.get_attribute("data-mark"))
    w.ref, move, pad = other.ref, fingers(page), w.box.locator(".lm-pad")
    pad.evaluate("e => e.scrollIntoView({block: 'end'})")
    box, top = pad.bounding_box(), page.evaluate("scrollY")
    spot = lambda x, y: (box["x"] + box["width"]/304*(22 + 260*x), box["y"] + box["width"]/304*(22 + 225*y))
    move(spot(.5, .6), spot(.6, .7), spot(.7, .8))
    at = [float(v) for v in pad.get_attribute("data-at").split(",")]
    assert np.abs(np.subtract(at, _triangle_weights(.7, .8))).max() < .02, at
    assert page.evaluate("scrollY") == top, "the page scrolls under the finger"
    runs_code(w, "after a finger on the triangle", f"'pop_art': {at[1 if STYLES[1] == 'pop_art' else 2]}")
    w.box.get_by_role("tab", name="faders").tap()
    fader = w.box.locator("input.lm-strength").first
    fader.evaluate("e => e.scrollIntoView({block: 'end'})")
    box = fader.bounding_box()
    x, y = (lambda v: box["x"] + 8 + (v + 1)/3*(box["width"] - 16)), box["y"] + box["height"]/2
    move(*((x(v), y) for v in (float(fader.input_value()), .8, 1.2)))
    assert abs(float(fader.input_value()) - 1.2) < .1, fader.input_value()
    runs_code(w, "after a finger on a fader", f"'early_renaissance': {fader.input_value()}")
    assert (other.code.text_content(), other.img.get_attribute("data-mark")) == before, "two visitors share a state"
    other.box.locator(".lm-undo").click()
    other.until("(box, c) => box.querySelector('.lm-code').textContent !== c", before[0])
    assert f"'early_renaissance': {fader.input_value()}" in w.code.text_content()
    other.box.locator(".lm-redo").click()
    other.until("(box, c) => box.querySelector('.lm-code').textContent === c", before[0])
    page.context.close()


def slide(page_of, address, ref):
    "AlphaSlider, by touch on a phone."
    page = page_of(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto(address, timeout=SLOW)
    page.locator("section.lm-alpha").wait_for(timeout=SLOW)
    w = Screen(page, "alpha")
    bar = w.box.locator(".lm-control input[type=range]")
    bar.evaluate("e => e.scrollIntoView({block: 'center'})")
    box = bar.bounding_box()
    fingers(page)(*((box["x"] + 8 + t*(box["width"] - 16), box["y"] + box["height"]/2) for t in (.5, .65, .8)))
    w.shows(ref.mix({"early_renaissance": .2, "pop_art": .8}), "after a finger")
    page.screenshot(path=str(SEEN/"slider_390.png"))
    page.context.close()


def more_loras(w, ref):
    "A LoRA that is dropped joins the mix; what does not fit is refused with the reason, and nothing changes."
    code = w.code.text_content()
    drop(w, "page.safetensors", b"<html>")
    says(w, "a web page, saved in place of the file")
    drop(w, "flow.safetensors", asset("flow_eras/pop_art.safetensors").read_bytes())
    says(w, "does not fit this base")
    assert w.code.text_content() == code
    w.box.locator(".lm-file").set_input_files({"name": "mine.safetensors", "mimeType": "",
                                               "buffer": ref.files["expressionism"].read_bytes()})
    says(w, "It is in the mix")
    w.until("box => box.querySelectorAll('input.lm-strength').length === 4")
    w.box.get_by_role("tab", name="faders").click() if w.box.get_by_role("tab").count() else None
    w.box.locator("input.lm-strength").nth(3).focus()
    w.page.keyboard.press("ArrowRight")
    runs_code(w, "with a LoRA that was added", "'mine': 0.55", "loras/mine.safetensors")
    w.box.locator(".lm-main").evaluate("e => e.querySelector('.lm-undo').click()")
    w.until("box => box.querySelectorAll('input.lm-strength')[3].value === '0.5'")


def other_sizes(w, tmp, expected, two):
    "Size and scheduler; Python and command line paint what is seen; what the base cannot paint is not on offer."
    size, scheduler = w.box.locator("select.lm-size"), w.box.locator("select.lm-scheduler")
    assert size.locator("option").all_text_contents()[:3] == ["64 × 64", "80 × 64", "96 × 64"]
    size.select_option("96,64")
    scheduler.select_option("DPM++ 2M Karras")
    ref = runs_code(w, "at another size, by another scheduler", "width=96", "use_karras_sigmas=True")
    assert ref.shape == (64, 96, 3)
    w.box.locator(".lm-shell summary").click()
    assert w.box.locator(".lm-command").is_visible()
    assert np.abs(painted(w.box.locator(".lm-command").text_content(), tmp).astype(int) - ref).max() <= 2
    for _ in range(2): w.box.locator(".lm-undo").click()
    w.shows(expected(two, steps=8), "at the base's size again")
    assert (size.input_value(), scheduler.input_value()) == ("64,64", "")


def painted(command, tmp, out="picture"):
    "What the lines of a shell paint."
    (tmp/"shell").mkdir(exist_ok=True)
    lines = command.replace("loramix ", f"{sys.executable} -m loramix_nb.cli ")
    subprocess.run(lines, shell=True, check=True, cwd=tmp/"shell", stdout=subprocess.DEVNULL)
    return np.asarray(Image.open(next(f for f in (tmp/"shell"/out).rglob("*.png") if f.name != "grid.png")))


# ---- all of it

def pose(box, kind):
    "Set a widget as its picture shows it."
    if kind == "alpha": box.locator(".lm-revisit").last.click() # the boat again
    elif kind == "triangle": box.locator(".lm-pad").press("0")
    elif kind == "transfer":
        box.locator(".lm-photo").select_option("boat")
        box.locator(".lm-prompt").fill(PROMPT)
        box.locator(".lm-strength").first.press("Home")
    else: return
    box.page.wait_for_timeout(500)


def photograph(page, kind, images):
    "The screenshot that the docs show; the files are rewritten only when asked for."
    if not images: return
    box = page.locator(f"section.lm-{kind}")
    box.evaluate("""box => { const c = box.querySelector('.lm-code')
        if (c) c.textContent = c.textContent.replace(/'\\/.*?\\/runs/, "'runs") }""")
    pose(box, kind)
    page.wait_for_function("box => !box.querySelector('figure [data-stage]:not([data-stage=full])')",
                           arg=box.element_handle(), timeout=SLOW)
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    box.screenshot(path=str(images/f"widget_{kind}.png"))


def app_page(tmp, page_of, images):
    "The picture of the whole page, on the flow base, at twice the pixels."
    (tmp/"flow").mkdir()
    file, files = tmp/"flow"/"studio.ipynb", {s: str(asset(f"flow_eras/{s}.safetensors")) for s in STYLES}
    file.write_text(json.dumps(_studio_page(files, "tiny_flow", "A painting of a house by the sea", 11)))
    with app(tmp/"flow", file) as (address, _, token, _):
        page = page_of(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/?token={token}", timeout=SLOW)
        page.locator("section.lm-board").wait_for(timeout=SLOW)
        w = Screen(page, "board")
        pad, settings = w.box.locator(".lm-pad"), w.box.locator(".lm-settings summary")
        full = "box => box.querySelector('figure img.lm-picture').dataset.stage === 'full'"
        for i, key in enumerate(("1", "2", "3", "0", "ArrowRight", "ArrowDown")):
            pad.press(key)
            w.until("(box, n) => box.querySelectorAll('.lm-past').length > n", i)
            w.until(full)
        w.box.locator(".lm-star").nth(2).click()
        w.until("box => box.querySelector('.lm-star').getAttribute('aria-pressed') === 'true'")
        settings.click()
        page.mouse.move(0, 0)
        page.screenshot(path=str(images/"studio.png"))
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=str(images/"studio_phone.png"))
        page.context.close()


def browse(images=None, only=()):
    "All checks, or only those named, each on its page: a list of what passed."
    passed, ref = [], Reference()
    SEEN.mkdir(parents=True, exist_ok=True)
    def check(fn, *args):
        if only and fn.__name__ not in only: return
        start = time.time()
        fn(*args)
        passed.append(fn.__name__)
        print(f"  passed {fn.__name__}: {fn.__doc__} ({time.time() - start:.1f} s)", flush=True)
    with tempfile.TemporaryDirectory() as tmp, sync_playwright() as play:
        tmp, chrome = Path(tmp), play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        size, may = {"width": 1000, "height": 1400}, ["clipboard-read", "clipboard-write"]
        given = {"viewport": size, "permissions": may, "device_scale_factor": 2 if images else 1}
        page_of = lambda **more: chrome.new_context(**{**given, **more}).new_page()
        check(visits, tmp, page_of)
        check(missing, tmp, page_of)
        check(one_page, tmp, page_of, ref)
        if images: check(app_page, tmp, page_of, images)
        with app(tmp, TOP/"nbs"/"app") as (address, port, token, process):
            check(nothing_outside, address, port, token, tmp)
            pages = {"studio": (alpha, triangle, board, lost), "gallery": (sweep, survey, pool, transfer, doctor)}
            for name, checks in pages.items():
                if only and not any(fn.__name__ in only for fn in checks): continue
                page, wrong = page_of(), []
                page.on("pageerror", lambda e, wrong=wrong: wrong.append(str(e)))
                page.on("request", lambda r, wrong=wrong: wrong.extend(elsewhere(r.url, address)))
                page.goto(f"{address}/voila/render/{name}.ipynb?token={token}", timeout=SLOW)
                for fn in checks:
                    if only and fn.__name__ not in only: continue
                    if fn is lost:
                        check(lost, page, process)
                        continue
                    page.locator(f"section.lm-{fn.__name__}").wait_for(timeout=SLOW)
                    check(fn, page, ref, *([tmp/"runs"] if fn is survey else []))
                    photograph(page, fn.__name__, images)
                assert page.get_by_text("Error displaying widget").count() == 0, f"a widget of {name} is dead"
                assert not wrong, wrong
                page.context.close()
            check(slide, page_of, f"{address}/voila/render/studio.ipynb?token={token}", ref)
        (tmp/"lab").mkdir()
        shutil.copy(TOP/"nbs"/"app"/"studio.ipynb", tmp/"lab")
        for fn, command, name in ((lab, "jupyterlab", "LabApp"), (notebook7, "notebook", "JupyterNotebookApp")):
            if only and fn.__name__ not in only: continue
            with jupyter(tmp, command, f"--ServerApp.root_dir={tmp/'lab'}", "--ServerApp.ip=127.0.0.1", "--allow-root",
                         f"--{name}.expose_app_in_browser=True") as (address, token):
                check(fn, page_of(), address, token, ref)
        chrome.close()
    return passed


def main(runs=1, images=None):
    "Run all checks, several times if asked to; exits with an error at the first that fails."
    if not CHROMIUM or not Path(CHROMIUM).exists():
        sys.exit(f"There is no browser to test in ({CHROMIUM or ', '.join(NAMES)}): apt-get install -y chromium, or "
                 "set CHROMIUM=/path/to/one")
    for i in range(runs):
        start = time.time()
        passed = browse(images)
        print(f"run {i + 1} of {runs}: {len(passed)} checks passed in {time.time() - start:.0f} s")
        for what, times in TIMES.items():
            first, full, stage = (statistics.median(t[k] for t in times) if k < 2 else times[0][2] for k in range(3))
            print(f"  {what}: first new picture after {first:.0f} ms ({stage}), the full one after {full:.0f} ms, "
                  f"median of {len(times)}")
        if runs > 1: # one run is a test, and tests take no times
            assert statistics.median(t[0] for t in TIMES["cached"]) <= 300, f"a picture came late: {TIMES['cached']}"


if __name__ == "__main__": main(*map(int, sys.argv[1:2]), *map(Path, sys.argv[2:3]))
