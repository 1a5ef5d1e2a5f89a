"""The outputs of the stages `train` and `evaluate` of a fold, and of `evaluate_start`, read and checked."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from dwmtl.results import read_result
from dwmtl.scores.metrics import FoldMetrics, VerificationMetrics
from dwmtl.tables import BEST_DIR, EVALUATED_PAIRS, FURTHER_SETS_DIR, read_table


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """The part of a fold's `training.json` that the report shows.

    `best_epoch`: from 0, the best on the validation subjects; None without any. `unseen_classes`: by task, those that
    no training photo shows.
    """

    num_subjects: int
    num_photos: int
    num_steps: int
    num_parameters: int
    model_sha256: str
    best_epoch: int | None = None
    unseen_classes: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SetResult:
    """A network's scores and decisions on a verification set; `pairs`: columns `tables.EVALUATED_PAIRS`."""

    metrics: VerificationMetrics
    pairs: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """A fold's training, metrics, and tables of decisions.

    Attributes:
        validation: columns `epoch`, `accuracy`, `loss` on the validation subjects; no row without any.
        further_sets: the verification sets beside the main one, by name.
        best: the result of the epoch that was best on the validation subjects; None without any.
    """

    number: int
    trajectory: pd.DataFrame
    validation: pd.DataFrame
    training: TrainingFacts
    metrics: FoldMetrics
    predictions: pd.DataFrame
    pairs: pd.DataFrame
    roc: pd.DataFrame
    further_sets: dict[str, SetResult] = field(default_factory=dict)
    best: "FoldResult | None" = None

    @property
    def main_set(self) -> SetResult:
        """The result on the main verification set."""
        return SetResult(metrics=self.metrics.verification, pairs=self.pairs[self.pairs["set"] == "verification"])


@dataclass(frozen=True, kw_only=True)
class StartResult(SetResult):
    """The model that the folds started from, on the main verification set and on the others, by name."""

    further_sets: dict[str, SetResult] = field(default_factory=dict)


def read_start(evaluation_dir: Path) -> StartResult:
    """Read the outcome of the stage `evaluate_start`.

    Raises:
        TableError: a file is missing or damaged.
    """
    folder = evaluation_dir / "start"
    return StartResult(**vars(_read_set(folder)), further_sets=_read_further_sets(folder))


def read_fold(number: int, training_dir: Path, evaluation_dir: Path) -> FoldResult:
    """Read a fold's result.

    Raises:
        TableError: a file is missing or damaged.
    """
    training, evaluation = training_dir / f"fold_{number}", evaluation_dir / f"fold_{number}"
    last, best_dir = _read_outcome(number, training, evaluation), evaluation / BEST_DIR
    if not (best_dir / "metrics.json").exists():
        return last
    return replace(last, best=_read_outcome(number, training, best_dir))


def _read_outcome(number: int, training: Path, evaluation: Path) -> FoldResult:
    return FoldResult(
        number=number,
        trajectory=read_table(training / "trajectory.csv", ("step",)),
        validation=read_table(training / "validation.csv", ("epoch", "accuracy", "loss")),
        training=read_result(TrainingFacts, training / "training.json"),
        metrics=read_result(FoldMetrics, evaluation / "metrics.json"),
        predictions=read_table(evaluation / "predictions.csv", ("photo", "subject", "expression", "predicted")),
        pairs=read_table(evaluation / "pairs.csv", EVALUATED_PAIRS),
        roc=read_table(evaluation / "roc.csv", ("set", "far", "tar")),
        further_sets=_read_further_sets(evaluation),
    )


def _read_further_sets(evaluation: Path) -> dict[str, SetResult]:
    """By name, sorted; empty where there is one verification set."""
    folders = sorted((evaluation / FURTHER_SETS_DIR).glob("*"))
    return {folder.name: _read_set(folder) for folder in folders}


def _read_set(folder: Path) -> SetResult:
    return SetResult(
        metrics=read_result(VerificationMetrics, folder / "metrics.json"),
        pairs=read_table(folder / "pairs.csv", EVALUATED_PAIRS),
    )
