"""All folds in one summary, `metrics/summary.json`. docs/evaluation.md says what each key is; a test keeps it so.

Fractions, rounded to six decimals; no time, host, commit or run id: the same outcome gives the same bytes.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.errors import TableError
from dwmtl.scores.classification import ClassScore, score_classes
from dwmtl.scores.intervals import accuracy_intervals, score_intervals
from dwmtl.tables import BEST_DIR, EVALUATED_PAIRS, read_table

HEADLINES = {
    "expression_accuracy": ("expression", "accuracy"),
    "expression_balanced_accuracy": ("expression", "balanced_accuracy"),
    "expression_macro_f1": ("expression", "macro_f1"),
    "verification_accuracy": ("verification", "accuracy_mean"),
    "verification_auc": ("verification", "auc"),
    "verification_eer": ("verification", "eer"),
    "expression_pairs_accuracy": ("expression_pairs", "accuracy_mean"),
    "expression_pairs_auc": ("expression_pairs", "auc"),
    "authentication_accuracy": ("authentication", "accuracy"),
    "authentication_far": ("authentication", "far"),
    "authentication_frr": ("authentication", "frr"),
    "authentication_product": ("authentication", "product"),
}
"""Name in the summary -> where it stands in a fold's metrics."""

BEST_HEADLINES = ("expression_accuracy", "verification_accuracy", "authentication_accuracy")
"""Of the headlines, those that are also given of the epochs best on the validation subjects."""

VAL_AT_FAR = "verification_val_at_far_"
"""Followed by the target, one of `evaluate.far_targets`."""

_DECIMALS = 6


@dataclass(frozen=True)
class FoldResult:
    """What the stages `train` and `evaluate` left of a fold."""

    number: int
    trajectory: pd.DataFrame
    training: dict
    metrics: dict
    predictions: pd.DataFrame
    pairs: pd.DataFrame
    roc: pd.DataFrame
    best: "FoldResult | None"
    """The same of the epoch that was best on the validation subjects; None without any."""


def read_fold(number: int, training_dir: Path, evaluation_dir: Path) -> FoldResult:
    """Read a fold's outcome.

    Raises:
        TableError: a file is missing.
    """
    training, evaluation = training_dir / f"fold_{number}", evaluation_dir / f"fold_{number}"
    best = evaluation / BEST_DIR
    last = _read_outcome(number, training, evaluation)
    return replace(last, best=_read_outcome(number, training, best)) if (best / "metrics.json").exists() else last


def _read_outcome(number: int, training: Path, evaluation: Path) -> FoldResult:
    return FoldResult(
        number=number,
        trajectory=read_table(training / "trajectory.csv", ("step",)),
        training=read_json(training / "training.json"),
        metrics=read_json(evaluation / "metrics.json"),
        predictions=read_table(evaluation / "predictions.csv", ("photo", "subject", "expression", "predicted")),
        pairs=read_table(evaluation / "pairs.csv", EVALUATED_PAIRS),
        roc=read_table(evaluation / "roc.csv", ("set", "far", "tar")),
        best=None,
    )


def summarize(folds: list[FoldResult]) -> dict[str, object]:
    """The content of `summary.json`."""
    predictions, pairs = (pd.concat([getattr(fold, name) for fold in folds]) for name in ("predictions", "pairs"))
    summary: dict[str, object] = {"folds": [fold.number for fold in folds]}
    for name, (section, key) in HEADLINES.items():
        summary[name] = _over_folds([fold.metrics[section][key] for fold in folds])
    for section, interval in accuracy_intervals(predictions, pairs).items():
        summary[f"{section}_accuracy"]["interval"] = interval
    for target in folds[0].metrics["verification"]["val_at_far"]:
        values = [fold.metrics["verification"]["val_at_far"][target]["val_mean"] for fold in folds]
        summary[f"{VAL_AT_FAR}{target}"] = _over_folds(values)
    for name, interval in _intervals(folds, predictions).items():
        summary[name]["interval"] = interval
    summary |= _expressions(predictions, [fold.predictions for fold in folds])
    summary["best_on_validation"] = _best_on_validation(folds)
    summary["chance"] = {
        "expression_accuracy": np.mean([fold.metrics["expression"]["majority"] for fold in folds]),
        "verification_accuracy": np.mean([_constant_accuracy(fold) for fold in folds]),
        "authentication_accuracy": np.mean([fold.metrics["authentication"]["always_reject"] for fold in folds]),
    }
    return _rounded(summary)


def _best_on_validation(folds: list[FoldResult]) -> dict[str, object] | None:
    """The accuracies of the epochs that were best on the validation subjects; None where a fold had none."""
    best = [fold.best for fold in folds]
    if not all(best):
        return None
    accuracies = {name: summarize(best)[name] for name in BEST_HEADLINES}
    return {"epoch_per_fold": [fold.training["best_epoch"] for fold in folds], **accuracies}


def _intervals(folds: list[FoldResult], predictions: pd.DataFrame) -> dict[str, list[float] | None]:
    """Of the headline scores that are no accuracy, by their names in the summary."""
    intervals = score_intervals(predictions, [fold.pairs for fold in folds], [fold.metrics for fold in folds])
    found = {
        name: intervals[section][key] for name, (section, key) in HEADLINES.items() if key in intervals.get(section, {})
    }
    vals = intervals["verification"]["val_at_far"]
    return found | {f"{VAL_AT_FAR}{target}": interval for target, interval in vals.items()}


def _over_folds(values: list[float | None]) -> dict[str, object]:
    """None stands for a fold that has no such value, and counts in neither mean nor deviation."""
    there = [value for value in values if value is not None]
    return {"mean": np.mean(there), "std": np.std(there), "per_fold": values}


def _expressions(pooled: pd.DataFrame, per_fold: list[pd.DataFrame]) -> dict[str, object]:
    """The expressions of all folds' test photos as one test set, and class by class."""
    classes = sorted({*pooled["expression"], *pooled["predicted"]})
    whole, scores = _score(pooled, classes), [_score(predictions, classes) for predictions in per_fold]
    return {
        "expression_pooled": {
            "accuracy": whole.accuracy,
            "balanced_accuracy": whole.balanced_accuracy,
            "macro_f1": whole.macro_f1,
            "num_photos": len(pooled),
            "classes": classes,
            "confusion": whole.confusion.tolist(),
        },
        "expression_per_class": {
            name: {**_over_folds([score.per_class.get(name) for score in scores]), "pooled": accuracy}
            for name, accuracy in whole.per_class.items()
        },
    }


def _score(predictions: pd.DataFrame, classes: list[str]) -> ClassScore:
    number = {name: index for index, name in enumerate(classes)}
    return score_classes(
        predictions["expression"].map(number).to_numpy(), predictions["predicted"].map(number).to_numpy(), classes
    )


def _constant_accuracy(fold: FoldResult) -> float:
    """What always saying the more frequent of `same` and `other` scores on the verification set."""
    share = fold.pairs.loc[fold.pairs["set"] == "verification", "is_same_identity"].astype(bool).mean()
    return max(share, 1 - share)


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(float(value), _DECIMALS) if isinstance(value, float) else value


def read_json(path: Path) -> dict:
    """An object that a stage wrote.

    Raises:
        TableError: the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise TableError(f"{path}: no such file. Run `dvc repro` to make it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not JSON ({error}). Run `dvc repro` to make it again.") from None
