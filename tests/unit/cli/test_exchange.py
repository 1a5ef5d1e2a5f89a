"""`dwmtl extract`, `export-labels` and `export-pairs`, as a user calls them, in this process."""

import base64

import pandas as pd
import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.authors_pair_file import read_authors_pairs
from dwmtl.datasets.packs.bin_pack import write_bin_pack
from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.datasets.params import SetParams
from dwmtl.tables import EXPRESSION_LABELS, EXPRESSION_PAIRS, GIVEN_PAIRS, write_table

JPG = b"\xff\xd8\xff\xe0 jpeg"
PHOTOS = ("VL/Strong/P001/Anger/000.jpeg", "VL/Strong/P001/Anger/009.jpeg", "VL/Strong/P002/Fear/009.jpeg")


@pytest.fixture
def labels(tmp_path):
    rows = [
        (f"oulu/{PHOTOS[0]}", "oulu/P001", "s", 0, "neutral", "neutral", 4),
        (f"oulu/{PHOTOS[1]}", "oulu/P001", "s", 9, "anger", "peak", 4),
        (f"oulu/{PHOTOS[2]}", "oulu/P002", "t", 9, "fear", "peak", 4),
        ("oulu/VL/Strong/P002/x.jpeg", "oulu/P002", "", 0, "", "train", 4),
    ]
    table = pd.DataFrame(rows, columns=list(EXPRESSION_LABELS))
    write_table(table, tmp_path / "expression.csv")
    return table


def test_each_kind_of_pack_is_extracted(call_dwmtl, tmp_path):
    write_record_pack(tmp_path / "rec", [(4, JPG), (5, JPG)])
    write_bin_pack(tmp_path / "lfw.bin", [JPG] * 20, [True] * 10)
    line = f"m.0\t5\ta\tb\tFaceId-0\tAA==\t{base64.b64encode(JPG).decode()}\n"
    (tmp_path / "celeb.tsv").write_text(line + line.replace("m.0", "m.1"))
    (tmp_path / "clean.txt").write_text("m.1/5-FaceId-0.jpg 7\n")
    for source, options, num in (
        ("rec", [], 2),
        ("lfw.bin", [], 20),
        ("celeb.tsv", [], 2),
        ("celeb.tsv", ["--clean-list", tmp_path / "clean.txt"], 1),
    ):
        out = tmp_path / f"out_{source}_{num}"
        assert call_dwmtl("extract", tmp_path / source, out, *options) == (0, f"{out}: {num} pictures\n", "")
    assert (tmp_path / "out_celeb.tsv_1/7/m.1-5-FaceId-0.jpg").read_bytes() == JPG


def test_a_source_that_is_missing_or_of_another_kind_is_one_line_of_error(call_dwmtl, tmp_path):
    code, _, error = call_dwmtl("extract", tmp_path / "gone.tsv", tmp_path / "out")
    assert (code, error) == (1, f"error: {tmp_path}/gone.tsv: cannot be read (No such file or directory).\n")
    code, _, error = call_dwmtl("extract", tmp_path, tmp_path / "out", "--clean-list", tmp_path / "clean.txt")
    assert (code, error.count("\n")) == (1, 1)
    assert "a clean list belongs to an MS-Celeb TSV" in error


def test_exported_labels_are_read_by_the_adapter(call_dwmtl, labels, tmp_path):
    out = tmp_path / "set/labels.txt"
    for photo in PHOTOS:
        (tmp_path / "set" / photo).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / photo).touch()
    assert call_dwmtl("export-labels", tmp_path / "expression.csv", out, "--below", "/data/Oulu")[:2] == (
        0,
        f"{out}: 3 photos\n",
    )
    assert out.read_text().splitlines()[1] == f"0 P001 Neutral 0 /data/Oulu/{PHOTOS[0]}"
    params = SetParams(
        role="expression", adapter="authors_labels", folder=str(tmp_path / "set"), remap={"/data/Oulu": ""}
    )
    photos = read_data_set("oulu", params, num_peak_frames=3).photos
    assert photos["photo"].tolist() == list(PHOTOS)
    assert photos["expression"].tolist() == ["neutral", "anger", "fear"]


def test_labels_of_ck_plus_are_exported_in_its_own_form(call_dwmtl, labels, tmp_path):
    code, _, error = call_dwmtl("export-labels", tmp_path / "expression.csv", tmp_path / "ck.txt", "--form", "ck-plus")
    assert code == 1
    assert f"oulu/{PHOTOS[0]} (neutral): not a photo of CK+" in error
    photo = "ck/cohn-kanade-images/S005/001/S005_001_00000011.png"
    write_table(labels.assign(photo=photo)[1:2], tmp_path / "expression.csv")
    assert call_dwmtl("export-labels", tmp_path / "expression.csv", tmp_path / "ck.txt", "--form", "ck-plus")[0] == 0
    assert (tmp_path / "ck.txt").read_text().splitlines()[1:] == ["0 S005 001 00000011 1"]


def test_exported_pairs_are_read_again(call_dwmtl, tmp_path):
    row = (f"oulu/{PHOTOS[2]}", f"oulu/{PHOTOS[0]}", False, "fear", "happiness", "neutral", False, 0)
    table = pd.DataFrame([row], columns=list(EXPRESSION_PAIRS))
    write_table(table, tmp_path / "fold_4.csv")
    assert call_dwmtl("export-pairs", tmp_path / "fold_4.csv", tmp_path / "pairs.txt")[0] == 0
    assert (tmp_path / "pairs.txt").read_text().splitlines()[1].split()[4:7] == ["2", "3", "-1"]
    assert call_dwmtl("export-pairs", tmp_path / "fold_4.csv", tmp_path / "named.txt", "--names")[0] == 0
    for name in ("pairs.txt", "named.txt"):
        pairs = read_authors_pairs(tmp_path / name, pd.DataFrame({"photo": PHOTOS}))
        expected = table[list(GIVEN_PAIRS)].replace("oulu/", "", regex=True)
        pd.testing.assert_frame_equal(pairs, expected)


def test_labels_of_joined_sets_are_no_one_file(call_dwmtl, labels, tmp_path):
    labels.loc[0, "photo"] = "ck/a.png"
    write_table(labels, tmp_path / "expression.csv")
    code, _, error = call_dwmtl("export-labels", tmp_path / "expression.csv", tmp_path / "out.txt")
    assert code == 1
    assert "holds photos of the sets ck, oulu; such a file is of one set" in error
