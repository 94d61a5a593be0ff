"The README's pictures, from a demo that has run: `python .ci/pictures.py [runs/demo]` writes nbs/images."
import sys
from pathlib import Path

import numpy as np

from loramix_nb.analysis import alpha_curves, plot_curves
from loramix_nb.painter import contact_sheet
from loramix_nb.mixer import between
from loramix_nb.sampling import Sweep

TOP = Path(__file__).resolve().parent.parent
ERAS = ["early_renaissance", "expressionism", "pop_art"]
SUBJECTS = ["woman", "house", "boat", "cat"]


def hero(sweep):
    "One subject a row, from the first era through the second to the third; the same noise all along a row."
    path = between(*ERAS[:2]) + between(*ERAS[1:])[1:]
    seed = sweep.rows[0]["seed"]
    prompts = [next(p for p in dict.fromkeys(r["prompt"] for r in sweep.rows) if s in p) for s in SUBJECTS]
    cells = [sweep.where(prompt=p, seed=seed, weights=w).pictures() for p in prompts for w in path]
    pictures = np.concatenate(cells)
    return contact_sheet(pictures, cols=len(path), scale=max(1, 128//pictures.shape[1]))


if __name__ == "__main__":
    sweep = Sweep.load(Path(sys.argv[1] if len(sys.argv) > 1 else TOP/"runs"/"demo")/"sweep")
    images = TOP/"nbs"/"images"
    images.mkdir(exist_ok=True)
    hero(sweep).save(images/"hero.png", optimize=True)
    plot_curves(alpha_curves(sweep.rows, ERAS)).savefig(images/"curves.png", dpi=110)
