"""MergeBench's results hold: leaderboard.json is the table of the files beside it, a tenth of each submission gives the
same figures when it is run again, and so does a task of each track for the exact mix."""
import os
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"

from loramix_nb.mergebench import _check_board, _read_board, bench_method

TOP = Path(__file__).resolve().parent.parent
FOLDER, HOME = TOP/"nbs/benchmarks/mergebench", TOP/"runs/mergebench"


def main():
    for name, n in _check_board(FOLDER, HOME).items(): print(f"{name}: {n} tasks again, the same figures")
    told = {(r["base"], r["track"], r["task"], r["seed"], r["group"]): r for r in _read_board(FOLDER)
            if r["method"] == "concat"}
    for base, track in sorted({k[:2] for k in told}):
        row = bench_method("concat", track, HOME, part=.01, base=base)[0]
        was = told[base, track, row["task"], row["seed"], row["group"]]
        where = f"concat, {base}, {track}, {row['task']}"
        assert abs(row["gap"] - was["gap"]) < .02, f"{where}: gap {row['gap']}, not {was['gap']}"
        print(f"{where}: gap {row['gap']:.3f} again")


if __name__ == "__main__": main()
