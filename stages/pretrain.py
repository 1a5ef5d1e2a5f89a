"""Stage `pretrain`: the identity set's crops and labels -> the model that the folds start from."""

import logging
from pathlib import Path

from dwmtl.params import load_params
from dwmtl.stage import run
from dwmtl.tables import IDENTITY_LABELS, read_table
from dwmtl.tracking.data_sets import pretrain_data_sets, pretrain_data_sha256
from dwmtl.tracking.experiments import start_pretrain_run
from dwmtl.tracking.log_training import log_training
from dwmtl.tracking.run import Run
from dwmtl.training.checkpoint import forget
from dwmtl.training.compute import Execution, launch
from dwmtl.training.pretrain import pretrain
from dwmtl.training.trained import write_trained, write_untrained

log = logging.getLogger("pretrain")


def main(
    labels: Path, aligned: Path, model: Path, metrics: Path, checkpoints: Path, params: Path = Path("params.yaml")
) -> None:
    """Train the trunk on identities only, unless the folds start from another model; resume an interrupted training."""
    values = load_params(params)
    if values.train.start_is_imported:
        log.info("train.start is %s, which is imported: nothing to pretrain.", values.train.start)
        write_untrained(model_dir=model, metrics_dir=metrics)
        return
    fabric = launch(values.compute, precision=values.pretrain.precision)
    table = read_table(labels / "identity.csv", IDENTITY_LABELS)
    data_sha256 = pretrain_data_sha256(values, labels=labels, aligned=aligned)
    with start_pretrain_run(values, data_sha256=data_sha256) if fabric.is_global_zero else Run() as tracked:
        execution = Execution(fabric, values.compute, checkpoints, tracked.log_row, title="pretrain")
        trained = pretrain(table, aligned, values, execution=execution)
        if not fabric.is_global_zero:
            return
        write_trained(trained, model_dir=model, metrics_dir=metrics)
        forget(checkpoints)
        used = pretrain_data_sets(values, labels=labels, aligned=aligned)
        log_training(tracked, used, model=model, metrics=metrics)


if __name__ == "__main__":
    run(main)
