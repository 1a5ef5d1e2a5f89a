"""A training step, alignment and embedding, alone and beside a busy loop on each core.

    python benchmarks/beside_load.py --rounds 10

Each is measured in processes of its own: as dwmtl runs (threads sleep after a short wait, freed memory is kept,
`precision: auto`), with threads that sleep at once, and with OpenMP's and glibc's defaults in float32. In turn: all
three alone, all three beside the loops, and again.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from outcome import Outcome, report

from dwmtl.cores import num_cores
from dwmtl.device import autocast
from dwmtl.params import load_params

DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "300000", "MALLOC_PERTURB_": "0"}
"""How long GNU's OpenMP spins by default, and glibc's own settings, which dwmtl leaves alone where a MALLOC_ variable
is set."""

SIDES = {
    "ours": ({}, "auto"),
    "threads that sleep at once": ({"GOMP_SPINCOUNT": "0"}, "auto"),
    "OpenMP's default, in float32": (DEFAULTS, "32-true"),
}
"""Each side's environment and precision."""


def main(
    rounds: Annotated[int, typer.Option(help="measured calls of each kind in each process")] = 10,
    turns: Annotated[int, typer.Option(help="processes of each kind, in turn; the median of theirs is told")] = 3,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
    child: Annotated[str, typer.Option(hidden=True)] = "",
    precision: Annotated[str, typer.Option(hidden=True)] = "auto",
) -> None:
    """Measure, print, and keep."""
    if child:
        print(measured(CALLS[child](precision), rounds))
        return
    outcomes = []
    for name in CALLS:
        seconds = defaultdict(list)
        for is_loaded in (False, True) * turns:
            loops = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(num_cores() * is_loaded)
            ]
            try:
                for side in SIDES:
                    seconds[side, is_loaded].append(in_a_process(name, rounds, *SIDES[side]))
            finally:
                for loop in loops:
                    loop.kill()
                    loop.wait()
        for is_loaded, where in ((False, "alone"), (True, "beside a busy loop on each core")):
            ours, *others = (median(seconds[side, is_loaded]) for side in SIDES)
            for side, other in zip(list(SIDES)[1:], others, strict=True):
                what = f"{name}, {where}, against {side}"
                outcomes.append(Outcome(what, f"{1000 * ours:.0f} ms", f"{1000 * other:.0f} ms", other / ours))
    report(outcomes, record=record)


def in_a_process(name: str, rounds: int, environment: dict[str, str], precision: str) -> float:
    """Seconds of a call, measured in a process with more environment variables."""
    options = ["--child", name, "--rounds", str(rounds), "--precision", precision]
    command = [sys.executable, str(Path(__file__)), *options]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def measured(call: Callable[[], object], rounds: int) -> float:
    """Median of the seconds of a call."""
    call()
    call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def training_step(precision: str) -> Callable[[], object]:
    """A step of FaceLiveNet with dynamic weights: 16 crops of 112 px."""
    from step_time import make_step

    from dwmtl.training.compute import make_fabric

    fabric = make_fabric("cpu", precision=precision)
    step = make_step("dynamic", 112, 20, fabric)
    generator = torch.Generator().manual_seed(0)
    crops = torch.randn(16, 3, 112, 112, generator=generator).contiguous(memory_format=torch.channels_last)
    labels = {
        task: torch.randint(0, num, (16,), generator=generator) for task, num in (("identity", 20), ("expression", 7))
    }
    return lambda: step(crops, labels, generator)


def alignment(precision: str) -> Callable[[], object]:
    """`align` in one process, 48 photos of 320 x 240 in batches of 8, so that all threads have some."""
    from dwmtl.crops.align import Source, align
    from dwmtl.datasets.data_set import manifest

    folder = TemporaryDirectory()
    photo = (Path(__file__).resolve().parents[1] / "dwmtl/tracking/example.jpg").read_bytes()
    names = [f"{number:02d}.jpg" for number in range(48)]
    for name in names:
        Path(folder.name, name).write_bytes(photo)
    table, source = manifest({"photo": names, "subject": ["0"] * len(names)}), Source("folders", Path(folder.name))
    params = load_params().align.model_copy(update={"batch_size": 8})

    def call() -> object:
        with TemporaryDirectory(dir=folder.name) as out:
            crops_dir = Path(out, "crops")
            crops_dir.mkdir()
            return align(table, source, crops_dir, params, work_dir=Path(out, "work"), device=torch.device("cpu"))

    return call


def embedding(precision: str) -> Callable[[], object]:
    """FaceLiveNet on 64 crops of 112 px, as `evaluate.precision` has it."""
    from training import two_tasks

    torch.manual_seed(0)
    network = two_tasks(load_params()).eval().to(memory_format=torch.channels_last)
    crops = torch.randn(64, 3, 112, 112).contiguous(memory_format=torch.channels_last)

    def call() -> object:
        with torch.inference_mode(), autocast(torch.device("cpu"), precision):
            return network(crops)

    return call


CALLS = {"training step": training_step, "alignment": alignment, "embedding": embedding}


if __name__ == "__main__":
    typer.run(main)
