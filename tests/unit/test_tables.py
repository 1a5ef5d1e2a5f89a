import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.errors import TableError

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
MANIFEST_ROW = st.tuples(CELL, CELL, CELL, st.integers(0, 10**6), CELL, st.sampled_from(tables.USES))


def _manifest(*rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(tables.MANIFEST))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(MANIFEST_ROW, min_size=1, max_size=5))
def test_manifest_reads_back_as_it_was_written(tmp_path, rows):
    path = tmp_path / "manifest.csv"
    tables.write_table(_manifest(*rows), path, tables.MANIFEST)
    table = tables.read_table(path, tables.MANIFEST)
    assert [tuple(row) for row in table.to_numpy()] == rows


@pytest.mark.parametrize("text", ["007", "", "NA", "nan", "None", "null", "1e3", "True", "a,b", 'say "hi"', " x "])
def test_text_stays_text(tmp_path, text):
    path = tmp_path / "manifest.csv"
    tables.write_table(_manifest((text, text, text, 0, text, "peak")), path)
    row = tables.read_table(path, tables.MANIFEST).iloc[0]
    assert [row[column] for column in ("photo", "subject", "sequence", "expression")] == [text] * 4


def test_truth_and_numbers_keep_their_types(tmp_path):
    pairs = pd.DataFrame([("a", "b", True, 0), ("a", "c", False, 9)], columns=list(tables.VERIFICATION_PAIRS))
    tables.write_table(pairs, tmp_path / "pairs.csv")
    pd.testing.assert_frame_equal(
        tables.read_table(tmp_path / "pairs.csv", tables.VERIFICATION_PAIRS), pairs, check_dtype=False
    )
    assert tables.read_table(tmp_path / "pairs.csv", tables.VERIFICATION_PAIRS)["is_same_identity"].dtype == bool


def test_empty_number_is_not_a_number(tmp_path):
    row = ("p.jpg", "", "unreadable", 0, "", *[None] * (1 + len(tables.BOX) + len(tables.LANDMARKS)))
    tables.write_table(pd.DataFrame([row], columns=list(tables.CROPS)), tmp_path / "crops.csv")
    crop = tables.read_table(tmp_path / "crops.csv", tables.CROPS).iloc[0]
    assert crop["crop"] == ""
    assert crop[["confidence", *tables.BOX]].isna().all()


def test_table_without_rows_keeps_its_columns(tmp_path):
    tables.write_table(_manifest(), tmp_path / "manifest.csv")
    table = tables.read_table(tmp_path / "manifest.csv", tables.MANIFEST)
    assert len(table) == 0
    assert tuple(table.columns) == tables.MANIFEST


def test_same_table_gives_the_same_bytes_with_unix_line_ends_and_the_named_order(tmp_path):
    folds = pd.DataFrame({"fold": [0, 1], "subject": ["b", "é"]})
    tables.write_table(folds, tmp_path / "deep" / "folds.csv", tables.FOLDS)
    assert (tmp_path / "deep" / "folds.csv").read_bytes() == "subject,fold\nb,0\né,1\n".encode()


def test_missing_table_is_an_error_that_names_it(tmp_path):
    with pytest.raises(TableError, match=r"folds\.csv: no such table\. Run `dvc repro`"):
        tables.read_table(tmp_path / "folds.csv", tables.FOLDS)


def test_missing_columns_are_named(tmp_path):
    (tmp_path / "manifest.csv").write_text("photo,frame,use\n")
    with pytest.raises(TableError, match=r"manifest\.csv: no column subject, sequence, expression\. Run"):
        tables.read_table(tmp_path / "manifest.csv", tables.MANIFEST)


@pytest.mark.parametrize(
    "content", [b"", b"subject,fold\na,0,extra\n", b"subject,fold\na,0\nb,1,extra\n", b"subject,fold\n\xff\xfe,0\n"]
)
def test_file_that_is_no_table_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "folds.csv").write_bytes(content)
    with pytest.raises(TableError, match=r"folds\.csv: not a CSV table"):
        tables.read_table(tmp_path / "folds.csv", tables.FOLDS)


def test_writing_a_table_that_lacks_a_column_leaves_the_old_one(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("old")
    with pytest.raises(KeyError):
        tables.write_table(pd.DataFrame({"subject": ["a"]}), path, tables.FOLDS)
    assert path.read_text() == "old"
