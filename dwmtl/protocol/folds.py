"""Subject-independent folds: who is tested when. Knows of photos only whose they are and what they show."""

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError

NO_FOLD = -1
"""The fold of a photo whose subject is not known: it is trained on in every fold, and tested on in none."""


def assign_folds(
    subjects: Iterable[str],
    *,
    num_folds: int,
    seed: int | None,
    given: Mapping[int, Sequence[str]] | None = None,
    expressions: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Cut the subjects into folds; each is in one.

    The subjects are sorted (those of joined sets mixed by their share), shuffled if there is a seed, and cut into
    consecutive parts whose sizes differ by at most one, the larger parts first; so the folds depend on the names, the
    number of folds and the seed alone.

    With `expressions` the subjects are dealt one by one instead, the most uneven first, to the fold that makes the
    photos of each expression spread most evenly over the folds; photos without an expression count as one of their
    own. The folds' numbers of subjects may then differ by more than one.

    Args:
        subjects: names; one may be given more than once.
        num_folds: >= 1.
        seed: of the shuffle; None takes the subjects as sorted.
        given: fold -> its subjects. Where a fold is missing, the subjects of none are cut into the missing folds.
        expressions: what a photo of each of `subjects` shows, in their order.
    Returns:
        Table of `tables.FOLDS`, sorted by subject.
    Raises:
        ProtocolError: there are more folds than subjects; or `given` names a fold out of range, a subject that is not
            there, one twice, none for a fold, or leaves a subject without a fold.
    Source: of the dealing, `sklearn.model_selection.StratifiedGroupKFold`.
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
    """Subject -> fold, of the subjects that are given one."""
    known = set(names)
    fold_of: dict[str, int] = {}
    for fold, subjects in sorted(given.items()):
        if not 0 <= fold < num_folds:
            raise ProtocolError(f"labels.folds must list folds from 0 to {num_folds - 1}. Got fold {fold} instead.")
        if not subjects:
            raise ProtocolError(f"labels.folds must list a subject for each of its folds. Got none for fold {fold}.")
        unknown = [subject for subject in subjects if subject not in known]
        if unknown:
            raise ProtocolError(
                f"labels.folds must list subjects of the expression set. Got {_some(unknown)} in fold {fold}, and the "
                f"set has {_some(names)}."
            )
        for subject in subjects:
            if subject in fold_of:
                raise ProtocolError(
                    f"labels.folds must list a subject once. Got {subject} in fold {fold_of[subject]} and in {fold}."
                )
            fold_of[subject] = fold
    return fold_of


def _check_remaining(remaining: pd.DataFrame, open_folds: list[int]) -> None:
    """As many subjects as folds must be left to cut, and none where no fold is."""
    left = sorted(set(remaining["subject"]))
    if left and not open_folds:
        raise ProtocolError(
            f"labels.folds lists every fold, and no fold of {_some(left)}. List these, or take them out of the "
            "expression set."
        )
    if len(left) < len(open_folds):
        raise ProtocolError(
            f"labels.folds leaves {len(left)} subjects for the {len(open_folds)} folds that it does not list "
            f"({', '.join(map(str, open_folds))}). Lower labels.num_folds, or list fewer subjects."
        )


def _sorted_by_share(subjects: set[str]) -> list[str]:
    """The subjects as sorted, those of joined sets mixed: a part of the list holds the same share of each set.

    A subject's set is what stands before the first `/`; of one set the names are simply sorted.
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
    """Subject -> part, from 0: parts with about as many photos of each expression."""
    if num_parts < 2 or photos["expression"].value_counts().max() < num_parts:
        return _cut(photos, num_parts, seed)  # no expression has a photo for each part: there is nothing to even out
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import, and training imports this module

    rule = StratifiedGroupKFold(num_parts, shuffle=seed is not None, random_state=seed)
    subjects, expressions = (photos[column].to_numpy(object) for column in ("subject", "expression"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # it is dealt as evenly as can be
        parts = list(rule.split(subjects, expressions, subjects))
    return {subject: part for part, (_, rows) in enumerate(parts) for subject in set(subjects[rows])}


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def with_set_names(given: dict[int, list[str]], subjects: set[str]) -> dict[int, list[str]]:
    """Folds whose subjects may be named as their set names them (`P018`), or as another run's sets did
    (`expression/P018`), by their full names (`oulu/P018`).

    A name that is no subject of exactly one set stays as it is, for `assign_folds` to refuse.
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
    """The training subjects of a fold that choose its best epoch and are not trained on, sorted.

    The first of those in the fold after the tested one, going on with the next folds where these do not suffice:
    whoever is tested is never among them, and each fold has others.

    Args:
        labels: table with the columns subject and fold; a subject without a name or a fold is left out.
        fraction: of the training subjects, in [0, 0.5); at least one subject where it is more than 0.
    """
    known = labels[(labels["fold"] != NO_FOLD) & (labels["fold"] != fold) & (labels["subject"] != "")]
    if not fraction:
        return []
    num_folds = int(labels["fold"].max()) + 1
    ranked = sorted(
        {((own - fold) % num_folds, name) for name, own in zip(known["subject"], known["fold"], strict=True)}
    )
    return sorted(name for _, name in ranked[: max(1, round(fraction * len(ranked)))])


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
    on_both_sides = sorted(set(train["subject"].unique()) & set(test["subject"].unique()))
    if on_both_sides:
        raise ProtocolError(
            f"a subject must be in one fold only. In fold {fold} and in another one: {', '.join(on_both_sides)}. "
            "Run `dvc repro` to cut the folds again."
        )
    return train, test
