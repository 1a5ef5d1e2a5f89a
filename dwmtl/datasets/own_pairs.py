"""The verification pairs of one's own set: `pairs.csv` beside the table `faces.csv`, a row per pair."""

from pathlib import Path

import pandas as pd

from dwmtl.datasets.csv_rows import numbered_csv_rows, whole_row
from dwmtl.datasets.data_set import pair_table
from dwmtl.datasets.photo_path import found_photo
from dwmtl.errors import DataSetError
from dwmtl.tables import VERIFICATION_PAIRS

PAIRS = "pairs.csv"
_IS_SAME = {"true": True, "1": True, "false": False, "0": False}


def read_own_pairs(folder: Path, photos: pd.DataFrame) -> pd.DataFrame | None:
    """Every row of `pairs.csv`, columns `tables.VERIFICATION_PAIRS`; None where there is no such file.

    Columns: photo_a, photo_b (photos of the set), is_same_identity (True or 1, False or 0), fold (the pair's block of
    the cross-validation, from 0).

    Args:
        photos: the set's manifest.
    Raises:
        DataSetError: a column is missing, or a row is wrong or contradicts the subjects; the message names the line.
    """
    table = folder / PAIRS
    if not table.is_file():
        return None
    rows = numbered_csv_rows(table)
    columns = [name.strip() for name in next(rows, (1, []))[1]]
    if missing := [name for name in VERIFICATION_PAIRS if columns.count(name) != 1]:
        raise DataSetError(f"{table}, line 1: must hold the column {missing[0]} once. Add it, or rename one.")
    subject_of = dict(zip(photos["photo"], photos["subject"], strict=True))
    pairs = [
        _pair(f"{table}, line {number}", folder, whole_row(f"{table}, line {number}", columns, cells), subject_of)
        for number, cells in rows
        if cells
    ]
    if not pairs:
        raise DataSetError(f"{table}: holds no pairs. Add them, or remove the file.")
    return pair_table(pairs)


def _pair(where: str, folder: Path, cells: dict[str, str], subject_of: dict[str, str]) -> tuple[str, str, bool, int]:
    a, b = (found_photo(where, folder, cells[side]) for side in ("photo_a", "photo_b"))
    for photo in (a, b):
        if photo not in subject_of:
            raise DataSetError(f"{where}: {photo!r} is no row of faces.csv. Add the row, or remove the pair.")
    is_same = _IS_SAME.get(cells["is_same_identity"].strip().lower())
    if is_same is None:
        raise DataSetError(
            f"{where}: is_same_identity must be True or False. Got {cells['is_same_identity'][:40]!r} instead."
        )
    if a == b:
        raise DataSetError(f"{where}: a pair of {a!r} with itself. Name two photos.")
    if subject_of[a] and subject_of[b] and (subject_of[a] == subject_of[b]) != is_same:
        raise DataSetError(
            f"{where}: is_same_identity is {is_same}, and the subjects are {subject_of[a]!r} and {subject_of[b]!r}. "
            "Correct one of them."
        )
    fold = cells["fold"].strip()
    if not (fold.isdecimal() and len(fold) <= 6):
        raise DataSetError(f"{where}: fold must be a whole number from 0. Got {fold[:40]!r} instead.")
    return a, b, is_same, int(fold)
