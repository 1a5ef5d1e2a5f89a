"""A split as a CSV `subject,fold`, as the stage `labels` writes it, and as the mapping in `labels.folds`.

DVC tracks the values of params.yaml, but not a file that such a value names; so a split is copied into params.yaml.
"""

import csv
import json
from collections.abc import Collection, Mapping, Sequence

from dwmtl import tables
from dwmtl.errors import ProtocolError


def parse_folds(
    text: str, *, name: str, subjects: Collection[str] | None = None, num_folds: int | None = None
) -> dict[int, list[str]]:
    """Fold -> its subjects, both sorted; folds and subjects may be missing.

    Args:
        text: of the file; a line `subject,fold`, then a line per subject.
        name: of the file, for messages.
        subjects: those that are allowed; None: any.
        num_folds: folds must be less than this; None: any.
    Raises:
        ProtocolError: a line that is not a subject and a fold, an unknown or repeated subject, or a fold out of range;
            the message names the line. Or the file names no subject.
    """
    fold_of: dict[str, int] = {}
    for where, cells in _rows(text, name):
        if len(cells) != 2:
            raise ProtocolError(f"{where}: must be a subject and a fold. Got {len(cells)} cells instead.")
        subject, fold = tables.composed(cells[0]), _fold(where, cells[1], num_folds)
        _check_subject(where, subject, subjects)
        if subject in fold_of:
            raise ProtocolError(f"{where}: subject {subject} is already in fold {fold_of[subject]}. Name it once.")
        fold_of[subject] = fold
    if not fold_of:
        raise ProtocolError(f"{name}: names no subject. Add a line per subject.")
    folds: dict[int, list[str]] = {fold: [] for fold in sorted(set(fold_of.values()))}
    for subject in sorted(fold_of):
        folds[fold_of[subject]].append(subject)
    return folds


def params_of_folds(folds: Mapping[int, Sequence[str]], *, num_folds: int | None = None) -> str:
    """The lines of params.yaml that use a split; `num_folds` None: one more than the last fold."""
    lines = ["labels:", f"  num_folds: {max(folds) + 1 if num_folds is None else num_folds}", "  folds:"]
    for fold, subjects in sorted(folds.items()):
        # a JSON string is also a YAML string; quoted, 007 and no stay strings
        lines.append(f"    {fold}: [{', '.join(json.dumps(subject, ensure_ascii=False) for subject in subjects)}]")
    return "\n".join([*lines, ""])


def _rows(text: str, name: str):
    """(file and line, cells) of every line after the header that is not empty."""
    reader = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if header != list(tables.FOLDS):
            raise ProtocolError(f"{name}, line 1: must be `{','.join(tables.FOLDS)}`. Got {','.join(header)[:80]!r}.")
        for cells in reader:
            if cells:
                yield f"{name}, line {reader.line_num}", [*cells[:-1], cells[-1].strip()]
    except csv.Error as error:
        raise ProtocolError(
            f"{name}, line {reader.line_num}: not a line of a CSV table ({error}). Correct it."
        ) from None


def _fold(where: str, cell: str, num_folds: int | None) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) < 10):
        raise ProtocolError(f"{where}: the fold must be a whole number from 0. Got {cell[:40]!r} instead.")
    if num_folds is not None and int(cell) >= num_folds:
        raise ProtocolError(f"{where}: the fold must be < labels.num_folds ({num_folds}). Got {int(cell)} instead.")
    return int(cell)


def _check_subject(where: str, subject: str, subjects: Collection[str] | None) -> None:
    if not subject or not tables.is_one_line(subject):
        raise ProtocolError(f"{where}: the subject must be a printable name. Got {subject[:40]!r} instead.")
    if subjects is not None and subject not in subjects:
        raise ProtocolError(f"{where}: subject {subject} is not in the expression set. Correct or remove the line.")
