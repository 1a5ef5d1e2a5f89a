"""A picture of a set's crops: a row per expression, or one crop of each of many subjects."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from dwmtl.crops.aligned import read_crop
from dwmtl.files import whole_file

NUM_COLUMNS = 12
NUM_SUBJECTS = 48
"""Subjects shown of a set without expressions."""

SIDE_PX = 96
_GAP_PX = 4
_CAPTION_PX = 16
_LINE_PX = SIDE_PX + _CAPTION_PX + _GAP_PX
_LABEL_PX = 120
_INK, _FAINT, _WARNING = (30, 30, 30), (110, 110, 110), (230, 120, 0)
_NO_EXPRESSION = "no expression"
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Cell:
    """A crop of the sheet."""

    crop: str
    """Path below the output folder of the stage `align`."""
    caption: str
    is_fallback: bool = False
    """No face was found: the cell gets a frame."""


def choose_cells(manifest: pd.DataFrame, crops: pd.DataFrame) -> dict[str, list[Cell]]:
    """Choose the crops of the sheet: one of each of up to a number of subjects, evenly spaced in sorted order.

    A subject's crop of an expression is its last frame. Without an expression, the n-th subject's n-th photo is taken.
    Where subjects are unknown, every photo counts as a subject.

    Args:
        manifest: table of `tables.MANIFEST`.
        crops: table of `tables.CROPS`; photos without a crop are not shown.
    Returns:
        Label of a row -> its cells, at most NUM_COLUMNS. A set without expressions has one row, labelled by the empty
        string, of at most NUM_SUBJECTS cells. Empty rows are left out.
    """
    cropped = manifest.merge(crops.loc[crops["crop"] != "", ["photo", "crop", "status"]], on="photo")
    cropped = cropped.assign(person=cropped["subject"].where(cropped["subject"] != "", cropped["photo"]))
    expressions = sorted(set(cropped["expression"]) - {""})
    if not expressions:
        return {"": _spread(cropped, NUM_SUBJECTS, rotate=False)} if len(cropped) else {}
    rows = {name: _spread(cropped[cropped["expression"] == name], NUM_COLUMNS, rotate=False) for name in expressions}
    without = cropped[cropped["expression"] == ""]
    return rows | ({_NO_EXPRESSION: _spread(without, NUM_COLUMNS, rotate=True)} if len(without) else {})


def _spread(photos: pd.DataFrame, num: int, *, rotate: bool) -> list[Cell]:
    """One photo of each of up to `num` people: the last frame or, with `rotate`, the n-th person's n-th photo."""
    people = sorted(photos["person"].unique())
    places = range(len(people)) if len(people) <= num else [index * len(people) // num for index in range(num)]
    ordered = photos.sort_values(["frame", "photo"], ascending=[False, True])
    of_person = dict(iter(ordered[ordered["person"].isin({people[place] for place in places})].groupby("person")))
    cells = []
    for number, place in enumerate(places):
        photos_of_one = of_person[people[place]]
        row = photos_of_one.iloc[number % len(photos_of_one) if rotate else 0]
        cells.append(Cell(row["crop"], people[place], row["status"] == "fallback"))
    return cells


def contact_sheet(aligned_dir: Path, cells: dict[str, list[Cell]]) -> Image.Image:
    """Draw the crops, NUM_COLUMNS per line, each SIDE_PX wide with its caption below and the row's label on the left.

    Args:
        aligned_dir: an output folder of the stage `align`.
        cells: what `choose_cells` returns.
    Returns:
        RGB on white; a line of text where there are no cells.
    """
    if not cells:
        return _empty()
    left_px = _GAP_PX + (_LABEL_PX if set(cells) != {""} else 0)
    num_columns = min(NUM_COLUMNS, max(map(len, cells.values())))
    lines = [(name if not start else "", row[start : start + NUM_COLUMNS]) for name, row in cells.items()
             for start in range(0, len(row), NUM_COLUMNS)]  # fmt: skip
    note = any(cell.is_fallback for row in cells.values() for cell in row)
    height = _GAP_PX + len(lines) * _LINE_PX + (_CAPTION_PX if note else 0)
    sheet = Image.new("RGB", (left_px + num_columns * (SIDE_PX + _GAP_PX), height), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, row) in enumerate(lines):
        top_px = _GAP_PX + number * _LINE_PX
        draw.text((_GAP_PX, top_px + SIDE_PX // 2), _fitted(name, _LABEL_PX, _font(15)), _INK, _font(15), anchor="lm")
        for column, cell in enumerate(row):
            _draw_cell(sheet, draw, aligned_dir, cell, left_px + column * (SIDE_PX + _GAP_PX), top_px)
    if note:
        text = "framed: no face found, the photo's centre"
        draw.text((_GAP_PX, height - _CAPTION_PX // 2), text, _WARNING, _font(11), anchor="lm")
    return sheet


def write_contact_sheet(sheet: Image.Image, path: Path) -> None:
    """Write it as JPEG; the same sheet gives the same bytes."""
    with whole_file(path) as file:
        sheet.save(file, "JPEG", quality=85)


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, aligned_dir: Path, cell: Cell, left_px: int, top_px: int
) -> None:
    crop = Image.fromarray(read_crop(Path(aligned_dir) / cell.crop)).resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS
    )
    sheet.paste(crop, (left_px, top_px))
    if cell.is_fallback:
        draw.rectangle((left_px, top_px, left_px + SIDE_PX - 1, top_px + SIDE_PX - 1), outline=_WARNING, width=3)
    place = (left_px + SIDE_PX // 2, top_px + SIDE_PX + _CAPTION_PX // 2)
    draw.text(place, _fitted(cell.caption, SIDE_PX, _font(11)), _FAINT, _font(11), anchor="mm")


def _font(size: int) -> _Font:
    """Pillow's built-in font, so that the picture does not depend on the machine's fonts."""
    return ImageFont.load_default(size)


def _fitted(text: str, width_px: int, font: _Font) -> str:
    """The text, cut at its end where it is too long."""
    if font.getlength(text) <= width_px:
        return text
    return next(cut for end in range(len(text) - 1, -1, -1) if font.getlength(cut := text[:end] + "...") <= width_px)


def _empty() -> Image.Image:
    sheet = Image.new("RGB", (240, 40), "white")
    ImageDraw.Draw(sheet).text((_GAP_PX, 20), "no crop to show", _FAINT, _font(15), anchor="lm")
    return sheet
