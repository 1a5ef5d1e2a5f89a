"""A plane through a fold's embeddings, for the eye: principal components. Opens no file."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MOST_PHOTOS = 400
"""More points hide each other, and make the page large."""


@dataclass(frozen=True)
class EmbeddingMap:
    """Test photos of a fold in the plane of their embeddings' two largest variances.

    Attributes:
        points: columns `subject`, `expression`, `x`, `y`; a row per photo.
        explained: the share of the variance that the plane holds.
    """

    fold: int
    points: pd.DataFrame
    explained: float


def mapped_photos(predictions: pd.DataFrame) -> pd.DataFrame:
    """The rows of `predictions.csv` to map: all, or evenly spaced ones of a large set, sorted by photo."""
    rows = predictions.sort_values("photo", ignore_index=True)
    places = np.linspace(0, len(rows) - 1, min(len(rows), MOST_PHOTOS)).round().astype(int)
    return rows.iloc[places].reset_index(drop=True)


def embedding_map(fold: int, photos: pd.DataFrame, embeddings: np.ndarray) -> EmbeddingMap | None:
    """Project embeddings.

    Args:
        photos: columns `subject` and `expression`; a row per embedding.
        embeddings: (N, D).
    Returns:
        None for fewer than three photos, or embeddings that are all equal.
    """
    if len(photos) < 3 or not np.ptp(embeddings, axis=0).any():
        return None
    centered = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(centered, full_matrices=False)
    plane = directions[:2]
    longest = np.take_along_axis(plane, np.abs(plane).argmax(axis=1, keepdims=True), axis=1)
    places = (centered @ (np.sign(longest) * plane).T).round(3)  # a direction has no sign of its own
    points = photos[["subject", "expression"]].assign(x=places[:, 0], y=places[:, 1])
    return EmbeddingMap(fold, points, float((lengths[:2] ** 2).sum() / (lengths**2).sum()))
