"""The most confident mistakes of all folds, each beside a confident right decision, with their crops as pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd
from PIL import Image

from dwmtl.crops.aligned import crop_paths, read_crop
from dwmtl.report.fold_results import FoldResult

_MOST = 6


@dataclass(frozen=True)
class ShownPair:
    """A pair and its decision; `input`, `reference`: its crops as data URLs."""

    input: str
    reference: str
    text: str
    names: str


@dataclass(frozen=True)
class ShownFace:
    """A photo and its predicted expression; `picture`: its crop as a data URL."""

    picture: str
    text: str
    names: str


Shown = TypeVar("Shown", ShownPair, ShownFace)


@dataclass(frozen=True)
class Beside(Generic[Shown]):
    """A mistake beside a right decision of the same kind; None where there is no further one."""

    wrong: Shown
    right: Shown | None


def wrong_pairs(folds: Sequence[FoldResult], aligned_dir: Path, subjects: Mapping[str, str]) -> list[Beside[ShownPair]]:
    """The wrong verification decisions farthest from their threshold, equally many of both sets.

    Each stands beside the right decision farthest from its threshold, of the same set and kind (genuine or impostor);
    the next mistake of the kind beside the next one.

    Args:
        aligned_dir: the folder with the sets' folders of the stage `align`.
        subjects: photo -> subject, of the expression set; a pair of subjects is shown once.
    """
    pairs = pd.concat([fold.pairs.assign(model=fold.number) for fold in folds])
    pairs["by"] = (pairs["distance"] - pairs["threshold"]).abs()
    pairs["people"] = [
        " ".join(sorted(subjects.get(photo, photo) for photo in photos))
        for photos in zip(pairs["input"], pairs["reference"], strict=True)
    ]
    surest = pairs.sort_values(["by", "input", "reference", "model"], ascending=[False, True, True, True])
    is_right = surest["is_verified"] == surest["is_same_identity"]
    wrong, right = (rows.drop_duplicates(["set", "people"]) for rows in (surest[~is_right], surest[is_right]))
    shown = wrong.groupby("set").head(_MOST // 2).sort_values("set", kind="stable")
    matched = _matched(shown, right, ["set", "is_same_identity"])
    return [
        Beside(_shown_pair(row, aligned_dir), None if other is None else _shown_pair(other, aligned_dir))
        for row, other in matched
    ]


def wrong_expressions(folds: Sequence[FoldResult], aligned_dir: Path) -> list[Beside[ShownFace]]:
    """The wrong expressions with the highest confidence; one per subject and expression, as frames are similar.

    Each stands beside the most confident photo on which the same expression is recognised.
    """
    surest = pd.concat([fold.predictions for fold in folds]).sort_values(
        ["confidence", "photo"], ascending=[False, True]
    )
    is_right = surest["expression"] == surest["predicted"]
    wrong, right = (rows.drop_duplicates(["subject", "expression"]) for rows in (surest[~is_right], surest[is_right]))
    folder = aligned_dir / "expression"
    return [
        Beside(_shown_face(row, folder), None if other is None else _shown_face(other, folder))
        for row, other in _matched(wrong.head(_MOST), right, ["expression"])
    ]


def _matched(wrong: pd.DataFrame, right: pd.DataFrame, kind: list[str]) -> list[tuple[Any, Any]]:
    """Each wrong row with the first right row of its kind that no earlier one has; None where none is left."""
    of_kind = {key: rows.itertuples() for key, rows in right.groupby(kind)}
    kinds = wrong[kind].itertuples(index=False, name=None)
    return [(row, next(of_kind.get(key, iter(())), None)) for row, key in zip(wrong.itertuples(), kinds, strict=True)]


def _shown_pair(row: Any, aligned_dir: Path) -> ShownPair:
    told = "" if row.is_verified == row.is_same_identity else ", taken for the opposite"
    return ShownPair(
        input=_picture(aligned_dir / row.set, row.input),
        reference=_picture(aligned_dir / row.set, row.reference),
        text=f"{'same person' if row.is_same_identity else 'other people'}{told}: distance {row.distance:.2f}, "
        f"threshold {row.threshold:.2f}",
        names=f"{row.input} · {row.reference}",
    )


def _shown_face(row: Any, folder: Path) -> ShownFace:
    told = "" if row.expression == row.predicted else f", taken for {row.predicted}"
    return ShownFace(
        picture=_picture(folder, row.photo),
        text=f"{row.expression}{told} ({row.confidence:.2f})",
        names=row.photo,
    )


def _picture(aligned_dir: Path, photo: str) -> str:
    """A photo's crop as a data URL."""
    path = crop_paths(aligned_dir, pd.Series([photo]), status=("aligned", "fallback")).iloc[0]
    encoded = io.BytesIO()
    Image.fromarray(read_crop(aligned_dir / path)).save(encoded, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
