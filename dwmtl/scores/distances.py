"""Distances between embeddings, pair by pair. Pure; opens no file.

A pair is two row numbers into the embeddings of the images, each there once. Both sides of all pairs are never in
memory at once: a million pairs of 512 numbers would take 8 GB.
"""

from typing import Protocol

import numpy as np

from dwmtl.errors import ProtocolError

_CHUNK = 512
"""Pairs, or images, compared at a time: 2 MiB a copy of 512-dimensional embeddings, which stays in the cache."""


class Embeddings(Protocol):
    """Embeddings of M images: an array (M, D), or what looks like one when indexed by an array of row numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray: ...


def pair_distances(a: np.ndarray, b: np.ndarray, *, distance: str) -> np.ndarray:
    """Distances of N pairs of embeddings, lower is closer: (N, D), (N, D) -> (N,).

    `squared_euclidean`, in [0, 4] for unit embeddings, or `cosine`: 1 - cosine of the angle, in [0, 2].

    Raises:
        ProtocolError: an embedding of length 0, which has no direction to compare.
    """
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    if not (lengths[0].all() and lengths[1].all()):
        raise ProtocolError("an embedding has length 0; the model is broken. Train it again.")
    if distance == "squared_euclidean":
        return np.square(a - b).sum(axis=1)
    cosine = (a * b).sum(axis=1) / (lengths[0] * lengths[1])
    return np.clip(1 - cosine, 0, 2)  # equal embeddings may come out below 0, and would be accepted at a threshold of 0


def distances_of_pairs(
    embeddings: Embeddings, rows_a: np.ndarray, rows_b: np.ndarray, distance: str, mean: np.ndarray | None = None
) -> np.ndarray:
    """Distances of N pairs, a chunk at a time: (N,)."""
    distances = np.empty(len(rows_a))
    for start in range(0, len(rows_a), _CHUNK):
        part = slice(start, start + _CHUNK)
        a, b = _float64_rows(embeddings, rows_a[part]), _float64_rows(embeddings, rows_b[part])
        if mean is not None:
            a, b = a - mean, b - mean
        distances[part] = pair_distances(a, b, distance=distance)
    return distances


def mean_of_sides(embeddings: Embeddings, rows_a: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
    """Mean embedding of both sides of pairs, each image counted as often as the pairs name it: (D,)."""
    counts = np.bincount(rows_a, minlength=len(embeddings)) + np.bincount(rows_b, minlength=len(embeddings))
    named = np.flatnonzero(counts)
    parts = (named[start : start + _CHUNK] for start in range(0, len(named), _CHUNK))
    return sum(counts[part] @ _float64_rows(embeddings, part) for part in parts) / counts.sum()


def _float64_rows(embeddings: Embeddings, rows: np.ndarray) -> np.ndarray:
    found = np.asarray(embeddings[rows], dtype=np.float64)
    if not np.isfinite(found).all():
        raise ProtocolError("an embedding holds NaN or infinity; the model is broken. Train it again.")
    return found
