"""The server of `loramix app`: what is left when a page or the server is closed, and what a page says that has lost its
kernel. `.ci/browser.py` runs these among its checks."""
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil

from loramix_nb.core import asset

SLOW = 300_000 # ms: how long a busy machine may take for what is done in seconds on a quiet one
IDLE = 15 # seconds that a kernel without a page may rest here; an app gives it 45
SERVE = ("import sys; from loramix_nb.web import _serve; page, port, idle = sys.argv[1:]; "
         "_serve(page, int(port), sys.stdin.read(), int(idle))")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def started(tmp, port, *command, said=""):
    "A Python process that is told something and serves this port, with a configuration of its own."
    env = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}
    env |= {"LORAMIX_RUNS": str(tmp/"runs"), "IPYTHONDIR": str(tmp/"ipython"),
            **{f"JUPYTER_{k.upper()}_DIR": str(tmp/k) for k in ("config", "runtime", "data")}}
    with open(tmp/"server.log", "w") as log:
        p = subprocess.Popen([sys.executable, *command], env=env, text=True, stdin=subprocess.PIPE,
                             stdout=log, stderr=log)
        try:
            p.stdin.write(said)
            p.stdin.close()
            for _ in range(600):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0: break
                if p.poll() is not None: break
                time.sleep(.1)
            else: raise AssertionError("the server did not come up")
            assert p.poll() is None, (tmp/"server.log").read_text()
            yield psutil.Process(p.pid)
        finally:
            p.terminate()
            p.wait(30)


@contextmanager
def app(tmp, page, idle=45):
    "A page, or a folder of them, as `loramix app` serves it; SIGTERM leaves none of its processes."
    port, token = free_port(), secrets.token_urlsafe(16)
    with started(tmp, port, "-c", SERVE, str(page), str(port), str(idle), said=token) as process:
        yield f"http://127.0.0.1:{port}", port, token, process
        listed = {w for p in psutil.process_iter(["cmdline"]) for w in p.info["cmdline"] or ()}
        assert not any(token in w for w in listed), "the token stands in the list of processes"
        family = kernels(process)
    assert not (left := [p for p in family if runs(p)]), f"SIGTERM leaves {left}"


def runs(process): return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def kernels(process):
    "What a server has started and what still runs."
    return [p for p in process.children(recursive=True) if runs(p)]


def elsewhere(url, address):
    "The URL, if it is not of this server."
    return [] if url.startswith((address, address.replace("http", "ws"), "data:", "blob:")) else [f"asks for {url}"]


def until(test, seconds, what):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, what
        time.sleep(.2)


def write_page(file, *more):
    "A page with one slider, whose kernel starts in a second, and with what more cells do."
    code = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    lines = "import ipywidgets; slider = ipywidgets.IntSlider(); slider", *more
    cells = [{**code, "id": f"cell-{i}", "source": line} for i, line in enumerate(lines)]
    kernel = {"display_name": "python3", "language": "python", "name": "python3"}
    file.write_text(json.dumps(dict(cells=cells, metadata={"kernelspec": kernel}, nbformat=4, nbformat_minor=5)))
    return file


def visits(tmp, page_of):
    "Ten visits leave no kernel; those whose browser said goodbye none at once. An open page keeps its own."
    with app(tmp, write_page(tmp/"light.ipynb"), IDLE) as (address, _, token, process):
        def visit():
            before, page = kernels(process), page_of()
            page.goto(f"{address}/?token={token}", timeout=SLOW)
            page.locator(".widget-slider").wait_for(timeout=SLOW)
            return page, [k for k in kernels(process) if k not in before]
        staying, mine = visit()
        for way in ("leaves", "vanishes") * 5:
            page, own = visit()
            assert len(own) == 1, f"a visit has {len(own)} kernels of its own"
            if way == "leaves":
                page.goto("about:blank") # the page says goodbye
                until(lambda own=own: own[0] not in kernels(process), 20, "a page that was left keeps its kernel")
            page.context.close() # without a goodbye
        until(lambda: kernels(process) == mine, IDLE + 30, "kernels without a page are left")
        assert staying.locator("#lm-lost").is_hidden(), staying.locator("#lm-lost").text_content()


def lost(page, process):
    "A page whose kernel has died says so, connects anew, and its controls stand where they stood."
    section = page.locator("section.lm-triangle")
    section.locator(".lm-seed").fill("11")
    section.locator(".lm-seed").press("Tab")
    section.locator(".lm-pad").press("2")
    board = page.locator("section.lm-board")
    board.locator(".lm-file").set_input_files({"name": "mine.safetensors", "mimeType": "",
                                               "buffer": asset("eras/pixel_art.safetensors").read_bytes()})
    page.wait_for_function("document.querySelectorAll('.lm-board input.lm-strength').length === 4", timeout=SLOW)
    board.locator("input.lm-strength").nth(3).focus()
    page.keyboard.press("ArrowRight")
    for kernel in kernels(process): kernel.kill()
    said = page.locator("#lm-lost")
    said.get_by_text("has lost its Python").wait_for(timeout=SLOW)
    said.get_by_text("controls stand where they stood").wait_for(timeout=SLOW)
    page.wait_for_function("document.querySelector('.lm-triangle .lm-seed')?.value === '11'", timeout=SLOW)
    page.wait_for_function("document.querySelector('.lm-triangle .lm-pad').dataset.at === '0,1,0'", timeout=SLOW)
    page.locator("section.lm-triangle img.lm-picture[data-stage=full]").wait_for(timeout=SLOW)
    page.wait_for_function("document.querySelectorAll('.lm-board input.lm-strength')[3]?.value === '0.55'",
                           timeout=SLOW)


def missing(tmp, page_of):
    "A page whose controls did not come to life, as on a busy machine, says so and is loaded again, but once only."
    with app(tmp, write_page(tmp/"closed.ipynb", "slider.close()")) as (address, _, token, _):
        page = page_of()
        page.goto(f"{address}/?token={token}", timeout=SLOW)
        page.locator("#lm-lost").get_by_text("Some controls are missing. The page").wait_for(timeout=SLOW)
        page.locator("#lm-lost").get_by_text("Some controls are missing again").wait_for(timeout=SLOW)
        assert page.get_by_role("button", name="Connect anew").is_visible()
        page.context.close()
