"""Thresholds: below which distance two faces count as the same person. Pure; opens no file.

By the LFW protocol a fold's threshold is chosen on the other folds' pairs, `most_accurate` or `largest_within` a false
accept rate; `verification` applies it to the fold. A model in use has no folds: its `operating_threshold` is the mean
over the folds. The folds' thresholds were chosen on people that the model has not seen, and no score of the protocol
uses their mean. It suits a use with as many genuine as impostor pairs, as in the protocol; where impostors are more
frequent or a false accept is costly, use a smaller threshold.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # using a model needs no tables
    import pandas as pd


RATE_ROUNDING = 1e-12
"""Relative: rates that differ by less are equal. A mean over folds rounds, and so does a target times a count."""

_GRID_SCALE = {"squared_euclidean": 1.0, "cosine": 0.5}
"""Cosine distance is half the squared Euclidean one, so its grids are half as wide."""


def threshold_grid(distance: str) -> np.ndarray:
    """Candidates for the most accurate threshold: (400,)."""
    return np.arange(0, 4, 0.01) * _GRID_SCALE[distance]


def far_threshold_grid(distance: str) -> np.ndarray:
    """Candidates for the largest threshold within a false accept rate: (4000,)."""
    return np.arange(0, 4, 0.001) * _GRID_SCALE[distance]


def most_accurate(grid: np.ndarray, accuracies: np.ndarray) -> float:
    """The threshold with the greatest accuracy, the first of equal ones.

    Args:
        grid: (R,), rising thresholds.
        accuracies: (R,), of each threshold on the other folds' pairs, fractions.
    Source: davidsandberg/facenet.
    """
    return float(grid[np.argmax(accuracies)])


def largest_within(grid: np.ndarray, fars: np.ndarray, *, far_target: float) -> float:
    """The largest threshold whose false accept rate does not exceed a target; facenet interpolates instead.

    Args:
        grid: (R,), rising thresholds; the first is 0, which accepts nothing.
        fars: (R,), of each threshold on the other folds' pairs, fractions.
    """
    return float(grid[np.flatnonzero(fars <= far_target)[-1]])


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How embeddings were compared; see `EvaluateParams`."""

    distance: str
    flip: str
    subtract_mean: bool


@dataclass(frozen=True, kw_only=True)
class ModelComparison(ComparisonSettings):
    """How embeddings were compared, and the SHA-256 of the weights that computed them."""

    model_sha256: str


@dataclass(frozen=True, kw_only=True)
class FoldThresholds:
    """The content of `threshold.json`, under the keys of a scores file (see `score_pairs`).

    Attributes:
        num_pairs: pairs of the verification set.
        threshold_per_fold: in the order of the numbers of the pairs' folds.
    """

    num_pairs: int
    threshold_per_fold: tuple[float, ...]
    settings: ModelComparison


@dataclass(frozen=True)
class Threshold:
    """When two faces count as one person.

    Attributes:
        value: the same person if the distance is strictly smaller.
        distance: `squared_euclidean` (in [0, 4]) or `cosine` (in [0, 2]), see `distances.pair_distances`.
        source: a description of where the value comes from.
    """

    value: float
    distance: str
    source: str


def fold_thresholds(pairs: "pd.DataFrame", settings: ComparisonSettings, *, model_sha256: str) -> FoldThresholds:
    """The thresholds of a model's evaluation on the verification set.

    Args:
        pairs: columns `tables.EVALUATED_PAIRS`; rows of other sets are ignored.
        settings: how the pairs were compared.
        model_sha256: SHA-256 of the evaluated weights.
    """
    verification_pairs = pairs[pairs["set"] == "verification"]
    return FoldThresholds(
        num_pairs=len(verification_pairs),
        threshold_per_fold=tuple(verification_pairs.groupby("fold")["threshold"].first().tolist()),
        settings=ModelComparison(**vars(settings), model_sha256=model_sha256),
    )


def operating_threshold(thresholds: FoldThresholds) -> float:
    """The mean over the folds."""
    return float(np.mean(thresholds.threshold_per_fold))
