"""Stage `train`, a fold: crops, labels and the model to start from -> a trained model."""

import json
from pathlib import Path

from dwmtl.params import load_params
from dwmtl.stage import run
from dwmtl.tables import EXPRESSION_LABELS, IDENTITY_LABELS, read_table
from dwmtl.tracking.experiments import start_fold_run
from dwmtl.tracking.log_training import fold_data_sha256, log_training
from dwmtl.tracking.run import Run
from dwmtl.training.checkpoint import forget
from dwmtl.training.compute import launch
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
    """Train a fold on all tasks, with the weighting that params.yaml names; go on with one that was interrupted."""
    values = load_params(params)
    fabric = launch(values.compute, precision=values.train.precision)
    table, classes = labels / "expression.csv", labels / "classes.json"
    data_sha256 = fold_data_sha256(values, labels=labels, aligned=aligned)
    with start_fold_run(values, fold, data_sha256=data_sha256) if fabric.is_global_zero else Run() as tracked:
        trained = train_fold(
            read_table(table, EXPRESSION_LABELS, others_are_text=True),
            json.loads(classes.read_text())["expressions"],
            values,
            fold=fold,
            identity_labels=read_table(labels / "identity.csv", IDENTITY_LABELS),
            aligned_dir=aligned,
            start_dir=start_from,
            fabric=fabric,
            checkpoint_dir=checkpoints,
            on_step=tracked.log_row,
        )
        if not fabric.is_global_zero:
            return
        write_trained(trained, model_dir=model, metrics_dir=metrics)
        forget(checkpoints)
        log_training(tracked, values, values.train.sets, data_sha256=data_sha256, model=model, metrics=metrics)


if __name__ == "__main__":
    run(main)
