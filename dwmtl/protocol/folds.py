"""Subject-independent folds: the fold in which each subject is tested. Knows a photo's subject and expression only."""

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError

NO_FOLD = -1
"""The fold of a photo whose subject is unknown: it is trained on in every fold, and tested on in none."""


def assign_folds(
    subjects: Iterable[str],
    *,
    num_folds: int,
    seed: int | None,
    given: Mapping[int, Sequence[str]] | None = None,
    expressions: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Cut the subjects into folds, each subject in one.

    The subjects are sorted (those of joined sets mixed by their share), shuffled if there is a seed, and cut into
    consecutive parts whose sizes differ by at most one, the larger parts first. The folds depend only on the names, the
    number of folds and the seed.

    With `expressions` the subjects are assigned one by one instead, those with the most uneven expressions first, each
    to the fold that spreads the photos of each expression most evenly; photos without an expression count as a further
    expression. The folds' numbers of subjects may then differ by more than one.

    Args:
        subjects: names; a name may occur more than once.
        num_folds: >= 1.
        seed: of the shuffle; None: no shuffle.
        given: fold -> its subjects. The other subjects are cut into the folds that are missing.
        expressions: of a photo of each of `subjects`, in their order.
    Returns:
        Table of `tables.FOLDS`, sorted by subject.
    Raises:
        ProtocolError: there are more folds than subjects; or `given` has a fold out of range or without subjects, an
            unknown or repeated subject, or leaves a subject without a fold.
    Source: of the assignment by expressions, `sklearn.model_selection.StratifiedGroupKFold`.
    """
    subjects = list(subjects)
    names = sorted(set(subjects))
    mentions = {"subject": names} if expressions is None else {"subject": subjects, "expression": list(expressions)}
    photos = pd.DataFrame(mentions, dtype=object)
    if num_folds > len(names):
        raise ProtocolError(
            f"labels.num_folds must be <= the number of subjects ({len(names)}). Got {num_folds} instead. "
            "Lower labels.num_folds, or add subjects to the expression set."
        )
    fold_of = _given_folds(given or {}, names, num_folds)
    open_folds = [fold for fold in range(num_folds) if fold not in (given or {})]
    remaining = photos[~photos["subject"].isin(list(fold_of))]
    _check_remaining(remaining, open_folds)
    parts = _cut(remaining, len(open_folds), seed) if expressions is None else _deal(remaining, len(open_folds), seed)
    fold_of |= {subject: open_folds[part] for subject, part in parts.items()}
    return pd.DataFrame([(name, fold_of[name]) for name in names], columns=list(tables.FOLDS))


def _given_folds(given: Mapping[int, Sequence[str]], names: list[str], num_folds: int) -> dict[str, int]:
    """Subject -> fold, of the subjects in `given`."""
    known_subjects = set(names)
    fold_of: dict[str, int] = {}
    for fold, subjects in sorted(given.items()):
        if not 0 <= fold < num_folds:
            raise ProtocolError(f"labels.folds must list folds from 0 to {num_folds - 1}. Got fold {fold} instead.")
        if not subjects:
            raise ProtocolError(f"labels.folds must list a subject for each of its folds. Got none for fold {fold}.")
        unknown = [subject for subject in subjects if subject not in known_subjects]
        if unknown:
            raise ProtocolError(
                f"labels.folds must list subjects of the expression set. Got {_some(unknown)} in fold {fold}; "
                f"the set has {_some(names)}."
            )
        for subject in subjects:
            if subject in fold_of:
                raise ProtocolError(
                    f"labels.folds must list a subject once. Got {subject} in fold {fold_of[subject]} and in {fold}."
                )
            fold_of[subject] = fold
    return fold_of


def _check_remaining(remaining: pd.DataFrame, open_folds: list[int]) -> None:
    """Refuse fewer remaining subjects than open folds, or any where no fold is open."""
    names = sorted(set(remaining["subject"]))
    if names and not open_folds:
        raise ProtocolError(
            f"labels.folds lists every fold, but not {_some(names)}. List these subjects, or take them out of the "
            "expression set."
        )
    if len(names) < len(open_folds):
        raise ProtocolError(
            f"labels.folds leaves {len(names)} subjects for the {len(open_folds)} folds that it does not list "
            f"({', '.join(map(str, open_folds))}). Lower labels.num_folds, or list fewer subjects."
        )


def _sorted_by_share(subjects: set[str]) -> list[str]:
    """The subjects in sorted order, those of joined sets interleaved so that parts of the list have equal shares.

    A subject's set is the part of its name before the first `/`; the names of a single set are simply sorted.
    """
    of_set: dict[str, list[str]] = {}
    for subject in sorted(subjects):
        of_set.setdefault(subject.partition("/")[0] if "/" in subject else "", []).append(subject)
    places = [(number / len(names), name) for names in of_set.values() for number, name in enumerate(names)]
    return [name for _, name in sorted(places)]


def _cut(photos: pd.DataFrame, num_parts: int, seed: int | None) -> dict[str, int]:
    """Subject -> part, from 0: consecutive parts of the sorted or shuffled subjects."""
    if not num_parts:
        return {}
    names = _sorted_by_share(set(photos["subject"]))
    order = np.arange(len(names)) if seed is None else np.random.default_rng(seed).permutation(len(names))
    return {names[subject]: part for part, cut in enumerate(np.array_split(order, num_parts)) for subject in cut}


def _deal(photos: pd.DataFrame, num_parts: int, seed: int | None) -> dict[str, int]:
    """Subject -> part, from 0: parts with similar numbers of photos of each expression."""
    if num_parts < 2 or photos["expression"].value_counts().max() < num_parts:
        return _cut(photos, num_parts, seed)  # no expression has a photo for each part
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import, and training imports this module

    rule = StratifiedGroupKFold(num_parts, shuffle=seed is not None, random_state=seed)
    subjects, expressions = (photos[column].to_numpy(object) for column in ("subject", "expression"))
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "The least populated class", UserWarning
        )  # it is spread as evenly as possible
        parts = list(rule.split(subjects, expressions, subjects))
    return {subject: part for part, (_, rows) in enumerate(parts) for subject in set(subjects[rows])}


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def with_set_names(given: dict[int, list[str]], subjects: set[str]) -> dict[int, list[str]]:
    """The folds with the full names of their subjects (`oulu/P018`).

    A subject may be given by its name in its set (`P018`), or by another run's name (`expression/P018`). A name that
    does not belong to exactly one set is kept, for `assign_folds` to refuse.
    """
    full: dict[str, list[str]] = {}
    for subject in subjects:
        full.setdefault(subject.partition("/")[2], []).append(subject)

    def resolved(name: str) -> str:
        for short in (name, name.partition("/")[2]):
            if name not in subjects and len(full.get(short, [])) == 1:
                return full[short][0]
        return name

    return {fold: [resolved(name) for name in names] for fold, names in given.items()}


def validation_subjects(labels: pd.DataFrame, fold: int, *, fraction: float) -> list[str]:
    """The training subjects of a fold that are held out to choose its best epoch, sorted.

    They are the first subjects of the fold after the tested one, then of the folds after that if more are needed. None
    of them is tested, and each fold has different ones.

    Args:
        labels: table with the columns subject and fold; a subject without a name or a fold is ignored.
        fraction: of the training subjects, in [0, 0.5); at least one subject where it is more than 0.
    """
    candidates = labels[(labels["fold"] != NO_FOLD) & (labels["fold"] != fold) & (labels["subject"] != "")]
    if not fraction:
        return []
    num_folds = int(labels["fold"].max()) + 1
    ranked = sorted(
        {
            ((other - fold) % num_folds, name)
            for name, other in zip(candidates["subject"], candidates["fold"], strict=True)
        }
    )
    return sorted(name for _, name in ranked[: max(1, round(fraction * len(ranked)))])


def split(labels: pd.DataFrame, fold: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to train on and rows to test on; no subject is on both sides.

    Args:
        labels: table with the columns subject and fold.
        fold: its subjects are tested.
    Returns:
        (train, test), rows in the order of `labels`.
    Raises:
        ProtocolError: no row is in the fold, or a subject is in it and in another one.
    """
    is_test = labels["fold"] == fold
    train, test = labels[~is_test], labels[is_test]
    if test.empty:
        folds = ", ".join(str(number) for number in sorted(set(labels["fold"])))
        raise ProtocolError(
            f"no subject is in fold {fold}; there are folds {folds}. Run `dvc repro` to cut them again."
        )
    on_both_sides = sorted(set(train["subject"].unique()) & set(test["subject"].unique()) - {""})
    if on_both_sides:
        raise ProtocolError(
            f"a subject must be in one fold only. In fold {fold} and in another one: {', '.join(on_both_sides)}. "
            "Run `dvc repro` to cut the folds again."
        )
    return train, test
