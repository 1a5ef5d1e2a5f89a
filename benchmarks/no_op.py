"""Time to find that nothing has to run, and to start: `dvc status`, `import dwmtl`, `dwmtl --help`.

    python benchmarks/no_op.py

Each command runs three times in its own process; the median is printed. `dvc status` is of this checkout as it is; run
`make repro` before.
"""

import subprocess
import sys
import time
from statistics import median
from typing import Annotated

import typer
from outcome import REPOSITORY, Outcome, report


def main(record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False) -> None:
    """Measure, print, and keep."""
    python = [sys.executable, "-c"]
    bare, package = seconds([*python, ""]), seconds([*python, "import dwmtl"])
    shown = seconds([sys.executable, "-m", "dwmtl", "--help"])
    status = seconds([sys.executable, "-m", "dvc", "status", "--quiet", "dvc.yaml"], is_checked=False)
    started = seconds([sys.executable, "-m", "dvc", "--version"])
    report(
        [
            Outcome("`import dwmtl`, over a bare Python (0.1 s is wanted)", f"{package - bare:.3f} s", f"{bare:.3f} s"),
            Outcome("`dwmtl --help` (0.5 s is wanted)", f"{shown:.2f} s"),
            Outcome("`dvc status`, of which `dvc --version` takes", f"{status:.2f} s", f"{started:.2f} s"),
        ],
        record=record,
    )


def seconds(command: list[str], *, is_checked: bool = True) -> float:
    """Median seconds of three runs of a command."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, cwd=REPOSITORY, check=is_checked, capture_output=True)
        times.append(time.perf_counter() - start)
    return median(times)


if __name__ == "__main__":
    typer.run(main)
