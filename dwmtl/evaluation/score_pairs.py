"""Embeddings of any model, read from a file, scored over the pairs of another file.

Imports neither torch nor pandas, which are slow to import.
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
        embeddings_path: see `embeddings_file`. The embeddings are scaled to length 1.
        pairs_path: see `pairs_file`; its blocks are the folds.
        distance, subtract_mean: see `verify`.
        flip: how the mirrored image's embedding is used: `none`, `concatenate` (facenet) or `sum` (insightface).
        far_targets: false accept rates at which VAL and TAR are computed, in (0, 1).
    Raises:
        DataSetError: a file cannot be read, or a pair names an image without an embedding.
        ProtocolError: a target is not a rate, or embeddings cannot be compared.
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
    """rows_a, rows_b, is_same and folds of `verify`. Reading takes 16 bytes of memory per pair.

    The embeddings may name an image with its person's folder, as `dwmtl embed` does in LFW's layout.
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
