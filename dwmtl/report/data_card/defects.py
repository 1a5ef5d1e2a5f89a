"""Defects of a set: duplicate pictures, and photos that a subject lacks. Pure: tables in, rows out."""

import re

import pandas as pd

from dwmtl.protocol.duplicates import find_duplicates
from dwmtl.report.data_card.card import DuplicateGroup, Duplicates, Lack
from dwmtl.tables import PICTURE_ENDINGS

MAX_LISTED = 50
"""Groups of duplicates, photos of a group, or subjects that a card lists; the counts have no limit."""

_MOST = 0.8
"""Share of the subjects with a kind of photo from which the others lack it."""

_MIN_SUBJECTS = 3
"""With fewer subjects, lacks are not determined."""


def duplicates(photos: pd.DataFrame, facts: pd.DataFrame) -> Duplicates:
    """Find photos that are the same picture: with equal files or equal pixels.

    A group contradicts itself where its photos name two expressions, or two subjects; a photo without a label
    contradicts nothing.

    Args:
        photos: columns photo, subject, expression and fold; fold is missing where a subject is in none.
        facts: columns `tables.PHOTO_FACTS`; photos without a digest have no duplicates.
    Returns:
        Contradictory groups first, then by photo; at most MAX_LISTED, each with at most MAX_LISTED photos and names.
    """
    rows = find_duplicates(photos.merge(facts, on="photo", how="inner", validate="one_to_one"))
    groups = [_group(of_group) for _, of_group in rows.groupby("group")]
    groups.sort(key=lambda group: (not group.contradicts, group.photos))
    return Duplicates(
        num_groups=len(groups),
        num_photos=sum(group.num_photos for group in groups),
        num_same_bytes=sum(group.same == "bytes" for group in groups),
        num_contradictory=sum(bool(group.contradicts) for group in groups),
        num_across_folds=sum(len(group.folds) > 1 for group in groups),
        groups=groups[:MAX_LISTED],
    )


def _group(rows: pd.DataFrame) -> DuplicateGroup:
    """A group from its rows of `tables.DUPLICATES`."""
    first = rows.iloc[0]
    return DuplicateGroup(
        num_photos=len(rows),
        photos=rows["photo"].tolist()[:MAX_LISTED],
        same="bytes" if first["is_same_bytes"] else "pixels",
        subjects=sorted(set(rows["subject"]) - {""})[:MAX_LISTED],
        expressions=sorted(set(rows["expression"]) - {""})[:MAX_LISTED],
        contradicts=[label for label in ("expression", "subject") if first[f"is_contradicting_{label}"]],
        folds=sorted(int(fold) for fold in rows["fold"].dropna().unique()),
    )


def lacks(manifest: pd.DataFrame) -> list[Lack]:
    """Find what most subjects have and some lack.

    Expressions: those that at least 80 % of the subjects show. Kinds of photos: a photo's (or its sequence's) path with
    the subject's name replaced by `*`, no ending, and numbers in the last part, which only count, replaced by `#`:
    `*.centerlight`, `*/img_#`. Kinds are compared only where all subjects have a similar layout: at least 80 % of the
    pairs of subject and kind are of kinds that 80 % of the subjects have.

    Args:
        manifest: table of `tables.MANIFEST`.
    Returns:
        With at most MAX_LISTED subjects each.
    """
    photos = manifest[manifest["subject"] != ""]
    names = set(photos["subject"])
    if len(names) < _MIN_SUBJECTS:
        return []
    shown = photos[photos["expression"] != ""]
    rows = _lacking(set(zip(shown["subject"], shown["expression"], strict=True)), names, "expression")
    is_sequence = (photos["sequence"] != "") & (photos["sequence"] != photos["subject"])
    what = "sequence" if is_sequence.all() else "photo"
    kinds = _kinds(photos["subject"], photos[what])
    if _is_regular(kinds, len(names)):
        rows += _lacking(kinds, names, what)
    return rows


def _kinds(subjects: pd.Series, paths: pd.Series) -> set[tuple[str, str]]:
    """Every (subject, kind) of the photos or sequences with these paths."""
    kinds = set()
    for subject, of_subject in paths.groupby(subjects):
        as_word = re.compile(rf"(?<![^\W_]){re.escape(subject)}(?![^\W_])")  # `1` is once in `1/11.jpg`
        kinds |= {(subject, _without_number(as_word.sub("*", _without_ending(path)))) for path in of_subject.unique()}
    return kinds


def _without_ending(path: str) -> str:
    stem, dot, ending = path.rpartition(".")
    return stem if f"{dot}{ending}".lower() in PICTURE_ENDINGS else path


def _without_number(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + re.sub(r"\d+", "#", name)


def _num_holders(pairs: set[tuple[str, str]]) -> pd.Series:
    """Number of subjects by kind."""
    return pd.Series([kind for _, kind in pairs], dtype=str).value_counts()


def _is_regular(kinds: set[tuple[str, str]], num_subjects: int) -> bool:
    holders = _num_holders(kinds)
    return holders[holders >= _MOST * num_subjects].sum() >= _MOST * len(kinds)


def _lacking(pairs: set[tuple[str, str]], subjects: set[str], what: str) -> list[Lack]:
    holders = _num_holders(pairs)
    rows = []
    for kind in sorted(holders[(holders >= _MOST * len(subjects)) & (holders < len(subjects))].index):
        without = sorted(subject for subject in subjects if (subject, kind) not in pairs)
        rows.append(Lack(what=what, kind=kind, num_subjects=len(without), subjects=without[:MAX_LISTED]))
    return rows
