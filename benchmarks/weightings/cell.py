"""A row of the comparison: a weighting on a data set, trained and evaluated for every seed and fold of the grid."""

from pathlib import Path

from grid import read_yaml, with_weighting

from dwmtl.evaluation.evaluate import evaluate_model
from dwmtl.files import write_json
from dwmtl.params import Params, load_params
from dwmtl.stage import run
from dwmtl.training.compute import Execution, launch
from dwmtl.training.fold_data import read_fold_data
from dwmtl.training.train import train_fold
from dwmtl.training.trained import Trained


def main(weighting: str, data: Path, out: Path) -> None:
    """Train and evaluate; one record per seed and fold."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    execution = Execution(launch(params.compute, precision=params.train.precision), params.compute)
    records = []
    for seed in grid["seeds"]:
        changed = with_weighting(params, {"name": weighting, **grid["weightings"][weighting]}, seed=seed)
        for fold in grid["folds"]:
            trained = train(fold, data / "data", changed, execution)
            records.append({"seed": seed, "fold": fold, **scores(trained, fold, data / "data", changed)})
    write_json(records, out)


def train(fold: int, data: Path, params: Params, execution: Execution) -> Trained:
    """A training of a fold."""
    fold_data = read_fold_data(fold, labels_dir=data / "labels", aligned_dir=data / "aligned")
    return train_fold(fold_data, params, start_dir=data / "models/pretrain", execution=execution)


def scores(trained: Trained, fold: int, data: Path, params: Params) -> dict[str, object]:
    """Accuracies of a trained fold, fractions, and the task weights at its end."""
    folders = {name: data / name.removesuffix("_dir") for name in ("labels_dir", "pairs_dir", "aligned_dir")}
    metrics = evaluate_model(trained.network, trained.card, params, fold=fold, **folders).metrics
    last = trained.fitted.trajectory.iloc[-1]
    return {
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
