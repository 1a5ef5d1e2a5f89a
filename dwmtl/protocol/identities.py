"""Identities: the class index of a subject. Knows nothing of folds or expressions."""

from collections.abc import Iterable

import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError


def identity_classes(subjects: Iterable[str]) -> dict[str, int]:
    """Class index of each subject, from 0 in sorted order; a subject may occur more than once."""
    return {subject: index for index, subject in enumerate(sorted(set(subjects)))}


def label_identities(manifest: pd.DataFrame) -> pd.DataFrame:
    """Identity of every photo that is used, whatever its use.

    Args:
        manifest: table of `tables.MANIFEST`, of the identity set.
    Returns:
        Table of `tables.IDENTITY_LABELS`, rows in the manifest's order.
    Raises:
        ProtocolError: a used photo has no subject, or there are fewer than two subjects.
    """
    used = manifest.loc[manifest["use"] != "unused", ["photo", "subject"]].reset_index(drop=True)
    nameless = used.loc[used["subject"] == "", "photo"]
    if len(nameless):
        raise ProtocolError(
            f"{len(nameless)} photos of the identity set have no subject, first {nameless.iloc[0]}. "
            "Name their subject, or take them out of the set."
        )
    classes = identity_classes(used["subject"].unique())
    if len(classes) < 2:
        raise ProtocolError(
            f"the identity set must have >= 2 subjects. Got {len(classes)} instead. "
            "Point sets.identity.folder at a set with more people."
        )
    return used.assign(identity=used["subject"].map(classes).astype(int))[list(tables.IDENTITY_LABELS)]
