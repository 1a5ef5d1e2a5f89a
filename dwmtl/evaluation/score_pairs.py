"""Verification of anybody's embeddings over a `pairs.txt`, as one JSON object that says everything that was done.

Imports neither torch nor pandas: it starts at once.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dwmtl.datasets.pairs_file import read_pairs
from dwmtl.errors import DataSetError, ProtocolError
from dwmtl.evaluation.embeddings_file import NamedEmbeddings, read_embeddings
from dwmtl.evaluation.verification import Verification, far_threshold_grid, threshold_grid, verify

_MOST_WRONG_PAIRS = 100


def score_pairs(
    embeddings_path: Path,
    pairs_path: Path,
    *,
    distance: str = "squared_euclidean",
    flip: str = "none",
    subtract_mean: bool = False,
    far_targets: Sequence[float] = (1e-3,),
) -> dict[str, object]:
    """Score embeddings by the LFW protocol; see `verification`.

    Args:
        embeddings_path: see `embeddings_file`. The embeddings are scaled to length 1, so any length will do.
        pairs_path: see `pairs_file`; its blocks are the folds.
        distance, subtract_mean: see `verify`.
        flip: what becomes of the mirrored image's embedding: `none`, `concatenate` (facenet) or `sum` (insightface).
        far_targets: false accept rates at which VAL and TAR are given, in (0, 1).
    Returns:
        JSON values, not rounded. Fractions, distances as `distance` says. `wrong_pairs` are the most confident ones:
        name, name, is_same, distance, threshold. `num_images`: those that the pairs name. The rest is `Verification`'s.
    Raises:
        DataSetError: a file that cannot be read, or a pair naming an image without an embedding.
        ProtocolError: a target that is no rate, or embeddings that cannot be compared.
    """
    for target in far_targets:
        if not 0 < target < 1:
            raise ProtocolError(f"far_target must be a rate in (0, 1). Got {target:g} instead.")
    embeddings = read_embeddings(embeddings_path, flip=flip)
    rows_a, rows_b, is_same, folds = _read_rows(pairs_path, embeddings, embeddings_path)
    outcome = verify(
        embeddings,
        rows_a,
        rows_b,
        is_same,
        folds,
        distance=distance,
        subtract_mean=subtract_mean,
        far_targets=far_targets,
    )
    return {
        "num_pairs": len(folds),
        "num_folds": len(outcome.accuracy_per_fold),
        "num_images": len(np.union1d(rows_a, rows_b)),
        **_numbers(outcome, far_targets),
        **_wrong_pairs(outcome, embeddings.names, rows_a, rows_b, is_same, folds),
        "settings": {
            "embeddings": embeddings_path.name,
            "pairs": pairs_path.name,
            "distance": distance,
            "normalized": True,
            "flip": flip,
            "subtract_mean": subtract_mean,
            "far_targets": list(far_targets),
            "threshold_grid": _grid(threshold_grid(distance)),
            "far_threshold_grid": _grid(far_threshold_grid(distance)),
        },
    }


def _read_rows(pairs_path: Path, embeddings: NamedEmbeddings, embeddings_path: Path) -> tuple[np.ndarray, ...]:
    """rows_a, rows_b, is_same, folds of `verify`; 16 bytes a pair while the file is read."""
    rows_a, rows_b, is_same, folds = array("q"), array("q"), array("b"), array("q")
    for pair in read_pairs(pairs_path):
        for name, rows in ((pair.image_a, rows_a), (pair.image_b, rows_b)):
            row = embeddings.rows.get(name)
            if row is None:
                raise DataSetError(
                    f"{pairs_path}, line {pair.line}: {name} has no embedding in {embeddings_path}. Every pair is "
                    "scored: add it, or correct its name."
                )
            rows.append(row)
        is_same.append(pair.is_same)
        folds.append(pair.fold)
    return np.array(rows_a), np.array(rows_b), np.array(is_same, dtype=bool), np.array(folds)


def _numbers(outcome: Verification, far_targets: Sequence[float]) -> dict[str, object]:
    return {
        "accuracy_per_fold": outcome.accuracy_per_fold.tolist(),
        "accuracy_mean": outcome.accuracy_mean,
        "accuracy_std": outcome.accuracy_std,
        "threshold_per_fold": outcome.threshold_per_fold.tolist(),
        "val_at_far": [vars(rate) for rate in outcome.val_at_far],
        "tar_at_far": [_tar_at(outcome, target) for target in far_targets],
        "auc": outcome.auc,
        "eer": outcome.eer,
    }


def _tar_at(outcome: Verification, target: float) -> dict[str, float]:
    """TAR at the last point of the mean ROC whose FAR is no more than the target; nothing is interpolated."""
    point = int(np.flatnonzero(outcome.far <= target)[-1])  # the first point's FAR is 0
    return {"far_target": target, "far": float(outcome.far[point]), "tar": float(outcome.tar[point])}


def _wrong_pairs(
    outcome: Verification,
    names: list[str],
    rows_a: np.ndarray,
    rows_b: np.ndarray,
    is_same: np.ndarray,
    folds: np.ndarray,
) -> dict[str, object]:
    """The pairs decided wrong, farthest from their fold's threshold first; equally far ones in the file's order."""
    thresholds = outcome.threshold_per_fold[folds]
    wrong = np.flatnonzero(outcome.accepted != is_same)
    order = np.argsort(-np.abs(outcome.distances - thresholds)[wrong], kind="stable")[:_MOST_WRONG_PAIRS]
    return {
        "num_wrong_pairs": len(wrong),
        "wrong_pairs": [
            [
                names[rows_a[i]],
                names[rows_b[i]],
                bool(is_same[i]),
                float(outcome.distances[i]),
                float(thresholds[i]),
            ]
            for i in wrong[order]
        ],
    }


def _grid(thresholds: np.ndarray) -> dict[str, float]:
    """Evenly spaced thresholds, as a reader takes them in."""
    return {
        "first": round(float(thresholds[0]), 6),
        "step": round(float(thresholds[1]), 6),
        "last": round(float(thresholds[-1]), 6),
    }
