"""A row of the comparison: a weighting on a data set, trained and evaluated for every seed and fold of the grid."""

import json
from pathlib import Path

from grid import read_grid, with_weighting
from ruamel.yaml import YAML

from dwmtl.evaluation.evaluate import evaluate_model
from dwmtl.params import load_params
from dwmtl.stage import run, write_json
from dwmtl.tables import EXPRESSION_LABELS, IDENTITY_LABELS, read_table
from dwmtl.training.compute import launch
from dwmtl.training.train import train_fold


def main(weighting: str, data: Path, out: Path) -> None:
    """Train and evaluate; one record a seed and fold."""
    grid = read_grid()
    records = [one(weighting, seed, fold, data, out) for seed in grid["seeds"] for fold in grid["folds"]]
    write_json(records, out)


def one(weighting: str, seed: int, fold: int, data: Path, out: Path) -> dict[str, object]:
    """What a training of a fold is worth: accuracies, fractions; and the task weights at its end."""
    yaml = YAML()
    params_file = out.with_suffix(".params.yaml")
    params_file.parent.mkdir(parents=True, exist_ok=True)
    yaml.dump(with_weighting(yaml.load((data / "params.yaml").read_text()), weighting, seed), params_file)
    params = load_params(params_file)
    params_file.unlink()
    trained = train_fold(
        read_table(data / "labels" / "expression.csv", EXPRESSION_LABELS, others_are_text=True),
        json.loads((data / "labels" / "classes.json").read_text())["expressions"],
        params,
        fold=fold,
        identity_labels=read_table(data / "labels" / "identity.csv", IDENTITY_LABELS),
        aligned_dir=data / "aligned",
        start_dir=data / "pretrain",
        fabric=launch(params.compute, precision=params.train.precision),
    )
    evaluation = evaluate_model(
        trained.network,
        trained.card,
        params,
        fold=fold,
        labels_dir=data / "labels",
        pairs_dir=data / "pairs",
        aligned_dir=data / "aligned",
    )
    metrics, last = evaluation.metrics, trained.fitted.trajectory.iloc[-1]
    return {
        "seed": seed,
        "fold": fold,
        "expression_accuracy": metrics.expression.accuracy,
        "verification_accuracy": metrics.verification.accuracy_mean,
        "verification_auc": metrics.verification.auc,
        "authentication_accuracy": metrics.authentication.accuracy,
        "always_reject": metrics.authentication.always_reject,
        "majority": metrics.expression.majority,
        "last_weights": {task: round(float(last[f"weight_{task}"]), 6) for task in trained.network.tasks},
    }


if __name__ == "__main__":
    run(main)
