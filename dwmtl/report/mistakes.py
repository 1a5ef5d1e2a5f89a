"""The most confident mistakes of all folds, with their crops as pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from dwmtl.crops.aligned import crop_paths, read_crop
from dwmtl.report.fold_results import FoldResult

_MOST = 6


@dataclass(frozen=True)
class WrongPair:
    """A pair whose decision is wrong; `input`, `reference`: its crops as data URLs."""

    input: str
    reference: str
    text: str
    names: str


@dataclass(frozen=True)
class WrongExpression:
    """A photo whose predicted expression is wrong; `picture`: its crop as a data URL."""

    picture: str
    text: str
    names: str


def wrong_pairs(folds: Sequence[FoldResult], aligned_dir: Path, subjects: Mapping[str, str]) -> list[WrongPair]:
    """The wrong verification decisions farthest from their threshold, equally many of both sets.

    Args:
        aligned_dir: the folder with the sets' folders of the stage `align`.
        subjects: photo -> subject, of the expression set; a pair of subjects is shown once.
    """
    pairs = pd.concat([fold.pairs.assign(model=fold.number) for fold in folds])
    wrong = pairs[pairs["is_verified"] != pairs["is_same_identity"]]
    by = (wrong["distance"] - wrong["threshold"]).abs()
    worst = wrong.assign(by=by).sort_values(["by", "input", "reference", "model"], ascending=[False, True, True, True])
    people = [
        " ".join(sorted(subjects.get(photo, photo) for photo in photos))
        for photos in zip(worst["input"], worst["reference"], strict=True)
    ]
    shown = worst.assign(people=people).drop_duplicates(["set", "people"]).groupby("set").head(_MOST // 2)
    return [
        WrongPair(
            input=_picture(aligned_dir / row.set, row.input),
            reference=_picture(aligned_dir / row.set, row.reference),
            text=f"{'same person' if row.is_same_identity else 'other people'}, taken for the opposite: distance "
            f"{row.distance:.2f}, threshold {row.threshold:.2f}",
            names=f"{row.input} · {row.reference}",
        )
        for row in shown.sort_values("set", kind="stable").itertuples()
    ]


def wrong_expressions(folds: Sequence[FoldResult], aligned_dir: Path) -> list[WrongExpression]:
    """The wrong expressions with the highest confidence; one per subject and expression, as frames are similar."""
    table = pd.concat([fold.predictions for fold in folds])
    wrong = table[table["expression"] != table["predicted"]]
    worst = wrong.sort_values(["confidence", "photo"], ascending=[False, True])
    worst = worst.drop_duplicates(["subject", "expression"]).head(_MOST)
    return [
        WrongExpression(
            picture=_picture(aligned_dir / "expression", row.photo),
            text=f"{row.expression}, taken for {row.predicted} ({row.confidence:.2f})",
            names=row.photo,
        )
        for row in worst.itertuples()
    ]


def _picture(aligned_dir: Path, photo: str) -> str:
    """A photo's crop as a data URL."""
    path = crop_paths(aligned_dir, pd.Series([photo]), status=("aligned", "fallback")).iloc[0]
    encoded = io.BytesIO()
    Image.fromarray(read_crop(aligned_dir / path)).save(encoded, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
