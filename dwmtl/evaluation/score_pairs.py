"""Verification of anybody's embeddings over named pairs, as one JSON object that says everything that was done.

Imports neither torch nor pandas: it starts at once.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dwmtl.datasets.pairs_file import read_pairs
from dwmtl.errors import DataSetError, ProtocolError
from dwmtl.evaluation.embeddings_file import NamedEmbeddings, read_embeddings
from dwmtl.scores.verification import (
    Embeddings,
    Verification,
    far_threshold_grid,
    tar_at,
    threshold_grid,
    verify,
)
from dwmtl.scores.verification_intervals import JudgedPairs, verification_intervals

_MOST_WRONG_PAIRS = 100
_SEED = 0


@dataclass(frozen=True)
class NamedPairs:
    """N pairs of M named images.

    Attributes:
        names: the images', in the order of their embeddings.
        rows_a, rows_b, is_same, folds: see `verify`.
    """

    names: list[str]
    rows_a: np.ndarray
    rows_b: np.ndarray
    is_same: np.ndarray
    folds: np.ndarray


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
        See `score_named`.
    Raises:
        DataSetError: a file that cannot be read, or a pair naming an image without an embedding.
        ProtocolError: a target that is no rate, or embeddings that cannot be compared.
    """
    check_far_targets(far_targets)
    embeddings = read_embeddings(embeddings_path, flip=flip)
    pairs = NamedPairs(embeddings.names, *_read_rows(pairs_path, embeddings, embeddings_path))
    return score_named(
        embeddings,
        pairs,
        distance=distance,
        subtract_mean=subtract_mean,
        far_targets=far_targets,
        settings={"embeddings": embeddings_path.name, "pairs": pairs_path.name, "flip": flip},
    )


def check_far_targets(far_targets: Sequence[float]) -> None:
    """Refuse what is no rate before anything is embedded or read.

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
    settings: dict[str, object],
) -> dict[str, object]:
    """Score pairs of unit embeddings, and name the wrong ones.

    Args:
        embeddings: (M, D), in the order of `pairs.names`.
        settings: what was scored and how it was embedded, to stand among the others.
    Returns:
        JSON values, not rounded. Fractions, distances as `distance` says. `wrong_pairs` are the most confident ones:
        name, name, is_same, distance, threshold. `num_images`: those that the pairs name. `intervals`: by drawing other
        people, see `verification_intervals`; None where the names do not say who is on an image. The rest is
        `Verification`'s.
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
    return {
        "num_pairs": len(pairs.folds),
        "num_folds": len(outcome.accuracy_per_fold),
        "num_images": len(np.union1d(pairs.rows_a, pairs.rows_b)),
        **_numbers(outcome, far_targets),
        "intervals": _intervals(outcome, pairs, distance, far_targets),
        **_wrong_pairs(outcome, pairs),
        "settings": {
            **settings,
            "distance": distance,
            "normalized": True,
            "subtract_mean": subtract_mean,
            "far_targets": list(far_targets),
            "threshold_grid": _grid(threshold_grid(distance)),
            "far_threshold_grid": _grid(far_threshold_grid(distance)),
        },
    }


def _read_rows(pairs_path: Path, embeddings: NamedEmbeddings, embeddings_path: Path) -> tuple[np.ndarray, ...]:
    """rows_a, rows_b, is_same, folds of `verify`; 16 bytes a pair while the file is read.

    An image of the pairs may have its person's folder before its name, as `dwmtl embed` names those of LFW's layout.
    """
    rows_a, rows_b, is_same, folds = array("q"), array("q"), array("b"), array("q")
    for pair in read_pairs(pairs_path):
        for name, rows in ((pair.image_a, rows_a), (pair.image_b, rows_b)):
            row = embeddings.rows.get(name, embeddings.rows.get(f"{name.rpartition('_')[0]}/{name}"))
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
        "val_at_far": [
            {name: getattr(rate, name) for name in ("far_target", "val_mean", "val_std", "far_mean")}
            for rate in outcome.val_at_far
        ],
        "tar_at_far": [_tar_at(outcome, target) for target in far_targets],
        "auc": outcome.auc,
        "eer": outcome.eer,
    }


def _tar_at(outcome: Verification, target: float) -> dict[str, float]:
    tar, far = tar_at(outcome, target)
    return {"far_target": target, "far": far, "tar": tar}


def _intervals(
    outcome: Verification, pairs: NamedPairs, distance: str, far_targets: Sequence[float]
) -> dict[str, object] | None:
    subjects = _subjects(pairs)
    if subjects is None:
        return None
    order = np.argsort(far_targets, kind="stable")
    places = np.unique(pairs.folds, return_inverse=True)[1]
    val_thresholds = np.array([rate.threshold_per_fold for rate in outcome.val_at_far])[order]
    judged = JudgedPairs(
        distances=outcome.distances,
        is_same=pairs.is_same,
        accepted=outcome.accepted,
        val_accepted=outcome.distances < val_thresholds[:, places],
        subjects=subjects[pairs.rows_a],
        partners=subjects[pairs.rows_b],
        networks=np.zeros(len(places), int),
    )
    intervals = verification_intervals(
        judged, thresholds=threshold_grid(distance), far_targets=np.array(far_targets)[order], seed=_SEED
    )
    asked = np.argsort(order)
    return intervals | {name: [intervals[name][i] for i in asked] for name in ("val_at_far", "tar_at_far")}


def _subjects(pairs: NamedPairs) -> np.ndarray | None:
    """A number a person for every image: (M,). An image's name is its person's and a number, `Aaron_Eckhart_0001`.

    None where that cannot be, as in a pack: a genuine pair of two persons, or an impostor pair of one.
    """
    _, subjects = np.unique([name.rpartition("_")[0] for name in pairs.names], return_inverse=True)
    is_one = subjects[pairs.rows_a] == subjects[pairs.rows_b]
    return subjects if (is_one == pairs.is_same).all() else None


def _wrong_pairs(outcome: Verification, pairs: NamedPairs) -> dict[str, object]:
    """The pairs decided wrong, farthest from their fold's threshold first; equally far ones in the file's order."""
    thresholds = outcome.threshold_per_fold[pairs.folds]
    wrong = np.flatnonzero(outcome.accepted != pairs.is_same)
    order = np.argsort(-np.abs(outcome.distances - thresholds)[wrong], kind="stable")[:_MOST_WRONG_PAIRS]
    return {
        "num_wrong_pairs": len(wrong),
        "wrong_pairs": [
            [
                pairs.names[pairs.rows_a[i]],
                pairs.names[pairs.rows_b[i]],
                bool(pairs.is_same[i]),
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
