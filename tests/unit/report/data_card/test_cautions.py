"""What a card warns of."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.set_facts import PassedOver

small_set = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_set.py"))))
SOURCE, row, grid = small_set.SOURCE, small_set.row, small_set.grid
make_folds, card_of = small_set.make_folds, small_set.card_of


def test_a_drawn_set_is_cautioned_about():
    sentence = "The faces are drawn by this project, they are no photographs: the set shows that the pipeline works."
    assert card_of(grid(), source=replace(SOURCE, is_drawn=True)).cautions[0] == sentence
    assert sentence not in card_of(grid()).cautions


def test_a_fold_without_an_expression_and_a_subject_without_a_fold_are_told():
    manifest = make_manifest([row("a", "P0", "anger"), row("b", "P1", "fear"), row("c", "P2", "fear")])
    card = card_of(manifest, folds=make_folds(P0=0, P1=1))
    assert card.folds.num_photos_in_none == 1
    assert "Fold 0 has no photo of fear: it is never tested there." in card.cautions
    assert "1 photo is of subjects that are in no fold." in card.cautions


def test_pictures_that_are_not_taken_are_a_caution():
    others = PassedOver(3, ["a.heic", "b/1.jp2"])
    card = card_of(grid(), passed_over=others)
    assert card.photos.passed_over == others
    assert card.cautions[0] == (
        "3 pictures are in the set's folder but not where the adapter looks, so skipped: "
        "`a.heic`, `b/1.jp2` and 1 more."
    )


def test_an_expression_that_one_folds_subjects_alone_show_is_a_caution():
    manifest = grid(expressions=("anger", "contempt"))
    manifest = manifest[(manifest["expression"] != "contempt") | (manifest["subject"] == "P0")].reset_index(drop=True)
    card = card_of(manifest, folds=make_folds(P0=0, P1=0, P2=1, P3=1))
    told = "\n".join(card.cautions)
    assert "Fold 1 has no photo of contempt: it is never tested there." in told
    assert "Fold 0 tests every photo of contempt: unless another set shows it, it is trained on none." in told
    assert "Fold 1 tests every photo" not in told
