"A newcomer's first minute, run from the installed wheel in an empty folder: the package, its base, a picture."
from pathlib import Path

import numpy as np

import loramix_nb
from loramix_nb.core import load_base, noise

assert "site-packages" in loramix_nb.__file__, f"not the wheel's package but {loramix_nb.__file__}"
pipe = load_base("tiny", device="cpu")
side = pipe.unet.config.sample_size
latents = noise([0], (pipe.unet.config.in_channels, side, side))
picture = pipe("a red boat on the sea at night", latents=latents, num_inference_steps=8).images[0]
picture.save("boat.png")
assert np.asarray(picture).std() > 10, "the picture is empty"
print(f"{Path('boat.png').stat().st_size} bytes of a boat, {picture.size[0]} px")
