"""Runs every benchmark at a small size and prints all outcomes in one table: `make bench`.

    python benchmarks/bench.py [--record]

Each benchmark runs in its own process. The table is an overview; docs/benchmarks.md has the full runs.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from outcome import HEADER, PAGE, REPOSITORY, commit, hardware

PHOTOS = Path(os.environ.get("DWMTL_TESTDATA", REPOSITORY.parent / "shared")) / "real" / "lfw"
FACE = REPOSITORY / "dwmtl/tracking/example.jpg"
RUNS = [
    ["alignment.py", "--photos", str(PHOTOS if PHOTOS.exists() else REPOSITORY / "data/raw"), "--limit", "64"],
    ["align_set.py", "--photos", str(PHOTOS if PHOTOS.exists() else REPOSITORY / "data/raw"), "--limit", "128"],
    ["training.py", "--batch-size", "8", "--steps", "4", "--rounds", "2"],
    ["step_time.py", "--rounds", "4", "--only", "dynamic"],
    ["evaluation.py"],
    ["beside_load.py", "--rounds", "5", "--turns", "1"],
    ["same_bytes.py", "--steps", "3", "--batch-size", "4"],
    ["many_identities.py", "--num-identities", "20000", "--steps", "2"],
    ["score_pairs.py"],
    ["tracking.py", "--steps", "12", "--rounds", "2"],
    ["manifest_scale.py", "--num-photos", "200000"],
    ["scaling.py", "--factors", "1,2"],
    ["first_call.py", "--photos", str(FACE), "--num-warm", "5"],
    ["no_op.py"],
]


def main(record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False) -> None:
    """Run all benchmarks. Those that fail are named, and the exit code is 1."""
    rows, failed, start = [], [], time.perf_counter()
    for script, *options in RUNS:
        print(f"... {script}", end="", file=sys.stderr, flush=True)
        began = time.perf_counter()
        command = [sys.executable, str(REPOSITORY / "benchmarks" / script), *options]
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
        print(f", {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        rows += outcomes(run.stdout)
        if run.returncode:
            failed.append(script)
            print(run.stderr[-2000:], file=sys.stderr)
    table = "\n".join([HEADER, *rows])
    print(f"{hardware()}, commit {commit()}, {time.perf_counter() - start:.0f} s in all\n\n{table}")
    if record:
        with PAGE.open("a") as page:
            page.write(f"\n`make bench` on {hardware()}, commit {commit()}\n\n{table}\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def outcomes(printed: str) -> list[str]:
    """The rows of the table of outcomes in the output of a benchmark."""
    _, _, after = printed.partition(HEADER + "\n")
    return [line for line in after.splitlines() if line.startswith("| ")]


if __name__ == "__main__":
    typer.run(main)
