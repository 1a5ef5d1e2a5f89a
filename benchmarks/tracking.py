"""Share of a training's time that logging every step to MLflow takes.

    python benchmarks/tracking.py --rounds 3

Trains FaceLiveNet with both tasks and dynamic weights on noise crops and sums up the time of `Run.log_row` and
`finish`, including writing to an SQLite file; at most 2 % of the training is wanted. Both are measured in the same run.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from outcome import REPOSITORY, Rounds, report, rounds_until
from training import dataset, two_tasks, write_crops

from dwmtl.params import load_params
from dwmtl.tracking.experiments import start_fold_run
from dwmtl.training.compute import Execution, make_fabric
from dwmtl.training.loop import fit
from dwmtl.training.training import Training
from dwmtl.weighting.by_name import make_weighting

MOST = 0.02


def main(
    batch_size: int = 16,
    crop_px: int = 112,
    steps: Annotated[int, typer.Option(help="steps of a round's training")] = 40,
    rounds: int = 3,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Measure, print, and keep."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{name}/mlflow.db"
        os.chdir(name)  # MLflow makes a folder for artifacts where it runs
        crops = write_crops(Path(name), batch_size * steps, crop_px)
        logged: list[float] = []
        whole: list[float] = []
        measured = Rounds(whole, logged, is_rate=True)  # more training per logging is better
        for _ in rounds_until(lambda: measured.agrees, rounds):
            seconds = logged_and_all(crops, batch_size, crop_px)
            logged.append(seconds[0])
            whole.append(seconds[1])
    what = (
        f"a training step (FaceLiveNet, batch {batch_size}, {crop_px} px) against logging it, "
        f"which takes {100 * median(logged) / median(whole):.2f} % ({100 * MOST:g} % at most)"
    )
    report([measured.outcome(what, lambda s: f"{1000 * s / steps:.2f} ms", wanted=1 / MOST)], record=record)


def logged_and_all(crops: list[Path], batch_size: int, crop_px: int) -> tuple[float, float]:
    """Seconds in MLflow, and of the whole training including them; creating the run is not counted."""
    params = load_params(REPOSITORY / "params.yaml")
    network = two_tasks(params)
    num_features = network.num_shared_features(crop_px)
    run, seconds = start_fold_run(params, 0, data_sha256="benchmark"), 0.0
    if not run.is_logged:
        raise SystemExit("MLflow does not answer; the warning above says why.")

    def timed(row: dict[str, float]) -> None:
        nonlocal seconds
        start = time.perf_counter()
        run.log_row(row)
        seconds += time.perf_counter() - start

    start = time.perf_counter()
    training = Training(
        network,
        make_weighting(params.train.weighting, num_features=num_features, chance_losses=network.chance_losses),
        dataset(crops, both=True),
        params.train.model_copy(update={"num_epochs": 1, "batch_size": batch_size}),
        losses={task: params.tasks[task].loss for task in network.tasks},
        weighting_optimizer=params.train.weighting,
    )
    fit(training, Execution(make_fabric("cpu", precision="auto"), params.compute, on_step=timed))
    before = time.perf_counter()
    run.finish()
    end = time.perf_counter()
    return seconds + end - before, end - start


if __name__ == "__main__":
    typer.run(main)
