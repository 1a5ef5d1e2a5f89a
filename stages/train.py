"""Stage `train`, per fold: crops, labels and the model to start from -> a trained model."""

from pathlib import Path

from dwmtl.params import load_params
from dwmtl.stage import run
from dwmtl.tracking.data_sets import fold_data_sets, fold_data_sha256
from dwmtl.tracking.experiments import start_fold_run
from dwmtl.tracking.log_training import log_training
from dwmtl.tracking.run import Run
from dwmtl.training.checkpoint import forget
from dwmtl.training.compute import Execution, launch
from dwmtl.training.fold_data import read_fold_data
from dwmtl.training.train import train_fold
from dwmtl.training.trained import write_trained


def main(
    fold: int,
    labels: Path,
    aligned: Path,
    start_from: Path,
    model: Path,
    metrics: Path,
    checkpoints: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Train a fold on all tasks, with the weighting of params.yaml; resume an interrupted training."""
    values = load_params(params)
    fabric = launch(values.compute, precision=values.train.precision)
    data = read_fold_data(fold, labels_dir=labels, aligned_dir=aligned)
    data_sha256 = fold_data_sha256(values, labels=labels, aligned=aligned)
    with start_fold_run(values, fold, data_sha256=data_sha256) if fabric.is_global_zero else Run() as tracked:
        execution = Execution(fabric, values.compute, checkpoints, tracked.log_row, title=f"train fold {fold}")
        trained = train_fold(data, values, start_dir=start_from, execution=execution)
        if not fabric.is_global_zero:
            return
        write_trained(trained, model_dir=model, metrics_dir=metrics)
        forget(checkpoints)
        used = fold_data_sets(values, fold, labels=labels, aligned=aligned)
        log_training(tracked, used, model=model, metrics=metrics)


if __name__ == "__main__":
    run(main)
