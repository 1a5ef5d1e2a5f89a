"""Everything that is measured of a fold's network, from what it said of the crops. Pure but for writing the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.evaluation.embedding import Answers
from dwmtl.evaluation.params import EvaluateParams
from dwmtl.files import write_json
from dwmtl.network.network import EXPRESSION
from dwmtl.scores.authentication import Authentication, authenticate
from dwmtl.scores.classification import ClassScore, score_classes
from dwmtl.scores.intervals import accuracy_intervals, score_intervals
from dwmtl.scores.verification import Verification, tar_at, verify
from dwmtl.tables import EVALUATED_PAIRS, write_table

EXPRESSION_SET, VERIFICATION_SET = "expression", "verification"


@dataclass(frozen=True)
class Answered:
    """What the network says of a set's crops, by photo.

    Attributes:
        photos: the N photos, each once.
        answers: in their order.
        is_fallback: (N,) bool, whether no face was found and the photo's centre was cropped.
    """

    photos: pd.Index
    answers: Answers
    is_fallback: np.ndarray

    def rows(self, photos: pd.Series) -> np.ndarray:
        """Where photos stand.

        Raises:
            ProtocolError: a photo that the network was not asked about; every pair is scored or none.
        """
        rows = self.photos.get_indexer(photos)
        if (rows < 0).any():
            raise ProtocolError(
                f"photo {photos.iloc[int(np.argmin(rows))]} has no crop, and every pair must be scored."
            )
        return rows


@dataclass(frozen=True)
class FoldEvaluation:
    """The outcome for a fold.

    Attributes:
        metrics: nested, for `metrics.json`; fractions, rounded to six decimals.
        predictions: a row a test photo with an expression: photo, subject, expression, predicted, confidence.
        pairs: columns `tables.EVALUATED_PAIRS`; a row a pair of either set.
        roc: set, far, tar: the mean ROC of either set's pairs.
        confusion: actual, predicted: a row a test photo, as `dvc plots` counts them.
    """

    metrics: dict[str, object]
    predictions: pd.DataFrame
    pairs: pd.DataFrame
    roc: pd.DataFrame
    confusion: pd.DataFrame


def evaluate_fold(
    labels: pd.DataFrame,
    expression_pairs: pd.DataFrame,
    verification_pairs: pd.DataFrame,
    *,
    expression_set: Answered,
    verification_set: Answered,
    verification_subjects: dict[str, str],
    classes: list[str],
    further_tasks: dict[str, tuple[str, list[str]]],
    params: EvaluateParams,
) -> FoldEvaluation:
    """Measure a fold's network.

    Args:
        labels: columns `tables.EXPRESSION_LABELS`, the rows of the fold's test subjects.
        expression_pairs: columns `tables.EXPRESSION_PAIRS`, of the same subjects.
        verification_pairs: columns `tables.VERIFICATION_PAIRS`.
        expression_set, verification_set: what the network says of the photos that these name.
        verification_subjects: a photo of the verification set -> who is on it; photos of nobody known are left out,
            and then the verification set's accuracy has no interval.
        classes: the expressions in the order of the probabilities.
        further_tasks: name -> (column of `labels`, class names) of the tasks beside identity and expression.
    Raises:
        ProtocolError: a photo without a crop, no test photo with an expression, or pairs that cannot be scored.
    """
    predictions, score = _predict(labels, expression_set, EXPRESSION, "expression", classes)
    if predictions.empty:
        raise ProtocolError("no photo of the fold's subjects shows an expression that is a class.")
    own = _with_subjects(
        expression_pairs.rename(columns={"input": "a", "reference": "b"}),
        dict(zip(labels["photo"], labels["subject"], strict=True)),
    )
    other = _with_subjects(verification_pairs.rename(columns={"photo_a": "a", "photo_b": "b"}), verification_subjects)
    own_outcome = _verify(own, expression_set, params)
    other_outcome = _verify(other, verification_set, params)
    authentication = _authenticate(own, own_outcome, expression_set, classes)
    own_table = _pair_table(EXPRESSION_SET, own, own_outcome)
    own_table["is_required_expression"] = own["is_required_expression"].to_numpy(bool)
    own_table["is_accepted"] = authentication.accepted
    pairs = pd.concat([own_table, _pair_table(VERIFICATION_SET, other, other_outcome)], ignore_index=True)
    metrics = {
        "expression": _class_metrics(score, len(predictions)),
        "expression_pairs": _verification_metrics(own_outcome, params.far_targets),
        "further_tasks": {
            name: _further_metrics(labels, expression_set, name, column, names)
            for name, (column, names) in further_tasks.items()
        },
        "authentication": _authentication_metrics(authentication),
        "verification": _verification_metrics(other_outcome, params.far_targets),
        "num_fallback_crops": {
            EXPRESSION_SET: int(expression_set.is_fallback.sum()),
            VERIFICATION_SET: int(verification_set.is_fallback.sum()),
        },
        "settings": {
            "distance": params.distance,
            "flip": params.flip,
            "subtract_mean": params.subtract_mean,
        },
    }
    for section, interval in accuracy_intervals(predictions, pairs).items():
        metrics[section]["accuracy_interval"] = interval
    for section, intervals in score_intervals(predictions, [pairs], [metrics]).items():
        _add_intervals(metrics[section], intervals)
    outcomes = {EXPRESSION_SET: own_outcome, VERIFICATION_SET: other_outcome}
    return FoldEvaluation(
        metrics=metrics,
        predictions=predictions,
        pairs=pairs[list(EVALUATED_PAIRS)],
        roc=pd.concat(
            [pd.DataFrame({"set": name, "far": o.far.round(6), "tar": o.tar.round(6)}) for name, o in outcomes.items()]
        ),
        confusion=predictions[["expression", "predicted"]].rename(columns={"expression": "actual"}),
    )


def write_evaluation(evaluation: FoldEvaluation, folder: Path) -> None:
    """`metrics.json` and a CSV table a table."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(evaluation.metrics, folder / "metrics.json")
    for name in ("predictions", "pairs", "roc", "confusion"):
        write_table(getattr(evaluation, name), folder / f"{name}.csv")


def _predict(
    labels: pd.DataFrame, answered: Answered, task: str, column: str, classes: list[str]
) -> tuple[pd.DataFrame, ClassScore | None]:
    """A row a photo whose label of a task is a class, and the score over them; none where there is no such photo."""
    shown = labels[labels[column].isin(classes)]
    probabilities = answered.answers.probabilities[task][answered.rows(shown["photo"])]
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


def _further_metrics(
    labels: pd.DataFrame, answered: Answered, task: str, column: str, classes: list[str]
) -> dict[str, object]:
    """As the expression task's; only the number of photos where the fold has none with a label."""
    table, score = _predict(labels, answered, task, column, classes)
    return {"num_photos": 0} if score is None else _class_metrics(score, len(table))


def _with_subjects(pairs: pd.DataFrame, subjects: dict[str, str]) -> pd.DataFrame:
    """The pairs, and who is on either photo; empty where that is not known."""
    sides = {f"subject_{side}": [subjects.get(photo, "") for photo in pairs[side]] for side in ("a", "b")}
    return pairs.assign(**sides)


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
    """The challenges of the expression set's pairs: the outcome's decisions, and what the input is said to show."""
    said = np.array(classes)[answered.answers.probabilities[EXPRESSION].argmax(axis=1)][answered.rows(pairs["a"])]
    return authenticate(
        outcome.accepted,
        said == pairs["expression_required"].to_numpy(),
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


def _class_metrics(score: ClassScore, num_photos: int) -> dict[str, object]:
    return {
        "accuracy": round(score.accuracy, 6),
        "balanced_accuracy": round(score.balanced_accuracy, 6),
        "macro_f1": round(score.macro_f1, 6),
        "majority": round(score.majority, 6),
        "num_photos": num_photos,
        "per_class": {name: round(value, 6) for name, value in score.per_class.items()},
    }


def _verification_metrics(outcome: Verification, far_targets: Sequence[float]) -> dict[str, object]:
    tars = {target: tar_at(outcome, target) for target in far_targets}
    return {
        "accuracy_mean": round(outcome.accuracy_mean, 6),
        "accuracy_std": round(outcome.accuracy_std, 6),
        "auc": round(outcome.auc, 6),
        "eer": round(outcome.eer, 6),
        "num_pairs": len(outcome.distances),
        "val_at_far": {
            f"{rate.far_target:g}": {
                "val_mean": round(rate.val_mean, 6),
                "val_std": round(rate.val_std, 6),
                "far_mean": round(rate.far_mean, 6),
                "threshold_per_fold": [round(threshold, 6) for threshold in rate.threshold_per_fold],
            }
            for rate in outcome.val_at_far
        },
        "tar_at_far": {
            f"{target:g}": {"tar": round(tar, 6), "far": round(far, 6)} for target, (tar, far) in tars.items()
        },
    }


def _add_intervals(section: dict[str, object], intervals: dict[str, object]) -> None:
    """Each beside its score: `auc_interval`; in `val_at_far` and `tar_at_far`, a target's own `interval`."""
    for name, interval in intervals.items():
        if name in section and isinstance(section[name], dict):
            for target, ends in interval.items():
                section[name][target]["interval"] = ends
        else:
            section[f"{name}_interval"] = interval


def _authentication_metrics(outcome: Authentication) -> dict[str, float]:
    return {name: round(getattr(outcome, name), 6) for name in ("accuracy", "far", "frr", "product", "always_reject")}
