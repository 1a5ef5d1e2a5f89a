"""The official protocol: the parts that a set's authors cut it into say what is trained on, validated on and tested."""

import numpy as np
import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.folds import NO_FOLD

PART = "part"
"""Column of a manifest: one of `FOLD_OF_PART`. A photo without a part is trained on."""

TEST_FOLD = 0
VALIDATION_FOLD = -2
"""The fold of the official validation part: it is neither trained on nor tested, but chooses the best epoch."""

FOLD_OF_PART = {"": NO_FOLD, "train": NO_FOLD, "validation": VALIDATION_FOLD, "test": TEST_FOLD}


def official_folds(labels: pd.DataFrame) -> pd.Series:
    """The fold of each photo by its official part: (N,) int.

    Args:
        labels: what `label_expressions` returns, and the column `part`.
    Raises:
        ProtocolError: there is no such column or a value is no part, the training or the test part has no photo with
            an expression, or a subject is in two parts.
    """
    if PART not in labels:
        raise ProtocolError(
            f"labels.protocol is official, and no set of the role expression has a column {PART}. Use raf_db, "
            "affect_net or fer2013, add the column to faces.csv, or set labels.protocol to folds."
        )
    wrong = labels[~labels[PART].isin(list(FOLD_OF_PART))]
    if len(wrong):
        raise ProtocolError(
            f"{PART} must be train, validation, test or empty. Got {wrong[PART].iloc[0][:40]!r} for "
            f"{wrong['photo'].iloc[0]}."
        )
    folds = labels[PART].map(FOLD_OF_PART).astype(int)
    for fold, name in ((NO_FOLD, "training"), (TEST_FOLD, "test")):
        if not (labels["expression"] != "")[folds == fold].any():
            raise ProtocolError(
                f"labels.protocol is official, and the official {name} part has no photo with an expression. Complete "
                "the set, or set labels.protocol to folds."
            )
    _refuse_subjects_in_two_parts(labels["subject"], folds)
    return folds


def _refuse_subjects_in_two_parts(subjects: pd.Series, folds: pd.Series) -> None:
    known = subjects[subjects != ""]
    num_parts = folds[known.index].groupby(known).nunique()
    if in_two := sorted(num_parts[num_parts > 1].index):
        raise ProtocolError(
            f"{len(in_two)} subjects are in two official parts, first {in_two[0]}: the identity task would be trained "
            f"on people of the test. Correct the column {PART}, or leave the column subject empty."
        )


def subject_folds(labels: pd.DataFrame) -> pd.DataFrame:
    """The known subjects of the test part, in its fold: columns `tables.FOLDS`."""
    names = sorted(set(labels.loc[labels["fold"] == TEST_FOLD, "subject"]) - {""})
    return pd.DataFrame({"subject": names, "fold": TEST_FOLD}, columns=list(tables.FOLDS))


def is_held_out(labels: pd.DataFrame, fraction: float, *, seed: int) -> pd.Series:
    """Which photos choose the best epoch, under the official protocol: (N,) bool.

    The official validation part where there is one. Else a share of the training part, drawn at random: of its
    subjects, and of the photos whose subject is unknown.

    Args:
        labels: columns photo, subject, and fold of `official_folds`.
        fraction: in [0, 0.5); at least one subject or photo where it is more than 0.
        seed: of the draw, which depends on the names, not on the order of rows.
    """
    is_validation = labels["fold"] == VALIDATION_FOLD
    if is_validation.any() or not fraction:
        return is_validation
    unit = labels["subject"].where(labels["subject"] != "", labels["photo"])
    is_training = labels["fold"] == NO_FOLD
    units = np.array(sorted(set(unit[is_training])), dtype=object)
    drawn = np.random.default_rng(seed).permutation(len(units))[: max(1, round(fraction * len(units)))]
    return is_training & unit.isin(set(units[drawn]))
