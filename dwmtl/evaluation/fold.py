"""The evaluation of a fold's network from its predictions. Pure, except for writing the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.evaluation.embedding import Answered
from dwmtl.evaluation.further_tasks import FurtherTask, further_task_metrics
from dwmtl.evaluation.params import EvaluateParams
from dwmtl.network.network import EXPRESSION
from dwmtl.results import write_result
from dwmtl.scores.authentication import Authentication, authenticate
from dwmtl.scores.classification import ClassScore, score_classes
from dwmtl.scores.intervals import pairs_intervals, score_intervals, with_intervals, with_pairs_intervals
from dwmtl.scores.metrics import (
    AuthenticationMetrics,
    CropCounts,
    FoldMetrics,
    NoPairs,
    VerificationMetrics,
    authentication_metrics,
    expression_metrics,
    verification_metrics,
)
from dwmtl.scores.threshold import ComparisonSettings
from dwmtl.scores.verification import Verification, verify
from dwmtl.tables import EVALUATED_PAIRS, FURTHER_SETS_DIR, write_table

EXPRESSION_SET, VERIFICATION_SET = "expression", "verification"


@dataclass(frozen=True)
class SetEvaluation:
    """The outcome on a verification set; `pairs`: columns `tables.EVALUATED_PAIRS`, in the set's order."""

    metrics: VerificationMetrics
    pairs: pd.DataFrame


@dataclass(frozen=True)
class FoldEvaluation:
    """The outcome for a fold.

    Attributes:
        metrics: content of `metrics.json`.
        predictions: a row per test photo with an expression: photo, subject, expression, predicted, confidence.
        pairs: columns `tables.EVALUATED_PAIRS`; a row per pair of either set.
        roc: set, far, tar: the mean ROC of either set's pairs.
        confusion: actual, predicted: a row per test photo, for `dvc plots`.
        further_sets: the verification sets beside the main one, by name.
    """

    metrics: FoldMetrics
    predictions: pd.DataFrame
    pairs: pd.DataFrame
    roc: pd.DataFrame
    confusion: pd.DataFrame
    further_sets: dict[str, SetEvaluation] = field(default_factory=dict)


@dataclass(frozen=True)
class FoldData:
    """The data that a fold's network is scored on.

    Attributes:
        labels: columns `tables.EXPRESSION_LABELS`, the rows of the fold's test subjects.
        expression_pairs: columns `tables.EXPRESSION_PAIRS`, of the same subjects; empty where none of them is known.
        verification_pairs: columns `tables.VERIFICATION_PAIRS`.
        verification_subjects: a photo of the verification set -> its subject. Photos of unknown subjects are left out;
            the verification set's scores then have no intervals.
        expressions: class names in the order of the probabilities.
        further_tasks: the tasks beside identity and expression, by name.
    """

    labels: pd.DataFrame
    expression_pairs: pd.DataFrame
    verification_pairs: pd.DataFrame
    verification_subjects: dict[str, str]
    expressions: list[str]
    further_tasks: dict[str, FurtherTask]


def evaluate_fold(
    data: FoldData, *, expression_set: Answered, verification_set: Answered, params: EvaluateParams
) -> FoldEvaluation:
    """Score a fold's network.

    Args:
        expression_set, verification_set: predictions for the photos that the data name.
    Raises:
        ProtocolError: a photo has no crop, no test photo has an expression, or pairs cannot be scored.
    """
    predictions, score = _predict(data.labels, expression_set, EXPRESSION, "expression", data.expressions)
    if score is None:
        raise ProtocolError("no photo of the fold's subjects shows an expression that is a class.")
    subjects = dict(zip(data.labels["photo"], data.labels["subject"], strict=True))
    sides = {
        EXPRESSION_SET: _sides(data.expression_pairs, ("input", "reference"), subjects),
        VERIFICATION_SET: _sides(data.verification_pairs, ("photo_a", "photo_b"), data.verification_subjects),
    }
    answered = {EXPRESSION_SET: expression_set, VERIFICATION_SET: verification_set}
    outcomes = {name: _verify(pairs, answered[name], params) for name, pairs in sides.items() if len(pairs)}
    tables = {name: _pair_table(name, sides[name], outcome) for name, outcome in outcomes.items()}
    own: VerificationMetrics | NoPairs = NoPairs()
    authentication: AuthenticationMetrics | NoPairs = NoPairs()
    if EXPRESSION_SET in outcomes:
        challenges = _authenticate(sides[EXPRESSION_SET], outcomes[EXPRESSION_SET], expression_set, data.expressions)
        tables[EXPRESSION_SET] = tables[EXPRESSION_SET].assign(
            is_required_expression=sides[EXPRESSION_SET]["is_required_expression"].to_numpy(bool),
            is_accepted=challenges.accepted,
        )
        own = verification_metrics(outcomes[EXPRESSION_SET], params.far_targets)
        authentication = authentication_metrics(challenges)
    pairs = pd.concat(tables.values(), ignore_index=True).reindex(columns=list(EVALUATED_PAIRS))
    metrics = FoldMetrics(
        expression=expression_metrics(score),
        expression_pairs=own,
        further_tasks=further_task_metrics(data.further_tasks, data.labels, expression_set),
        authentication=authentication,
        verification=verification_metrics(outcomes[VERIFICATION_SET], params.far_targets),
        num_fallback_crops=CropCounts(
            expression=int(expression_set.is_fallback.sum()), verification=int(verification_set.is_fallback.sum())
        ),
        settings=comparison_settings(params),
    )
    return FoldEvaluation(
        metrics=with_intervals(metrics, score_intervals(predictions, [pairs], [metrics])),
        predictions=predictions,
        pairs=pairs,
        roc=_roc_table(outcomes),
        confusion=predictions[["expression", "predicted"]].rename(columns={"expression": "actual"}),
    )


def evaluate_verification_set(
    pairs: pd.DataFrame, subjects: dict[str, str], answered: Answered, *, params: EvaluateParams
) -> SetEvaluation:
    """Score a network on a verification set only, as `evaluate_fold` scores it on the main one.

    Args:
        pairs: columns `tables.VERIFICATION_PAIRS`.
        subjects: as in `FoldData.verification_subjects`.
    """
    pairs = _sides(pairs, ("photo_a", "photo_b"), subjects)
    outcome = _verify(pairs, answered, params)
    table = _pair_table(VERIFICATION_SET, pairs, outcome).reindex(columns=list(EVALUATED_PAIRS))
    metrics = verification_metrics(outcome, params.far_targets)
    metrics = with_pairs_intervals(metrics, pairs_intervals([table], [metrics], params.distance))
    return SetEvaluation(metrics, table)


def comparison_settings(params: EvaluateParams) -> ComparisonSettings:
    """The settings of the comparison, from the section `evaluate`."""
    return ComparisonSettings(distance=params.distance, flip=params.flip, subtract_mean=params.subtract_mean)


def write_evaluation(evaluation: FoldEvaluation, folder: Path) -> None:
    """Write `metrics.json`, each table as a CSV file, and a folder per further verification set."""
    folder.mkdir(parents=True, exist_ok=True)
    write_result(evaluation.metrics, folder / "metrics.json")
    for name in ("predictions", "pairs", "roc", "confusion"):
        write_table(getattr(evaluation, name), folder / f"{name}.csv")
    write_further_sets(evaluation.further_sets, folder)


def write_further_sets(evaluations: Mapping[str, SetEvaluation], folder: Path) -> None:
    """Write each set's folder below `tables.FURTHER_SETS_DIR`; nothing where there is no further set."""
    for name, evaluation in evaluations.items():
        write_set_evaluation(evaluation, folder / FURTHER_SETS_DIR / name)


def write_set_evaluation(evaluation: SetEvaluation, folder: Path) -> None:
    """Write `metrics.json` and `pairs.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_result(evaluation.metrics, folder / "metrics.json")
    write_table(evaluation.pairs, folder / "pairs.csv", EVALUATED_PAIRS)


def _predict(
    labels: pd.DataFrame, answered: Answered, task: str, column: str, classes: list[str]
) -> tuple[pd.DataFrame, ClassScore | None]:
    """A row per photo whose label is a class of the task, and the score over them; None without such a photo."""
    shown = labels[labels[column].isin(classes)]
    probabilities = answered.answers.of_tasks[task][answered.rows(shown["photo"])]
    predicted = probabilities.argmax(axis=1)
    table = pd.DataFrame(
        {
            "photo": shown["photo"].to_numpy(),
            "subject": shown["subject"].to_numpy(),
            column: shown[column].to_numpy(),
            "predicted": np.array(classes)[predicted],
            "confidence": probabilities.max(axis=1).astype(float).round(6),
        }
    )
    actual = shown[column].map({name: index for index, name in enumerate(classes)}).to_numpy()
    return table, None if shown.empty else score_classes(actual, predicted, classes)


def _sides(pairs: pd.DataFrame, photos: tuple[str, str], subjects: dict[str, str]) -> pd.DataFrame:
    """The pairs with photos in the columns `a` and `b`, and their subjects, empty where unknown."""
    pairs = pairs.rename(columns=dict(zip(photos, "ab", strict=True)))
    return pairs.assign(**{f"subject_{side}": [subjects.get(photo, "") for photo in pairs[side]] for side in "ab"})


def _verify(pairs: pd.DataFrame, answered: Answered, params: EvaluateParams) -> Verification:
    return verify(
        answered.answers.embeddings,
        answered.rows(pairs["a"]),
        answered.rows(pairs["b"]),
        pairs["is_same_identity"].to_numpy(bool),
        pairs["fold"].to_numpy(),
        distance=params.distance,
        subtract_mean=params.subtract_mean,
        far_targets=params.far_targets,
    )


def _authenticate(pairs: pd.DataFrame, outcome: Verification, answered: Answered, classes: list[str]) -> Authentication:
    """Score the challenges, the expression set's pairs, from the outcome's decisions and the predicted expressions."""
    predicted = np.array(classes)[answered.answers.of_tasks[EXPRESSION].argmax(axis=1)][answered.rows(pairs["a"])]
    return authenticate(
        outcome.accepted,
        predicted == pairs["expression_required"].to_numpy(),
        pairs["is_same_identity"].to_numpy(bool),
        pairs["is_required_expression"].to_numpy(bool),
    )


def _pair_table(name: str, pairs: pd.DataFrame, outcome: Verification) -> pd.DataFrame:
    threshold = dict(zip(np.unique(pairs["fold"]), outcome.threshold_per_fold, strict=True))
    return pd.DataFrame(
        {
            "set": name,
            "input": pairs["a"].to_numpy(),
            "reference": pairs["b"].to_numpy(),
            "input_subject": pairs["subject_a"].to_numpy(),
            "reference_subject": pairs["subject_b"].to_numpy(),
            "is_same_identity": pairs["is_same_identity"].to_numpy(bool),
            "distance": outcome.distances.round(6),
            "threshold": pairs["fold"].map(threshold).round(6).to_numpy(),
            "is_verified": outcome.accepted,
            "fold": pairs["fold"].to_numpy(),
        }
    )


def _roc_table(outcomes: dict[str, Verification]) -> pd.DataFrame:
    return pd.concat(
        [pd.DataFrame({"set": name, "far": o.far.round(6), "tar": o.tar.round(6)}) for name, o in outcomes.items()]
    )
