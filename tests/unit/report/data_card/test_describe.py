"""What a card says of a set: its photos, subjects, expressions, folds, pairs, faces and sizes."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.report.data_card.card import (
    ExpressionCount,
    Expressions,
    Fold,
    PairBlock,
    Photos,
    PhotosEach,
    Quantiles,
    Size,
    Sizes,
    Subjects,
)
from dwmtl.report.data_card.describe import MAX_SUBJECTS_LISTED
from dwmtl.report.data_card.page import data_card_markdown
from dwmtl.tables import FAILURES

small_set = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_set.py"))))
SOURCE, row, grid, make_crops = small_set.SOURCE, small_set.row, small_set.grid, small_set.make_crops
make_facts, make_folds, card_of = small_set.make_facts, small_set.make_folds, small_set.card_of


def test_photos_are_counted_by_use_expression_and_subject():
    frames = [row("P0.unused", "P0") | {"use": "unused"}, row("P0.normal", "P0", "neutral", "neutral")]
    rows = [*frames, row("P0.light", "P0"), *grid(3).to_dict("records")]
    card = card_of(make_manifest(rows))
    assert card.photos == Photos(num=9, num_used=8, by_use={"neutral": 1, "peak": 6, "train": 1, "unused": 1})
    shown = {
        "anger": ExpressionCount(num_photos=3, num_subjects=3),
        "happiness": ExpressionCount(num_photos=3, num_subjects=3),
        "neutral": ExpressionCount(num_photos=1, num_subjects=1),
    }
    assert card.expressions == Expressions(num_photos_without=1, counts=shown)
    assert card.subjects == Subjects(
        num=3,
        num_photos_without=0,
        num_with_one_photo=0,
        photos_each=PhotosEach(min=2, median=2.0, max=4),
        counts={"P0": 4, "P1": 2, "P2": 2},
    )


def test_counts_do_not_depend_on_the_order_of_the_rows():
    manifest = grid(5)
    shuffled = manifest.sample(frac=1, random_state=0)
    folds = make_folds(P0=0, P1=0, P2=1, P3=1, P4=1)
    assert card_of(manifest, folds=folds) == card_of(shuffled, folds=folds)


def test_folds_add_up_to_the_set():
    manifest = grid(4)
    folds = card_of(manifest, folds=make_folds(P0=0, P1=1, P2=1, P3=1)).folds
    by_expression = {"anger": 3, "happiness": 3}
    assert folds.rows[1] == Fold(fold=1, num_subjects=3, num_photos=6, by_expression=by_expression)
    assert sum(fold.num_photos for fold in folds.rows) == len(manifest)
    assert folds.num_photos_in_none == 0


def test_further_labels_are_counted_and_text_is_not():
    rows = [row(f"p{number}", "A", glasses="on" if number < 2 else "", note=f"note {number}") for number in range(30)]
    assert card_of(make_manifest(rows)).labels == {"glasses": {"on": 2}}


def test_official_pairs_are_counted_by_fold():
    pairs = pd.DataFrame({"photo_a": "a", "photo_b": "b", "is_same_identity": [True, False, False], "fold": [0, 0, 1]})
    found = card_of(grid(2), pairs=pairs).pairs
    assert (found.num_genuine, found.num_impostor) == (1, 2)
    assert found.rows[1] == PairBlock(fold=1, num_genuine=0, num_impostor=1)


def test_a_set_without_folds_expressions_digests_or_subjects_has_a_card():
    nobody = make_manifest([row("a.png", ""), row("b.png", "")])
    card = card_of(nobody, failures=pd.DataFrame(columns=list(FAILURES)))
    assert card.subjects.num == 0
    assert card.subjects.photos_each is None
    assert card.expressions == Expressions(num_photos_without=2, counts={})
    assert [card.folds, card.pairs, card.sizes, card.duplicates] == [None] * 4
    assert card.lacks == card.alignment.failures == []
    assert card.cautions[0].startswith("2 photos are of nobody known")


def test_the_subjects_of_a_large_set_are_not_listed():
    rows = [row(f"{number}.png", f"P{number}") for number in range(MAX_SUBJECTS_LISTED + 1)]
    subjects = card_of(make_manifest(rows), source=replace(SOURCE, role="identity")).subjects
    assert subjects.counts is None
    assert subjects.num == subjects.num_with_one_photo == MAX_SUBJECTS_LISTED + 1


def test_the_face_side_is_the_longer_one_and_quantiles_are_of_found_faces():
    manifest = grid(2)
    crops = make_crops(manifest, confidence=[0.7, 0.8, 0.9, 1.0], num_faces=[1, 2, 3, 1])
    alignment = card_of(manifest, crops).alignment
    assert alignment.face_side_px == Quantiles(**dict.fromkeys(Quantiles.__dataclass_fields__, 80.0))
    assert (alignment.confidence.min, alignment.confidence.median) == (0.7, 0.85)
    assert alignment.num_by_status == {"aligned": 4, "fallback": 0, "unreadable": 0}
    assert alignment.num_several_faces == 2


@pytest.mark.parametrize("status", ["fallback", "unreadable"])
def test_a_set_without_a_single_face_has_a_card(status):
    manifest = grid(2)
    failures = pd.DataFrame({"photo": manifest["photo"], "status": status, "reason": "why | not"})
    card = card_of(manifest, make_crops(manifest, status), failures=failures)
    assert card.alignment.confidence is card.alignment.face_side_px is None
    assert card.alignment.num_by_status[status] == 4
    assert card.alignment.failed_by_expression == {"anger": 2, "happiness": 2}
    assert any("4" in sentence for sentence in card.cautions)
    assert f"| `P0.anger` | {status} | why \\| not |" in data_card_markdown(card)


def test_sizes_are_listed_most_frequent_first():
    manifest = grid(2)
    facts = make_facts(manifest).assign(width_px=pd.array([4, 4, 9, pd.NA], "Int64"))
    facts.loc[3, ["pixels_sha256", "height_px"]] = ["", pd.NA]
    assert card_of(manifest, facts=facts).sizes == Sizes(
        num_sizes=2,
        num_unknown=1,
        most_frequent=[
            Size(width_px=4, height_px=6, num_photos=2),
            Size(width_px=9, height_px=6, num_photos=1),
        ],
    )
