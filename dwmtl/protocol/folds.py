"""Subject-independent folds: who is tested when. Knows nothing of photos or expressions."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError

NO_FOLD = -1
"""The fold of a photo whose subject is not known: it is trained on in every fold, and tested on in none."""


def assign_folds(subjects: Iterable[str], *, num_folds: int, seed: int | None) -> pd.DataFrame:
    """Cut the subjects into folds whose sizes differ by at most one.

    The subjects are sorted, shuffled if there is a seed, and cut into consecutive parts, the larger parts first; so
    the folds depend on the names, the number of folds and the seed alone.

    Args:
        subjects: names; one may be given more than once.
        num_folds: >= 1.
        seed: of the shuffle; None cuts the subjects as sorted.
    Returns:
        Table of `tables.FOLDS`, sorted by subject.
    Raises:
        ProtocolError: there are more folds than subjects.
    """
    names = sorted(set(subjects))
    if num_folds > len(names):
        raise ProtocolError(
            f"labels.num_folds must be <= the number of subjects ({len(names)}). Got {num_folds} instead. "
            "Lower labels.num_folds, or add subjects to the expression set."
        )
    order = np.arange(len(names)) if seed is None else np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[subject]: fold for fold, part in enumerate(np.array_split(order, num_folds)) for subject in part}
    return pd.DataFrame([(name, fold_of[name]) for name in names], columns=list(tables.FOLDS))


def split(labels: pd.DataFrame, fold: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to train on and rows to test on; no subject is on both sides.

    Args:
        labels: table with the columns subject and fold.
        fold: the one whose subjects are tested.
    Returns:
        (train, test), rows in the order of `labels`.
    Raises:
        ProtocolError: no row is in the fold, or a subject is in it and in another one.
    """
    is_test = labels["fold"] == fold
    train, test = labels[~is_test], labels[is_test]
    if test.empty:
        there = ", ".join(str(number) for number in sorted(set(labels["fold"])))
        raise ProtocolError(
            f"no subject is in fold {fold}; there are folds {there}. Run `dvc repro` to cut them again."
        )
    on_both_sides = sorted(set(train["subject"]) & set(test["subject"]))
    if on_both_sides:
        raise ProtocolError(
            f"a subject must be in one fold only. In fold {fold} and in another one: {', '.join(on_both_sides)}. "
            "Run `dvc repro` to cut the folds again."
        )
    return train, test
