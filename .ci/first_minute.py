"""A newcomer's first minute, run from the installed wheel in an empty folder, without a network: the first lines of
the README with smaller numbers, and the demo in small. `python first_minute.py README.md`"""
import re
import socket
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import loramix_nb
from loramix_nb.cli import main
from loramix_nb.core import read_json


def refuse(*_): raise OSError("there is no network here")


socket.socket.connect = socket.create_connection = refuse
assert "site-packages" in loramix_nb.__file__, f"not the wheel's package but {loramix_nb.__file__}"

code = re.search(r"```python\n(from loramix_nb.*?)```", Path(sys.argv[1]).read_text(encoding="utf-8"), re.S)[1]
for large, small in (("240)", "12)"), ("TrainConfig(style=s)", "TrainConfig(style=s, steps=4)")):
    assert large in code, f"the README's first lines have no {large} any more"
    code = code.replace(large, small)
exec(compile(code, "README.md", "exec"))
picture = np.asarray(Image.open("from_renaissance_to_pop_art.png"))
assert picture.std() > 10, "the picture is empty"

assert main(["demo", "--first-minute", "--out", "demo"]) == 0
figures, page = read_json("demo/report.json"), Path("demo/report.html").read_text(encoding="utf-8")
assert len(figures["alpha_curves"]) == 3 and all(len(c) == 7 for c in figures["alpha_curves"].values()), figures
assert "<img" in page and "http" not in page.split("<body")[0], "the report is not one page by itself"
print(f"the README's lines drew {picture.shape[1]} × {picture.shape[0]} px, "
      f"the demo judged {figures['pictures']} pictures and wrote a report of {len(page)//1000} kB")
