"""Anybody's embeddings, read from a file, scored over the pairs of another.

Imports neither torch nor pandas: it starts at once.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dwmtl.datasets.pairs_file import read_pairs
from dwmtl.errors import DataSetError
from dwmtl.evaluation.embeddings_file import NamedEmbeddings, read_embeddings
from dwmtl.scores.pair_scores import NamedPairs, PairScores, check_far_targets, score_named


def score_pairs(
    embeddings_path: Path,
    pairs_path: Path,
    *,
    distance: str = "squared_euclidean",
    flip: str = "none",
    subtract_mean: bool = False,
    far_targets: Sequence[float] = (1e-3,),
) -> PairScores:
    """Score embeddings by the LFW protocol; see `verification`.

    Args:
        embeddings_path: see `embeddings_file`. The embeddings are scaled to length 1, so any length will do.
        pairs_path: see `pairs_file`; its blocks are the folds.
        distance, subtract_mean: see `verify`.
        flip: what becomes of the mirrored image's embedding: `none`, `concatenate` (facenet) or `sum` (insightface).
        far_targets: false accept rates at which VAL and TAR are given, in (0, 1).
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


def _read_rows(pairs_path: Path, embeddings: NamedEmbeddings, embeddings_path: Path) -> tuple[np.ndarray, ...]:
    """rows_a, rows_b, is_same, folds of `verify`; 16 bytes per pair while the file is read.

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
