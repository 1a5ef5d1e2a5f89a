"""Expressions: the labels of the photos of the expression set, and the list of classes.

The column `use` defines the role of a photo. A peak shows its sequence's expression. A neutral frame is labelled
`neutral`: it is the reference of pairs, and of class `neutral` where neutral is a class; otherwise the photo trains and
tests identity only. The same holds for the neutral photos that `limit_neutral` removes from the class. A photo of use
train has no expression and trains identity only.

A set may name no subjects at all (FER2013): its photos train the expression in every fold and are never tested on,
since their subjects are unknown. Under the official protocol its official test part is tested on.

A subject without a photo of an expression is an error, since nothing could be tested on it. A subject with only one
expression (CK+ has them) is trained and tested on like any other; only the pairs that cannot be made from its photos
are left out, and listed (`dwmtl.protocol.pairs`).
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError

NEUTRAL = "neutral"


def label_expressions(manifest: pd.DataFrame, *, needs_subjects: bool = True) -> pd.DataFrame:
    """The photos of the expression set that are used, each with its label.

    Args:
        manifest: table of `tables.MANIFEST`, and labels of further tasks.
        needs_subjects: whether a set must name its subjects.
    Returns:
        The same columns without the unused photos, in the manifest's order; expression is `neutral` where
        the use is neutral and empty where it is train.
    Raises:
        ProtocolError: a photo of a set with subjects has none, no set has subjects, a peak has no expression or the
            expression `neutral`, or a subject has neither a neutral photo nor a peak.
    """
    used = manifest[manifest["use"] != "unused"].reset_index(drop=True)
    is_peak = used["use"] == "peak"
    _refuse_subjects_of_some(used, needs_subjects=needs_subjects)
    _refuse(used[is_peak & (used["expression"] == "")], "have the use peak and no expression")
    _refuse(used[is_peak & (used["expression"] == NEUTRAL)], f"have the use peak and the expression {NEUTRAL}")
    expression = used["expression"].where(is_peak, "").mask(used["use"] == "neutral", NEUTRAL)
    labels = used.assign(expression=expression)
    check_every_subject_is_labelled(labels)
    return labels


def limit_neutral(labels: pd.DataFrame, *, max_per_subject: int, seed: int) -> pd.DataFrame:
    """Keep at most `max_per_subject` photos of each subject in the class neutral, drawn with equal probability.

    The others keep the use neutral but have no expression: they are in no class and no expression score, they train
    identity, and they remain references of pairs. So the limit balances the classes and changes no pair.

    Photos without a subject are not limited.

    Args:
        labels: what `label_expressions` returns.
        max_per_subject: >= 1.
        seed: of the draw, which depends on the names and subjects of the neutral photos, not on the order of rows.
    Returns:
        The same rows in the same order; expression is empty where the limit removed it.
    """
    neutral = labels[(labels["expression"] == NEUTRAL) & (labels["subject"] != "")].sort_values("photo")
    draw = pd.Series(np.random.default_rng(seed).permutation(len(neutral)), index=neutral.index)
    is_over = draw.groupby(neutral["subject"]).rank() > max_per_subject
    return labels.assign(expression=labels["expression"].mask(is_over.reindex(labels.index, fill_value=False), ""))


def check_every_subject_is_labelled(labels: pd.DataFrame) -> None:
    """Refuse a subject without a photo of an expression, since nothing could be tested on it.

    Raises:
        ProtocolError: there is such a subject; the message names it.
    """
    labelled = set(labels.loc[labels["expression"] != "", "subject"])
    without = sorted(set(labels["subject"]) - labelled - {""})
    if without:
        raise ProtocolError(
            f"no photo of {_list(without)} shows an expression. Label one, or take these subjects out of the "
            "expression set (the identity set needs no expressions)."
        )


def expression_classes(labels: pd.DataFrame, *, has_neutral: bool) -> list[str]:
    """Names of the expression classes in sorted order; the place in the list is the class's index.

    Args:
        labels: what `label_expressions` returns.
        has_neutral: whether neutral is a class.
    Raises:
        ProtocolError: neutral is to be a class and no photo is neutral, or there are fewer than two classes.
    """
    expressions = set(labels["expression"]) - {""}
    if has_neutral and NEUTRAL not in expressions:
        raise ProtocolError(
            f"no photo of the expression set is neutral, and labels.has_neutral is true. There are: "
            f"{_list(expressions)}. Set labels.has_neutral to false."
        )
    classes = sorted(expressions if has_neutral else expressions - {NEUTRAL})
    if len(classes) < 2:
        raise ProtocolError(
            f"the expression set must have >= 2 expression classes. Got {_list(classes)} instead. "
            "Point sets.expression.folder at a set with more expressions."
        )
    return classes


def _refuse_subjects_of_some(used: pd.DataFrame, *, needs_subjects: bool) -> None:
    """Refuse a set that has subjects for some photos only, or, if they are needed, sets that have none at all."""
    sets = used["photo"].str.partition("/")[0]
    has_subjects = (used["subject"] != "").groupby(sets).transform("any")
    _refuse(used[has_subjects & (used["subject"] == "")], "have no subject")
    if needs_subjects and not has_subjects.any():
        raise ProtocolError(
            "no set of the role expression names its subjects, and the folds are cut by subject. Join a set that does, "
            "or set labels.protocol to official where the set has a test part of its own."
        )


def _refuse(photos: pd.DataFrame, fault: str) -> None:
    if len(photos):
        raise ProtocolError(
            f"{len(photos)} photos of the expression set {fault}, first {photos['photo'].iloc[0]}. "
            "Label them, or take them out of the set."
        )


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
