"""The sheet of a set's crops: which are shown, and where."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.report.data_card.contact_sheet import (
    NUM_COLUMNS,
    NUM_SUBJECTS,
    SIDE_PX,
    Cell,
    choose_cells,
    contact_sheet,
    write_contact_sheet,
)

small_set = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_set.py"))))
row, grid, make_crops = small_set.row, small_set.grid, small_set.make_crops


def test_the_sheet_shows_an_expression_a_row_with_subjects_evenly_spread():
    manifest = grid(2 * NUM_COLUMNS)
    cells = choose_cells(manifest, make_crops(manifest))
    assert list(cells) == ["anger", "happiness"]
    subjects = sorted(manifest["subject"].unique())
    assert [cell.caption for cell in cells["anger"]] == subjects[::2]
    assert cells["anger"][0] == Cell(f"photos/{subjects[0]}.anger.png", subjects[0])


def test_the_sheet_shows_the_last_frame_of_a_subject():
    rows = [row(f"{frame}.png", "A", "fear", frame=frame, sequence="A/fear") for frame in (9, 10, 8)]
    manifest = make_manifest(rows)
    assert choose_cells(manifest, make_crops(manifest))["fear"][0].crop == "photos/10.png.png"


def test_photos_without_an_expression_differ_from_subject_to_subject_on_the_sheet():
    rows = [row(f"P{who}.{light}", f"P{who}") for who in range(2) for light in ("left", "right")]
    manifest = make_manifest([*rows, row("P0.sad", "P0", "sadness")])
    cells = choose_cells(manifest, make_crops(manifest))
    assert list(cells) == ["sadness", "no expression"]
    assert [cell.crop for cell in cells["no expression"]] == ["photos/P0.left.png", "photos/P1.right.png"]


def test_the_sheet_of_a_set_without_expressions_shows_many_subjects_once_and_nobody_unreadable():
    rows = [row(f"{who:03d}/{number}.png", f"{who:03d}") for who in range(100) for number in range(2)]
    manifest = make_manifest(rows)
    crops = make_crops(manifest)
    crops.loc[0:1, ["status", "crop"]] = ["unreadable", ""]
    (cells,) = choose_cells(manifest, crops).values()
    assert len({cell.caption for cell in cells}) == len(cells) == NUM_SUBJECTS
    assert cells[0].caption == "001"


def test_people_nobody_knows_are_shown_photo_by_photo():
    manifest = make_manifest([row(f"{number}.png", "", "fear") for number in range(3)])
    assert len(choose_cells(manifest, make_crops(manifest))["fear"]) == 3


@pytest.fixture
def aligned_dir(tmp_path):
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        Image.new("RGB", (112, 112), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def test_the_sheet_holds_the_crops_in_their_places(aligned_dir):
    cells = {"anger": [Cell("red.png", "A")], "fear": [Cell("red.png", "A"), Cell("blue.png", "a name" * 20)]}
    sheet = np.asarray(contact_sheet(aligned_dir, cells))
    red, blue = ((sheet == colour).all(axis=2) for colour in ((200, 0, 0), (0, 0, 200)))
    assert (red.sum(), blue.sum()) == (2 * SIDE_PX**2, SIDE_PX**2)
    (rows, columns), (blue_rows, blue_columns) = np.nonzero(red), np.nonzero(blue)
    assert blue_rows.min() > rows.min() + SIDE_PX  # the second row
    assert blue_columns.min() > columns.max()  # the second column


def test_a_crop_without_a_face_is_framed(aligned_dir):
    framed = contact_sheet(aligned_dir, {"": [Cell("red.png", "A", is_fallback=True)]})
    plain = contact_sheet(aligned_dir, {"": [Cell("red.png", "A")]})
    assert framed.getpixel((4, 4)) != plain.getpixel((4, 4)) == (200, 0, 0)
    assert framed.height > plain.height  # what the frame means stands below


def test_a_long_row_is_broken_and_an_empty_sheet_says_so(aligned_dir):
    one, two = (
        contact_sheet(aligned_dir, {"": [Cell("red.png", "A")] * num}) for num in (NUM_COLUMNS, NUM_COLUMNS + 1)
    )
    assert two.width == one.width
    assert two.height > one.height + SIDE_PX
    assert contact_sheet(aligned_dir, {}).width > 0


def test_the_same_sheet_gives_the_same_bytes(aligned_dir):
    for name in ("first", "second"):
        write_contact_sheet(contact_sheet(aligned_dir, {"": [Cell("red.png", "A")]}), aligned_dir / name)
    assert (aligned_dir / "first").read_bytes() == (aligned_dir / "second").read_bytes()
