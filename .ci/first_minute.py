"A newcomer's first minute, run from the installed wheel in an empty folder: a picture, and the demo in small."
from pathlib import Path

import numpy as np

import loramix_nb
from loramix_nb.cli import main
from loramix_nb.core import load_base, noise, read_json

assert "site-packages" in loramix_nb.__file__, f"not the wheel's package but {loramix_nb.__file__}"
pipe = load_base("tiny", device="cpu")
side = pipe.unet.config.sample_size
latents = noise([0], (pipe.unet.config.in_channels, side, side))
picture = pipe("a red boat by the sea at night", latents=latents, num_inference_steps=8).images[0]
assert np.asarray(picture).std() > 10, "the picture is empty"

assert main(["demo", "--first-minute", "--out", "demo"]) == 0
figures, page = read_json("demo/report.json"), Path("demo/report.html").read_text(encoding="utf-8")
assert len(figures["alpha_curves"]) == 3 and all(len(c) == 7 for c in figures["alpha_curves"].values()), figures
assert "<img" in page and "http" not in page.split("<body")[0], "the report is not one page by itself"
print(f"{picture.size[0]} px of a boat, {figures['pictures']} pictures judged, a report of {len(page)//1000} kB")
