import pandas as pd
import pytest

from dwmtl.datasets.data_set import manifest, pair_table
from dwmtl.errors import TableError
from dwmtl.tables import (
    MANIFEST,
    VERIFICATION_PAIRS,
    read_manifests,
    read_official_pairs,
    set_of,
    with_others,
    write_table,
)


@pytest.fixture
def index(tmp_path):
    """Two sets and what an earlier run left of a third."""
    sets = {
        "oulu": [{"photo": "P1/0.jpg", "subject": "P1", "sequence": "P1/Anger", "expression": "anger", "use": "peak"}],
        "fer": [{"photo": "1.png", "subject": "", "expression": "anger", "use": "peak", "glasses": "on"}],
        "old": [{"photo": "x.png", "subject": "x"}],
    }
    for name, rows in sets.items():
        table = manifest(rows)
        write_table(table, tmp_path / name / "manifest.csv", with_others(MANIFEST, table))
    return tmp_path


def test_photos_subjects_and_sequences_begin_with_their_set(index):
    table = read_manifests(index, ["oulu", "fer"])
    assert table["photo"].tolist() == ["fer/1.png", "oulu/P1/0.jpg"]
    assert table["subject"].tolist() == ["", "oulu/P1"]
    assert table["sequence"].tolist() == ["", "oulu/P1/Anger"]
    assert [set_of(photo) for photo in table["photo"]] == ["fer", "oulu"]


def test_a_column_that_only_one_set_has_is_empty_for_the_others(index):
    assert read_manifests(index, ["oulu", "fer"])["glasses"].tolist() == ["on", ""]


def test_a_set_that_was_not_indexed_is_told(index):
    with pytest.raises(TableError, match=r"ck_plus/manifest\.csv: no such table"):
        read_manifests(index, ["oulu", "ck_plus"])


def test_official_pairs_name_the_joined_photos(tmp_path):
    write_table(pair_table([("A/1.jpg", "B/1.jpg", False, 3)]), tmp_path / "lfw/pairs.csv", VERIFICATION_PAIRS)
    pairs = read_official_pairs(tmp_path, ["lfw"])
    expected = pd.DataFrame([("lfw/A/1.jpg", "lfw/B/1.jpg", False, 3)], columns=list(VERIFICATION_PAIRS))
    pd.testing.assert_frame_equal(pairs, expected)
