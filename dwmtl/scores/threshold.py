"""The threshold that a model is used with: below which distance two faces count as the same person. Pure.

The LFW protocol chooses a fold's threshold on the other folds' pairs. A use outside the protocol has no folds: it takes
the mean of their thresholds. They were chosen on people whom the model never saw, and no score of the protocol is made
with their mean. It suits a use in which genuine and impostor pairs are equally many, as they are in the protocol; where
impostors are many or a false accept is costly, a smaller one is right.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a use of a model needs no tables
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How embeddings were compared; see `EvaluateParams`."""

    distance: str
    flip: str
    subtract_mean: bool


@dataclass(frozen=True, kw_only=True)
class ModelComparison(ComparisonSettings):
    """The same, and whose embeddings: the SHA-256 of the weights."""

    model_sha256: str


@dataclass(frozen=True, kw_only=True)
class FoldThresholds:
    """What `threshold.json` holds of a fold's evaluation, under the keys of a scores file (see `score_pairs`).

    Attributes:
        num_pairs: of the verification set.
        threshold_per_fold: of its pairs, in the order of the folds' numbers.
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
        source: where the value comes from, for a reader.
    """

    value: float
    distance: str
    source: str


def fold_thresholds(pairs: "pd.DataFrame", settings: ComparisonSettings, *, model_sha256: str) -> FoldThresholds:
    """The thresholds of the verification set's pairs.

    Args:
        pairs: columns `tables.EVALUATED_PAIRS`; the rows of the verification set count.
        settings: how the pairs were compared.
        model_sha256: of the weights that were evaluated.
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
