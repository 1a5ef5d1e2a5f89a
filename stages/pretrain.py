"""Stage `pretrain`: the identity set's crops and labels -> the model that the folds start from."""

from pathlib import Path

from dwmtl.params import load_params
from dwmtl.stage import run
from dwmtl.tables import IDENTITY_LABELS, read_table
from dwmtl.tracking import files_sha256, start_pretrain_run
from dwmtl.training.pretrain import pretrain
from dwmtl.training.trained import write_trained


def main(labels: Path, aligned: Path, model: Path, metrics: Path, params: Path = Path("params.yaml")) -> None:
    """Train the trunk on identities alone."""
    values = load_params(params)
    table = labels / "identity.csv"
    data_sha256 = files_sha256([table, *(aligned / name / "crops.csv" for name in values.sets_of("identity"))])
    with start_pretrain_run(values, data_sha256=data_sha256) as tracked:
        trained = pretrain(read_table(table, IDENTITY_LABELS), aligned, values, on_step=tracked.log_row)
        write_trained(trained, model_dir=model, metrics_dir=metrics)


if __name__ == "__main__":
    run(main)
