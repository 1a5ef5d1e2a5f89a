"""The scores of named pairs of images: what `dwmtl score-pairs` and `dwmtl evaluate` write. Pure; opens no file.

Imports neither torch nor pandas, which are slow to import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dwmtl.errors import ProtocolError
from dwmtl.scores.bootstrap import Ends
from dwmtl.scores.distances import Embeddings
from dwmtl.scores.threshold import far_threshold_grid, threshold_grid
from dwmtl.scores.verification import Verification, tar_at, verify
from dwmtl.scores.verification_intervals import JudgedPairs, verification_intervals

_MOST_WRONG_PAIRS = 100
_SEED = 0


@dataclass(frozen=True)
class NamedPairs:
    """N pairs of M named images.

    Attributes:
        names: names of the images, in the order of their embeddings.
        rows_a, rows_b, is_same, folds: see `verify`.
    """

    names: list[str]
    rows_a: np.ndarray
    rows_b: np.ndarray
    is_same: np.ndarray
    folds: np.ndarray


@dataclass(frozen=True)
class Val:
    """See `ValidationRate`."""

    far_target: float
    val_mean: float
    val_std: float
    far_mean: float


@dataclass(frozen=True)
class Tar:
    """See `tar_at`."""

    far_target: float
    far: float
    tar: float


@dataclass(frozen=True)
class PairIntervals:
    """95 % intervals by resampling the subjects, see `verification_intervals`; one per target, in their order."""

    accuracy: Ends | None
    auc: Ends | None
    eer: Ends | None
    val_at_far: list[Ends | None]
    tar_at_far: list[Ends | None]


class WrongPair(NamedTuple):
    """A pair whose decision is wrong; a list in JSON."""

    name_a: str
    name_b: str
    is_same: bool
    distance: float
    threshold: float


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """The scores of named pairs. Fractions, not rounded; distances of the kind that `settings` names.

    Attributes:
        num_images: images that the pairs name.
        accuracy_per_fold, ..., eer: see `Verification`; `val_at_far` and `tar_at_far`: one per target.
        intervals: None where an image's subject cannot be derived from its name.
        wrong_pairs: the most confident first, at most 100.
        settings: what was scored, how it was embedded and how it was compared.
    """

    num_pairs: int
    num_folds: int
    num_images: int
    accuracy_per_fold: list[float]
    accuracy_mean: float
    accuracy_std: float
    threshold_per_fold: list[float]
    val_at_far: list[Val]
    tar_at_far: list[Tar]
    auc: float
    eer: float
    intervals: PairIntervals | None
    num_wrong_pairs: int
    wrong_pairs: list[WrongPair]
    settings: dict[str, object]


def check_far_targets(far_targets: Sequence[float]) -> None:
    """Check the false accept rates before anything is read or embedded.

    Raises:
        ProtocolError: a target outside (0, 1).
    """
    for target in far_targets:
        if not 0 < target < 1:
            raise ProtocolError(f"far_target must be a rate in (0, 1). Got {target:g} instead.")


def score_named(
    embeddings: Embeddings,
    pairs: NamedPairs,
    *,
    distance: str,
    subtract_mean: bool,
    far_targets: Sequence[float],
    settings: Mapping[str, object],
) -> PairScores:
    """Score pairs of unit embeddings, and name the wrong ones.

    Args:
        embeddings: (M, D), in the order of `pairs.names`.
        settings: what was scored and how it was embedded; those of the comparison are added. For the rest see `verify`.
    Raises:
        ProtocolError: embeddings that cannot be compared.
    """
    outcome = verify(
        embeddings,
        pairs.rows_a,
        pairs.rows_b,
        pairs.is_same,
        pairs.folds,
        distance=distance,
        subtract_mean=subtract_mean,
        far_targets=far_targets,
    )
    wrong = np.flatnonzero(outcome.accepted != pairs.is_same)
    return PairScores(
        num_pairs=len(pairs.folds),
        num_folds=len(outcome.accuracy_per_fold),
        num_images=len(np.union1d(pairs.rows_a, pairs.rows_b)),
        accuracy_per_fold=outcome.accuracy_per_fold.tolist(),
        accuracy_mean=outcome.accuracy_mean,
        accuracy_std=outcome.accuracy_std,
        threshold_per_fold=outcome.threshold_per_fold.tolist(),
        val_at_far=[Val(rate.far_target, rate.val_mean, rate.val_std, rate.far_mean) for rate in outcome.val_at_far],
        tar_at_far=[_tar(outcome, target) for target in far_targets],
        auc=outcome.auc,
        eer=outcome.eer,
        intervals=_intervals(outcome, pairs, distance, far_targets),
        num_wrong_pairs=len(wrong),
        wrong_pairs=_wrong_pairs(outcome, pairs, wrong),
        settings={
            **settings,
            **_distance_settings(distance),
            "subtract_mean": subtract_mean,
            "far_targets": list(far_targets),
        },
    )


def _distance_settings(distance: str) -> dict[str, object]:
    return {
        "distance": distance,
        "normalized": True,
        "threshold_grid": _grid(threshold_grid(distance)),
        "far_threshold_grid": _grid(far_threshold_grid(distance)),
    }


def _tar(outcome: Verification, target: float) -> Tar:
    tar, far = tar_at(outcome, target)
    return Tar(target, far, tar)


def _intervals(
    outcome: Verification, pairs: NamedPairs, distance: str, far_targets: Sequence[float]
) -> PairIntervals | None:
    subjects = _subjects(pairs)
    if subjects is None:
        return None
    growing = np.argsort(far_targets, kind="stable")
    places = _fold_places(pairs)
    shape = len(far_targets), len(outcome.threshold_per_fold)  # (0, F) without a target
    val_thresholds = np.reshape([rate.threshold_per_fold for rate in outcome.val_at_far], shape)[growing]
    intervals = verification_intervals(
        JudgedPairs(
            distances=outcome.distances,
            is_same=pairs.is_same,
            accepted=outcome.accepted,
            val_accepted=outcome.distances < val_thresholds[:, places],
            subjects=subjects[pairs.rows_a],
            partners=subjects[pairs.rows_b],
            networks=np.zeros(len(places), int),
        ),
        thresholds=threshold_grid(distance),
        far_targets=sorted(far_targets),
        seed=_SEED,
    )
    return PairIntervals(
        accuracy=intervals.accuracy,
        auc=intervals.auc,
        eer=intervals.eer,
        val_at_far=[intervals.val_at_far[target] for target in far_targets],
        tar_at_far=[intervals.tar_at_far[target] for target in far_targets],
    )


def _fold_places(pairs: NamedPairs) -> np.ndarray:
    """Place of each pair's fold among the folds' numbers, which need not start at 0: (N,)."""
    return np.unique(pairs.folds, return_inverse=True)[1]


def _subjects(pairs: NamedPairs) -> np.ndarray | None:
    """Number of each image's subject: (M,). An image is named by its subject and a number, `Aaron_Eckhart_0001`.

    None where the pairs contradict the names, as in a pack: a genuine pair of two subjects, or an impostor pair of one.
    """
    _, subjects = np.unique([name.rpartition("_")[0] for name in pairs.names], return_inverse=True)
    is_one = subjects[pairs.rows_a] == subjects[pairs.rows_b]
    return subjects if (is_one == pairs.is_same).all() else None


def _wrong_pairs(outcome: Verification, pairs: NamedPairs, wrong: np.ndarray) -> list[WrongPair]:
    """Farthest from their fold's threshold first; ties in the file's order."""
    thresholds = outcome.threshold_per_fold[_fold_places(pairs)]
    order = np.argsort(-np.abs(outcome.distances - thresholds)[wrong], kind="stable")[:_MOST_WRONG_PAIRS]
    return [
        WrongPair(
            pairs.names[pairs.rows_a[i]],
            pairs.names[pairs.rows_b[i]],
            bool(pairs.is_same[i]),
            float(outcome.distances[i]),
            float(thresholds[i]),
        )
        for i in wrong[order]
    ]


def _grid(thresholds: np.ndarray) -> dict[str, float]:
    """A description of evenly spaced thresholds."""
    return {
        "first": round(float(thresholds[0]), 6),
        "step": round(float(thresholds[1]), 6),
        "last": round(float(thresholds[-1]), 6),
    }
