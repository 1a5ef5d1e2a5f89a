"""Pairs from a file in place of generated ones, for the test subjects of one fold."""

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.protocol.expressions import NEUTRAL


def check_given_pairs(pairs: pd.DataFrame, labels: pd.DataFrame) -> int:
    """Check given pairs against the labels; returns the fold whose test subjects they name.

    Args:
        pairs: table of `tables.GIVEN_PAIRS`.
        labels: table of `tables.EXPRESSION_LABELS`, every fold of it.
    Raises:
        ProtocolError: a photo is not in the labels, a pair contradicts them, no peak shows a required expression, the
            subjects are unknown, in no fold, in several, or in an official validation part, or no pair is to be
            accepted or none to be rejected.
    """
    labelled = labels.set_index("photo")
    for column in ("input", "reference"):
        unknown = pairs.loc[~pairs[column].isin(labelled.index), column]
        if len(unknown):
            raise ProtocolError(
                f"pairs.file names {unknown.iloc[0]}, which is not in the labels: index.num_peak_frames, "
                "sets.*.expressions or labels.drop_duplicates left it out. Change them, or remove the pair."
            )
    _check_kinds(pairs)
    a, b = (labelled.loc[pairs[column]].reset_index() for column in ("input", "reference"))
    _check_subjects(pd.concat([a, b]))
    _check_contradictions(pairs, a, b)
    shown = set(labels.loc[labels["use"] == "peak", "expression"])
    if unknown := sorted(set(pairs["expression_required"]) - shown):
        raise ProtocolError(
            f"pairs.file requires {', '.join(unknown)}, but the expression set shows {', '.join(sorted(shown))}. Map "
            "the set's names to common names in sets.*.expressions."
        )
    return _only_fold(pd.concat([a, b]))


def interleave_pairs(pairs: pd.DataFrame, *, num_blocks: int) -> pd.DataFrame:
    """Cut pairs that are sorted by kind, as in the authors' file, into blocks with equal shares of genuine pairs.

    Genuine and impostor pairs are spread evenly over the table, each in their order.

    Args:
        pairs: columns `tables.EXPRESSION_PAIRS` without the fold, and any others.
        num_blocks: >= 2.
    Returns:
        The pairs in their new order, with their blocks as fold; the sizes of blocks differ by at most one.
    Raises:
        ProtocolError: a kind has too few pairs for the blocks.
    """
    is_genuine = pairs["is_same_identity"].to_numpy(bool)
    num_genuine, num_impostor = int(is_genuine.sum()), int((~is_genuine).sum())
    if min(num_genuine, num_impostor) < num_blocks:
        raise ProtocolError(
            f"{num_genuine} genuine and {num_impostor} impostor pairs cannot be cut into {num_blocks} blocks "
            "that each hold both. Take fewer blocks, or add pairs."
        )
    kinds = pairs.groupby("is_same_identity")["is_same_identity"]
    place = (kinds.cumcount() + 0.5) / kinds.transform("size")
    fold = np.empty(len(pairs), dtype=int)
    fold[is_genuine] = _blocks_from(0, num_genuine, num_blocks)
    fold[~is_genuine] = _blocks_from(num_genuine % num_blocks, num_impostor, num_blocks)  # evens out the sizes
    order = np.lexsort((~is_genuine, place, fold))
    return pairs.assign(fold=fold).iloc[order].reset_index(drop=True)


def _check_kinds(pairs: pd.DataFrame) -> None:
    """Authentication is scored by the pairs that it wrongly rejects, and by those that it wrongly accepts."""
    is_to_accept = pairs["is_same_identity"] & pairs["is_required_expression"]
    for kind, is_of_kind in (("accept", is_to_accept), ("reject", ~is_to_accept)):
        if not is_of_kind.any():
            raise ProtocolError(
                f"pairs.file has no pair to {kind}, and authentication needs both kinds: a pair of one person who "
                "shows the required expression is to accept, any other is to reject. Add such pairs to the file, or "
                "set pairs.file to null."
            )


def _check_subjects(photos: pd.DataFrame) -> None:
    """An official test part may name no subjects; then no pair is genuine or impostor."""
    unknown = photos.loc[photos["subject"] == "", "photo"]
    if len(unknown):
        raise ProtocolError(
            f"pairs.file names {unknown.iloc[0]}, whose subject is unknown. Remove its pairs, or set pairs.file to "
            "null."
        )


def _check_contradictions(pairs: pd.DataFrame, inputs: pd.DataFrame, references: pd.DataFrame) -> None:
    """Compare each pair with the labels of its photos, which are in the pairs' order."""
    is_same = (inputs["subject"] == references["subject"]).to_numpy()
    facts = {
        "is_same_identity": is_same,
        "expression_actual": _expression(inputs),
        "expression_reference": _expression(references),
    }
    for column, of_labels in facts.items():
        wrong = np.flatnonzero(pairs[column].to_numpy() != of_labels)
        if len(wrong):
            pair = pairs.iloc[wrong[0]]
            raise ProtocolError(
                f"pairs.file has {column} {pair[column]} for {pair['input']} and {pair['reference']}, the labels "
                f"have {of_labels[wrong[0]]}. Correct the file or the labels."
            )


def _expression(photos: pd.DataFrame) -> np.ndarray:
    """The expression of each photo; a neutral photo that `limit_neutral` removed from the class counts as neutral."""
    return photos["expression"].mask(photos["use"] == "neutral", NEUTRAL).to_numpy()


def _only_fold(photos: pd.DataFrame) -> int:
    subjects = photos.groupby("fold")["subject"].agg(lambda names: ", ".join(sorted(set(names))))
    if len(subjects) != 1 or subjects.index[0] < 0:  # in no fold, or in the official validation part
        folds = "; ".join(f"fold {fold}: {names}" for fold, names in subjects.items())
        raise ProtocolError(
            f"pairs.file must name test subjects of one fold. Got {folds}. Set labels.folds to the split that the "
            "file was made for; where labels.protocol is official, name photos of the official test part, fold 0."
        )
    return int(subjects.index[0])


def _blocks_from(first: int, num_pairs: int, num_blocks: int) -> np.ndarray:
    """Block of each pair, ascending. Blocks with one more pair than others start at `first` and wrap around."""
    places = (np.arange(num_blocks) - first) % num_blocks
    return np.repeat(np.arange(num_blocks), num_pairs // num_blocks + (places < num_pairs % num_blocks))
