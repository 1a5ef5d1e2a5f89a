"""Exact duplicates: photos with the same bytes or, encoded differently, the same pixels.

A duplicate across folds leaks training data into the test; of two different labels of a duplicate, at least one is
wrong. Similar photos (neighbouring frames) are not duplicates.
"""

import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.folds import NO_FOLD
from dwmtl.protocol.official import TEST_FOLD, VALIDATION_FOLD


def find_duplicates(photos: pd.DataFrame) -> pd.DataFrame:
    """Groups of photos with the same picture, and the faults of each group.

    Same bytes decode to the same pixels, so the pixels decide; where a photo has no digest of pixels, the bytes do.
    A photo with neither is in no group.

    Args:
        photos: columns photo, subject, expression, fold, bytes_sha256, pixels_sha256; an unknown subject, expression
            or digest is empty and contradicts nothing.
    Returns:
        Table of `tables.DUPLICATES`, sorted by group and photo; groups are numbered from 0 by their first photo.
    """
    picture = photos["pixels_sha256"].where(photos["pixels_sha256"] != "", photos["bytes_sha256"])
    table = photos.assign(picture=picture)[(picture != "") & picture.duplicated(keep=False)].sort_values("photo")
    pictures = table.groupby("picture", sort=False)
    numbered = table.assign(
        group=pictures.ngroup(),
        is_same_bytes=pictures["bytes_sha256"].transform("nunique") == 1,
        is_across_folds=pictures["fold"].transform("nunique") > 1,
        is_contradicting_subject=_has_two_names(table, "subject"),
        is_contradicting_expression=_has_two_names(table, "expression"),
    )
    faults = numbered[["is_across_folds", "is_contradicting_subject", "is_contradicting_expression"]]
    ordered = numbered.assign(is_harmless=~faults.any(axis=1)).sort_values(["group", "photo"])
    return ordered[list(tables.DUPLICATES)].reset_index(drop=True)


def drop_duplicates(photos: pd.DataFrame, digests: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep one photo of each picture, and none of a picture whose subject or expression contradict.

    Of photos that agree, the first by name is kept, those with a subject before those without, then those with an
    expression before those without.

    Args:
        photos: columns photo, subject, expression, and any others.
        digests: columns photo, bytes_sha256, pixels_sha256 (`tables.PHOTO_FACTS`), with a row for each of the photos,
            and any others.
    Returns:
        (kept, dropped): the remaining rows of `photos`, in their order, and a table of `tables.DROPPED_PHOTOS`.
    Raises:
        ProtocolError: a photo has no digests, or two rows of them.
    """
    duplicates = find_duplicates(_with_digests(photos, digests).assign(fold=0))
    contradicts = duplicates["is_contradicting_subject"] | duplicates["is_contradicting_expression"]
    unknown = {f"no_{column}": duplicates[column] == "" for column in ("subject", "expression")}
    by_use = duplicates.assign(**unknown).sort_values(["group", "no_subject", "no_expression", "photo"])
    duplicates["kept"] = duplicates["group"].map(by_use.groupby("group")["photo"].first()).mask(contradicts, "")
    dropped = duplicates[duplicates["photo"] != duplicates["kept"]].sort_values("photo").reset_index(drop=True)
    kept = photos[~photos["photo"].isin(dropped["photo"])].reset_index(drop=True)
    return kept, dropped[list(tables.DROPPED_PHOTOS)]


def drop_copies_across_parts(photos: pd.DataFrame, digests: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave no picture in two parts of an official split: the test part keeps all of its photos.

    A photo of the training or validation part that is the same picture as one of the test part is dropped, and one of
    the training part that is the same picture as one of the validation part; whatever their labels.

    Args:
        photos: columns photo, subject, expression, fold of `official_folds`, and any others.
        digests: as in `drop_duplicates`.
    Returns:
        (kept, dropped), as `drop_duplicates`; `kept` of a dropped photo: its first copy in the part that keeps it.
    Raises:
        ProtocolError: a photo has no digests, or two rows of them.
    """
    folds = photos["fold"].to_numpy()
    duplicates = find_duplicates(_with_digests(photos, digests).assign(fold=folds))
    rank = duplicates["fold"].map({TEST_FOLD: 0, VALIDATION_FOLD: 1, NO_FOLD: 2})
    best = rank.groupby(duplicates["group"]).transform("min")
    keepers = duplicates[rank == best].groupby("group")["photo"].first()
    dropped = duplicates[rank > best].sort_values("photo").reset_index(drop=True)
    dropped["kept"] = dropped["group"].map(keepers)
    kept = photos[~photos["photo"].isin(dropped["photo"])].reset_index(drop=True)
    return kept, dropped[list(tables.DROPPED_PHOTOS)]


def _has_two_names(table: pd.DataFrame, column: str) -> pd.Series:
    """For each row, whether its picture has two different non-empty names in the column."""
    return table[column].mask(table[column] == "").groupby(table["picture"]).transform("nunique") > 1


def _with_digests(photos: pd.DataFrame, digests: pd.DataFrame) -> pd.DataFrame:
    columns = ["photo", "bytes_sha256", "pixels_sha256"]
    repeated = digests.loc[digests["photo"].duplicated(), "photo"]
    if len(repeated):
        raise ProtocolError(f"the digests have two rows of {repeated.iloc[0]}. Run `dvc repro` to make them again.")
    merged = photos[["photo", "subject", "expression"]].merge(digests[columns], on="photo", how="left", indicator=True)
    missing = merged.loc[merged["_merge"] == "left_only", "photo"]
    if len(missing):
        raise ProtocolError(
            f"the digests lack {len(missing)} photos that are used, first {missing.iloc[0]}. Run `dvc repro` to make "
            "them again."
        )
    return merged.drop(columns="_merge")
