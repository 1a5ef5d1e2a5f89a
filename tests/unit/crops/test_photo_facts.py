import hashlib

import numpy as np
import pytest
from PIL import Image

from dwmtl import tables
from dwmtl.crops.photo_facts import photo_facts
from dwmtl.datasets import yale
from dwmtl.datasets.packs.pictures import open_pictures
from dwmtl.protocol.duplicates import drop_duplicates, find_duplicates
from dwmtl.protocol.expressions import label_expressions


def _save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_bytes_are_those_of_the_file_and_pixels_those_of_the_picture(tmp_path):
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    _save(tmp_path / "a.png", pixels)
    _save(tmp_path / "b.bmp", pixels)
    names = ["b.bmp", "a.png"]
    facts = photo_facts(open_pictures("folders", tmp_path), names)
    assert tuple(facts.columns) == tables.PHOTO_FACTS
    assert facts["photo"].tolist() == names
    assert facts["bytes_sha256"].tolist() == [_sha256((tmp_path / name).read_bytes()) for name in names]
    assert facts["bytes_sha256"].nunique() == 2
    assert facts["pixels_sha256"].tolist() == [_sha256(b"2x3x3" + pixels.tobytes())] * 2
    assert facts[["width_px", "height_px"]].to_numpy().tolist() == [[3, 2]] * 2


def test_pictures_of_the_same_numbers_and_another_shape_differ(tmp_path):
    _save(tmp_path / "wide.png", np.zeros((2, 3, 3), np.uint8))
    _save(tmp_path / "high.png", np.zeros((3, 2, 3), np.uint8))
    assert photo_facts(open_pictures("folders", tmp_path), ["wide.png", "high.png"])["pixels_sha256"].nunique() == 2


def test_photo_that_cannot_be_decoded_has_no_digest_of_pixels_and_no_size(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    facts = photo_facts(open_pictures("folders", tmp_path), ["empty.png", "text.png", "missing.png", "folder.png"])
    assert facts["pixels_sha256"].tolist() == [""] * 4
    assert facts[["width_px", "height_px"]].isna().all(axis=None)
    assert facts["bytes_sha256"].tolist() == [_sha256(b""), _sha256(b"no picture"), "", ""]


def test_no_photos_are_a_table_without_rows(tmp_path):
    assert tuple(photo_facts(open_pictures("folders", tmp_path), []).columns) == tables.PHOTO_FACTS


@pytest.fixture(scope="module")
def yale_labels(testdata):
    return label_expressions(yale.read(testdata / "real" / "yale", num_peak_frames=3).photos)


@pytest.fixture(scope="module")
def yale_digests(testdata, yale_labels):
    return photo_facts(open_pictures("folders", testdata / "real" / "yale"), yale_labels["photo"])


@pytest.fixture(scope="module")
def yale_duplicates(yale_labels, yale_digests):
    return find_duplicates(yale_labels.assign(fold=0).merge(yale_digests, on="photo"))


def test_yales_sad_photo_that_is_its_normal_one_is_found_as_a_contradiction(yale_duplicates):
    contradicting = yale_duplicates[yale_duplicates["is_contradicting_expression"]]
    assert contradicting["photo"].tolist() == ["subject04.normal", "subject04.sad"]


def test_yales_repeated_noglasses_are_found_and_harmless(yale_duplicates):
    repeated = yale_duplicates[yale_duplicates["photo"].str.endswith(".noglasses")]
    assert repeated["subject"].tolist() == [f"subject{number:02d}" for number in (2, 3, 6, 7, 9, 12, 14)]
    assert repeated["is_harmless"].all()


def test_yale_without_duplicates_keeps_the_neutral_photo_of_each_but_the_contradiction(yale_labels, yale_digests):
    kept, dropped = drop_duplicates(yale_labels, yale_digests)
    neutral = yale_labels[yale_labels["use"] == "neutral"]
    assert set(neutral["photo"]) - set(kept["photo"]) == {"subject04.normal"}
    assert len(kept) + len(dropped) == len(yale_labels)
