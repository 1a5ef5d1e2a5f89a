"""The verification sets side by side: a row per set and the mean over the sets, as papers print them. Opens no file.

docs/evaluation.md explains each key of `verification.json`, which a test checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dwmtl.report.fold_results import FoldResult, SetResult, StartResult
from dwmtl.report.summary import Score, over_folds
from dwmtl.scores.exact_roc import RULE_OF_30, ExactRoc, exact_roc, num_impostors_needed
from dwmtl.scores.intervals import pairs_intervals
from dwmtl.scores.metrics import DECIMALS

_NUM_CURVE_POINTS = 201


@dataclass(frozen=True, kw_only=True)
class TarAtFar:
    """TAR at a FAR, over all pairs of the set, see `ExactRoc.tar_within`.

    Attributes:
        num_impostors: impostor pairs that the FAR allows to be accepted: the number that the TAR rests on.
        num_impostors_needed: impostor pairs of the set that would allow one.
        tar: None where the FAR allows not one.
        is_rough: whether the TAR rests on fewer than 30.
    """

    num_impostors: int
    num_impostors_needed: int
    tar: Score | None
    is_rough: bool


@dataclass(frozen=True, kw_only=True)
class SetScores:
    """The scores on a verification set, by its own blocks of pairs.

    Attributes:
        start_accuracy: of the model that the folds start from.
        tar_at_far: by target, as text.
    """

    num_genuine: int
    num_impostor: int
    accuracy: Score
    auc: Score
    eer: Score
    start_accuracy: float
    tar_at_far: dict[str, TarAtFar]


@dataclass(frozen=True, kw_only=True)
class MeanOfSets:
    """Means over the sets, each set with the same weight; without intervals."""

    accuracy: Score
    auc: Score
    eer: Score
    start_accuracy: float


@dataclass(frozen=True, kw_only=True)
class VerificationSets:
    """All verification sets; `sets`: by name, the main one first; `mean`: None where there is one set."""

    main_set: str
    sets: dict[str, SetScores]
    mean: MeanOfSets | None

    @property
    def accuracies(self) -> dict[str, float]:
        """The accuracy on each set, and their mean, for `summary.json`; empty where there is one set."""
        if self.mean is None:
            return {}
        of_sets = {f"verification_accuracy_of_{name}": scores.accuracy.mean for name, scores in self.sets.items()}
        return of_sets | {"verification_accuracy_mean_of_sets": self.mean.accuracy.mean}


@dataclass(frozen=True)
class Curve:
    """A set's ROC for a logarithmic axis: `far`, (P,), from one impostor to all; `tars`: (P,) for each fold."""

    far: np.ndarray
    tars: list[np.ndarray]
    num_genuine: int


def verification_sets(
    folds: Sequence[FoldResult], start: StartResult, *, main_set: str, far_targets: Sequence[float]
) -> VerificationSets:
    """The scores of all folds' networks on every verification set."""
    sets = {
        name: _set_scores(
            results, _sets_of(start, main_set)[name], distance=folds[0].metrics.settings.distance, fars=far_targets
        )
        for name, results in by_set(folds, main_set).items()
    }
    return VerificationSets(main_set=main_set, sets=sets, mean=_mean(list(sets.values())) if len(sets) > 1 else None)


def verification_curves(folds: Sequence[FoldResult], *, main_set: str) -> dict[str, Curve]:
    """The curve of each set, by name, in the order of `VerificationSets`."""
    return {name: _curve([_roc(result) for result in results]) for name, results in by_set(folds, main_set).items()}


def by_set(folds: Sequence[FoldResult], main_set: str) -> dict[str, list[SetResult]]:
    """A set's name -> the result of each fold."""
    of_folds = [{main_set: fold.main_set, **fold.further_sets} for fold in folds]
    return {name: [of_fold[name] for of_fold in of_folds] for name in of_folds[0]}


def _sets_of(start: StartResult, main_set: str) -> dict[str, SetResult]:
    return {main_set: start, **start.further_sets}


def _set_scores(results: list[SetResult], start: SetResult, *, distance: str, fars: Sequence[float]) -> SetScores:
    metrics, rocs = [result.metrics for result in results], [_roc(result) for result in results]
    intervals = pairs_intervals([result.pairs for result in results], metrics, distance)
    return SetScores(
        num_genuine=len(rocs[0].genuine),
        num_impostor=len(rocs[0].impostor),
        accuracy=over_folds([fold.accuracy_mean for fold in metrics], intervals.accuracy),
        auc=over_folds([fold.auc for fold in metrics], intervals.auc),
        eer=over_folds([fold.eer for fold in metrics], intervals.eer),
        start_accuracy=start.metrics.accuracy_mean,
        tar_at_far={shown_rate(far): _tar_at_far(rocs, far) for far in fars},
    )


def _tar_at_far(rocs: list[ExactRoc], far: float) -> TarAtFar:
    target = np.array([far])
    num_allowed = int(rocs[0].num_allowed(target)[0])
    tars = [round(float(roc.tar_within(target)[0]), DECIMALS) for roc in rocs]
    return TarAtFar(
        num_impostors=num_allowed,
        num_impostors_needed=num_impostors_needed(far),
        tar=over_folds(tars, None) if num_allowed else None,
        is_rough=0 < num_allowed < RULE_OF_30,
    )


def _mean(sets: Sequence[SetScores]) -> MeanOfSets:
    def mean(scores: Sequence[Score]) -> Score:
        per_fold = np.array([score.per_fold for score in scores], float).mean(axis=0).round(DECIMALS)
        return over_folds(per_fold.tolist(), None)

    return MeanOfSets(
        accuracy=mean([scores.accuracy for scores in sets]),
        auc=mean([scores.auc for scores in sets]),
        eer=mean([scores.eer for scores in sets]),
        start_accuracy=round(float(np.mean([scores.start_accuracy for scores in sets])), DECIMALS),
    )


def _roc(result: SetResult) -> ExactRoc:
    return exact_roc(result.pairs["distance"].to_numpy(float), result.pairs["is_same_identity"].to_numpy(bool))


def _curve(rocs: list[ExactRoc]) -> Curve:
    far = np.geomspace(1 / len(rocs[0].impostor), 1, _NUM_CURVE_POINTS)
    return Curve(far, [roc.tar_within(far) for roc in rocs], len(rocs[0].genuine))


def shown_rate(rate: float) -> str:
    """`1e-6`, `0.001`."""
    return f"{rate:g}".replace("e-0", "e-")
