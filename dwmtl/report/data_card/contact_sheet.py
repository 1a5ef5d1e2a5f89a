"""A picture of a set's crops: a row an expression, or one crop of each of many subjects."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from dwmtl.crops.aligned import read_crop
from dwmtl.files import whole_file

NUM_COLUMNS = 12
NUM_SUBJECTS = 48
"""Shown of a set without expressions."""

SIDE_PX = 96
_GAP_PX = 4
_CAPTION_PX = 16
_LINE_PX = SIDE_PX + _CAPTION_PX + _GAP_PX
_LABEL_PX = 120
_INK, _FAINT, _WARNING = (30, 30, 30), (110, 110, 110), (230, 120, 0)
_NO_EXPRESSION = "no expression"


@dataclass(frozen=True)
class Cell:
    """A crop of the sheet."""

    crop: str
    """Path below the folder of the stage `align`."""
    caption: str
    is_fallback: bool = False
    """No face was found: the cell gets a frame."""


def choose_cells(manifest: pd.DataFrame, crops: pd.DataFrame) -> dict[str, list[Cell]]:
    """Which crops are shown: of subjects evenly spaced in sorted order, one each.

    A subject shows an expression by its last frame of it. What has no expression is shown with another photo from
    subject to subject. Where nobody is known, every photo counts as a subject.

    Args:
        manifest: table of `tables.MANIFEST`.
        crops: table of `tables.CROPS`; photos without a crop are not shown.
    Returns:
        Label of a row -> its cells, at most NUM_COLUMNS; of a set without expressions one row named by the
        empty string, at most NUM_SUBJECTS. Empty rows are left out.
    """
    there = manifest.merge(crops.loc[crops["crop"] != "", ["photo", "crop", "status"]], on="photo")
    there = there.assign(person=there["subject"].where(there["subject"] != "", there["photo"]))
    expressions = sorted(set(there["expression"]) - {""})
    if not expressions:
        return {"": _spread(there, NUM_SUBJECTS, rotate=False)} if len(there) else {}
    rows = {name: _spread(there[there["expression"] == name], NUM_COLUMNS, rotate=False) for name in expressions}
    without = there[there["expression"] == ""]
    return rows | ({_NO_EXPRESSION: _spread(without, NUM_COLUMNS, rotate=True)} if len(without) else {})


def _spread(photos: pd.DataFrame, num: int, *, rotate: bool) -> list[Cell]:
    """One photo of each of up to `num` people; `rotate`: the n-th person's n-th photo."""
    people = sorted(photos["person"].unique())
    places = range(len(people)) if len(people) <= num else [index * len(people) // num for index in range(num)]
    ordered = photos.sort_values(["frame", "photo"], ascending=[False, True])
    of_person = dict(iter(ordered[ordered["person"].isin({people[place] for place in places})].groupby("person")))
    cells = []
    for number, place in enumerate(places):
        own = of_person[people[place]]
        row = own.iloc[number % len(own) if rotate else 0]
        cells.append(Cell(row["crop"], people[place], row["status"] == "fallback"))
    return cells


def contact_sheet(aligned_dir: Path, cells: dict[str, list[Cell]]) -> Image.Image:
    """Draw the crops, NUM_COLUMNS a line, each SIDE_PX wide with its caption below; a row's label stands left of it.

    Args:
        aligned_dir: an output folder of the stage `align`.
        cells: what `choose_cells` returns.
    Returns:
        RGB on white; a line of text alone where there are no cells.
    """
    if not cells:
        return _empty()
    left = _GAP_PX + (_LABEL_PX if set(cells) != {""} else 0)
    num_columns = min(NUM_COLUMNS, max(map(len, cells.values())))
    lines = [(name if not start else "", row[start : start + NUM_COLUMNS]) for name, row in cells.items()
             for start in range(0, len(row), NUM_COLUMNS)]  # fmt: skip
    note = any(cell.is_fallback for row in cells.values() for cell in row)
    height = _GAP_PX + len(lines) * _LINE_PX + (_CAPTION_PX if note else 0)
    sheet = Image.new("RGB", (left + num_columns * (SIDE_PX + _GAP_PX), height), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, row) in enumerate(lines):
        top = _GAP_PX + number * _LINE_PX
        draw.text((_GAP_PX, top + SIDE_PX // 2), _fitted(name, _LABEL_PX, _font(15)), _INK, _font(15), anchor="lm")
        for column, cell in enumerate(row):
            _draw_cell(sheet, draw, aligned_dir, cell, left + column * (SIDE_PX + _GAP_PX), top)
    if note:
        text = "framed: no face found, the photo's centre"
        draw.text((_GAP_PX, height - _CAPTION_PX // 2), text, _WARNING, _font(11), anchor="lm")
    return sheet


def write_contact_sheet(sheet: Image.Image, path: Path) -> None:
    """Write it as JPEG; the same sheet gives the same bytes."""
    with whole_file(path) as file:
        sheet.save(file, "JPEG", quality=85)


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, aligned_dir: Path, cell: Cell, left: int, top: int
) -> None:
    crop = Image.fromarray(read_crop(Path(aligned_dir) / cell.crop)).resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS
    )
    sheet.paste(crop, (left, top))
    if cell.is_fallback:
        draw.rectangle((left, top, left + SIDE_PX - 1, top + SIDE_PX - 1), outline=_WARNING, width=3)
    place = (left + SIDE_PX // 2, top + SIDE_PX + _CAPTION_PX // 2)
    draw.text(place, _fitted(cell.caption, SIDE_PX, _font(11)), _FAINT, _font(11), anchor="mm")


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own, so that no machine's fonts are in the picture."""
    return ImageFont.load_default(size)


def _fitted(text: str, width_px: int, font: ImageFont.FreeTypeFont) -> str:
    """The text, its end cut off where it is too long."""
    if font.getlength(text) <= width_px:
        return text
    return next(cut for end in range(len(text) - 1, -1, -1) if font.getlength(cut := text[:end] + "...") <= width_px)


def _empty() -> Image.Image:
    sheet = Image.new("RGB", (240, 40), "white")
    ImageDraw.Draw(sheet).text((_GAP_PX, 20), "no crop to show", _FAINT, _font(15), anchor="lm")
    return sheet
