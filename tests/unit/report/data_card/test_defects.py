"""Pictures that a set has several times, and those that it lacks."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from dwmtl.crops.photo_facts import photo_facts
from dwmtl.datasets import yale
from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.datasets.packs.pictures import open_pictures
from dwmtl.report.data_card.card import DataCard, Lack, Size
from dwmtl.report.data_card.defects import MAX_LISTED, duplicates, lacks
from dwmtl.report.data_card.page import data_card_markdown
from dwmtl.results import read_result, write_result

small_set = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_set.py"))))
SOURCE, row, grid, make_facts = small_set.SOURCE, small_set.row, small_set.grid, small_set.make_facts
make_folds, card_of = small_set.make_folds, small_set.card_of


def test_the_same_pixels_under_two_labels_come_first_and_are_told():
    manifest = grid(3)
    facts = make_facts(manifest, P1_anger="x", P1_happiness="x", P0_anger="y", P2_anger="y")
    facts.loc[facts["photo"].isin(["P0.anger", "P2.anger"]), "bytes_sha256"] = "b"
    card = card_of(manifest, facts=facts, folds=make_folds(P0=0, P1=0, P2=1))
    first, second = card.duplicates.groups
    assert first.photos == ["P0.anger", "P2.anger"]
    assert (first.same, first.contradicts, first.folds) == ("bytes", ["subject"], [0, 1])
    assert (second.same, second.contradicts, second.folds) == ("pixels", ["expression"], [0])
    assert second.expressions == ["anger", "happiness"]
    counts = ("num_groups", "num_photos", "num_same_bytes", "num_contradictory", "num_across_folds")
    assert [getattr(card.duplicates, key) for key in counts] == [2, 4, 1, 2, 1]
    assert card.cautions[0].startswith("`P0.anger` = `P2.anger`: the same picture under 2 subjects (P0, P2).")
    assert "1 picture is in several folds: what is tested was also trained on." in card.cautions


def test_a_photo_without_a_label_contradicts_nothing():
    manifest = make_manifest([row("a", "P0", "anger"), row("b", "P0")])
    found = card_of(manifest, facts=make_facts(manifest, a="x", b="x")).duplicates
    assert (found.num_groups, found.num_contradictory) == (1, 0)


def test_unreadable_photos_are_compared_by_their_bytes_and_missing_ones_not_at_all():
    manifest = grid(2)
    empty = pd.array([pd.NA] * 4, "Int64")
    facts = make_facts(manifest).assign(pixels_sha256="", width_px=empty, height_px=empty)
    facts["bytes_sha256"] = ["same", "same", "", ""]
    found = duplicates(manifest.assign(fold=pd.NA), facts)
    assert [group.photos for group in found.groups] == [["P0.anger", "P0.happiness"]]
    assert found.groups[0].same == "bytes"


def test_duplicates_are_those_of_comparing_every_pair():
    manifest = grid(10)
    rng = np.random.default_rng(0)
    facts = make_facts(manifest).assign(pixels_sha256=[f"{number}" for number in rng.integers(0, 12, 20)])
    digests = dict(zip(facts["photo"], facts["pixels_sha256"], strict=True))
    expected = {tuple(sorted(b for b in digests if digests[a] == digests[b])) for a in digests}
    found = duplicates(manifest.assign(fold=pd.NA), facts)
    assert {tuple(group.photos) for group in found.groups} == {group for group in expected if len(group) > 1}


def test_more_duplicates_than_are_listed_are_counted():
    manifest = grid(MAX_LISTED + 3)
    facts = make_facts(manifest).assign(pixels_sha256=manifest["subject"])
    card = card_of(manifest, facts=facts)
    assert card.duplicates.num_contradictory == MAX_LISTED + 3
    assert len(card.duplicates.groups) == MAX_LISTED
    assert f"{MAX_LISTED + 3 - 5} more pictures have contradicting labels." in card.cautions
    assert f"The first {MAX_LISTED} of {MAX_LISTED + 3}." in data_card_markdown(card)


def test_a_picture_that_stands_for_very_many_photos_is_cut_and_counted():
    manifest = make_manifest([row(f"{number:03d}.png", "A") for number in range(MAX_LISTED + 10)])
    card = card_of(manifest, facts=make_facts(manifest).assign(pixels_sha256="placeholder"))
    (group,) = card.duplicates.groups
    assert (group.num_photos, len(group.photos)) == (MAX_LISTED + 10, MAX_LISTED)
    assert card.duplicates.num_photos == MAX_LISTED + 10
    assert "`049.png` = ..." in data_card_markdown(card)


def test_what_most_subjects_have_and_one_lacks_is_named():
    manifest = grid(6, ("anger", "fear", "joy"))
    found = lacks(manifest[manifest["photo"] != "P3.fear"])
    assert found == [
        Lack(what="expression", kind="fear", num_subjects=1, subjects=["P3"]),
        Lack(what="photo", kind="*.fear", num_subjects=1, subjects=["P3"]),
    ]
    assert lacks(manifest) == []


def test_a_missing_sequence_is_named_once_however_many_frames_it_has():
    rows = [
        row(f"VL/P{subject}/{name}/{frame}.png", f"P{subject}", name, sequence=f"VL/P{subject}/{name}", frame=frame)
        for subject in range(5)
        for name in ("anger", "fear")
        for frame in range(2 + subject)
        if (subject, name) != (2, "fear")
    ]
    assert [found.kind for found in lacks(make_manifest(rows))] == ["fear", "VL/*/fear"]


def test_a_photo_with_another_ending_is_not_missing():
    manifest = grid(6)
    assert lacks(manifest.assign(photo=manifest["photo"].replace("P3.anger", "P3.anger.gif"))) == []


def test_numbered_photos_are_not_missing_where_a_subject_has_fewer():
    rows = [row(f"{who}/{who}_{number:04d}.jpg", str(who)) for who in range(10) for number in range(3 + (who > 0))]
    assert lacks(make_manifest(rows)) == []


def test_a_layout_of_ones_own_a_subject_lacks_nothing():
    rows = [row(f"P{who}/{chr(97 + who)}{letter}.jpg", f"P{who}") for who in range(5) for letter in "xyz"]
    assert lacks(make_manifest(rows)) == []


def test_an_expression_that_few_subjects_show_is_not_missing():
    rows = [row(f"P{who}.anger", f"P{who}", "anger") for who in range(10)]
    rows += [row(f"P{who}.fear", f"P{who}", "fear") for who in range(5)]
    assert lacks(make_manifest(rows)) == []


def test_the_defects_of_the_real_yale_are_found(testdata, tmp_path):
    folder = testdata / "real" / "yale"
    manifest = yale.read(folder, num_peak_frames=1).photos
    facts = photo_facts(open_pictures("yale", folder), manifest["photo"])
    card = card_of(manifest, facts=facts, source=replace(SOURCE, name="yale", adapter="yale"))
    assert (card.photos.num, card.subjects.num) == (164, 15)
    assert card.sizes.most_frequent == [Size(width_px=320, height_px=243, num_photos=164)]
    contradictory, *others = card.duplicates.groups
    assert contradictory.photos == ["subject04.normal", "subject04.sad"]
    assert contradictory.contradicts == ["expression"]
    repeated = [group.photos for group in others]
    noglasses = [[f"subject{number}.noglasses", f"subject{number}.normal"] for number in ("02", "03", "06", "07")]
    noglasses += [[f"subject{number}.noglasses", f"subject{number}.normal"] for number in ("09", "12", "14")]
    assert repeated == sorted([*noglasses, ["subject08.glasses", "subject08.normal"]])
    assert card.lacks == [
        Lack(what="photo", kind="*.centerlight", num_subjects=1, subjects=["subject01"]),
    ]
    assert "subject01 lacks the photo `*.centerlight`, which the other subjects have." in card.cautions
    write_result(card, tmp_path / "card.json")
    assert read_result(DataCard, tmp_path / "card.json") == card
    assert data_card_markdown(card).count("subject04.sad") == 2
