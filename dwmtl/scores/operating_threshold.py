"""The threshold of a model in use: below which distance two faces count as the same person. Pure; opens no file.

The LFW protocol chooses a fold's threshold on the other folds' pairs. Outside the protocol there are no folds, and the
threshold is the mean over the folds. The folds' thresholds were chosen on people that the model has not seen, and no
score of the protocol uses their mean. It suits a use with as many genuine as impostor pairs, as in the protocol; where
impostors are more frequent or a false accept is costly, use a smaller threshold.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # using a model needs no tables
    import pandas as pd


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
