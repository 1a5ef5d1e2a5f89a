import pandas as pd
import pytest

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.identities import identity_classes, label_identities


def _manifest(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of (photo, subject, use)."""
    return pd.DataFrame(
        [(photo, subject, "", 0, "", use) for photo, subject, use in rows], columns=list(tables.MANIFEST)
    )


def test_classes_count_the_sorted_subjects_from_zero():
    assert identity_classes(["007", "P2", "P10", "007"]) == {"007": 0, "P10": 1, "P2": 2}


def test_photos_of_a_subject_share_its_class():
    labels = label_identities(
        _manifest(("b/1", "b", "train"), ("a/1", "a", "train"), ("a/2", "a", "peak"), ("a/3", "a", "neutral"))
    )
    assert tuple(labels.columns) == tables.IDENTITY_LABELS
    assert labels["photo"].tolist() == ["b/1", "a/1", "a/2", "a/3"]
    assert labels["identity"].tolist() == [1, 0, 0, 0]


def test_subject_whose_photos_are_all_unused_takes_no_class():
    labels = label_identities(_manifest(("a/1", "a", "unused"), ("b/1", "b", "train"), ("c/1", "c", "train")))
    assert labels["identity"].tolist() == [0, 1]


def test_photo_without_a_subject_is_an_error_that_names_it():
    with pytest.raises(ProtocolError, match=r"1 photos of the identity set have no subject, first x\.jpg"):
        label_identities(_manifest(("a.jpg", "a", "train"), ("x.jpg", "", "train")))


def test_single_identity_is_an_error_with_the_cure():
    with pytest.raises(ProtocolError, match=r">= 2 subjects\. Got 1 instead\. Point sets\.identity\.folder"):
        label_identities(_manifest(("a/1", "a", "train")))
