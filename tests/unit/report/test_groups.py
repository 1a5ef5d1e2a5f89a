import json
import runpy
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.errors import ProtocolError
from dwmtl.evaluation.fold import write_further_sets
from dwmtl.report.groups import MISUSES, GroupScores, group_of_photos, group_scores
from dwmtl.report.page import write_pages
from dwmtl.results import read_result
from dwmtl.tables import MANIFEST, write_table

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
GROUPS = {"S0": "x", "S1": "x", "S2": "y", "S3": "y"}


@pytest.fixture
def world(tmp_path):
    """A world whose labels have a column `group`, and whose verification set has none of it."""
    folder, params = small_world["make_world"](tmp_path)
    labels = small_world["labels"]()
    write_table(labels.assign(group=labels["subject"].map(GROUPS)), folder / "labels/expression.csv")
    photos = pd.DataFrame({"photo": ["A/1.jpg", "A/2.jpg", "B/1.jpg"], "subject": ["A", "A", "B"], "use": "train"})
    manifest = photos.reindex(columns=list(MANIFEST), fill_value="").assign(frame=0)
    write_table(manifest, folder / "index/verification/manifest.csv")
    return folder, params


def with_group(world, column: str):
    folder, params = world
    return folder, params.model_copy(update={"report": params.report.model_copy(update={"group": column})})


def test_no_column_is_no_table(world):
    content = small_world["content_of"](world)
    assert content.groups is None
    write_pages(content, world[0] / "report")
    assert not (world[0] / "report/groups.json").exists()
    assert "must not be used" not in (world[0] / "report/report.html").read_text()


def test_a_column_gives_each_headline_score_by_its_values(world):
    groups = small_world["content_of"](with_group(world, "group")).groups
    assert list(groups.groups) == ["x", "y"]
    accuracy = groups.scores["expression_accuracy"]
    assert accuracy.groups["x"].value == 1 - 2 / 16  # S0's happiness is wrong, in both folds
    assert accuracy.groups["y"].value == 1
    assert (accuracy.highest, accuracy.lowest, accuracy.gap) == ("y", "x", 0.125)
    assert (groups.groups["x"].num_photos, groups.groups["x"].num_subjects) == (16, 2)
    assert all(size.is_small for size in groups.groups.values())
    assert not any(key.startswith("verification") for key in groups.scores)  # its photos are of no group
    assert groups.num_pairs_left_out == {}


def test_a_further_verification_set_is_scored_by_group_too(world):
    folder, _ = world
    write_further_sets({"other": small_world["start_evaluation"]().main_set}, folder / "evaluation/fold_0")
    folds = small_world["folds_of"](folder)[:1]
    groups = group_scores(folds, {"A/1.jpg": "x", "A/2.jpg": "x"}, column="group", main_set="verification")
    assert groups.scores["verification_accuracy"].groups["x"].value == 1
    assert groups.scores["verification_accuracy_of_other"].groups["x"].value == 0  # its genuine pairs are rejected
    assert groups.num_pairs_left_out == {"verification": 2, "other": 2}  # A with B, who is of no group
    assert groups.groups["x"].num_pairs == {"verification": 2, "other": 2}
    assert groups.titles["verification_frr_of_other"] == "other: FRR (lower is better)"
    assert set(groups.scores) <= set(groups.titles)


def test_groups_of_no_test_photo_are_told(world):
    folds = small_world["folds_of"](world[0])
    with pytest.raises(ProtocolError, match="no test photo and no pair has a value of it"):
        group_scores(folds, {"unknown.jpg": "x"}, column="group", main_set="verification")


def test_a_pair_across_two_groups_counts_in_neither(world):
    """The pairs are of neighbours: S0 with S1, S1 with S2, ..., S3 with S0."""
    folds = small_world["folds_of"](world[0])
    group_of = {photo: GROUPS[photo[:2]] for photo in small_world["labels"]()["photo"]}
    scores = group_scores(folds, group_of, column="group", main_set="verification").scores
    pairs = pd.concat([fold.pairs[fold.pairs["set"] == "expression"] for fold in folds])
    for name, people in (("x", ("S0", "S1")), ("y", ("S2", "S3"))):
        inside = pairs[pairs["input_subject"].isin(people) & pairs["reference_subject"].isin(people)]
        right = inside["is_verified"] == inside["is_same_identity"]
        assert scores["expression_pairs_accuracy"].groups[name].value == pytest.approx(right.mean(), abs=1e-6)


def test_the_pages_show_the_groups_and_what_they_must_not_be_used_for(world):
    folder, _ = world
    content = small_world["content_of"](with_group(world, "group"))
    write_pages(content, folder / "report")
    for name in ("report.html", "report.md"):
        page = (folder / "report" / name).read_text()
        assert "By group" in page
        assert "87.5 %" in page
        assert "+12.5" in page
        assert all(sentence.split(":")[0] in page.replace("&#39;", "'") for sentence in MISUSES)
    assert "Errors by group are in the report" in (folder / "report/model_card.md").read_text()
    assert read_result(GroupScores, folder / "report/groups.json") == content.groups


def test_a_column_that_no_set_has_is_told_with_those_there_are(world):
    with pytest.raises(ProtocolError, match=r"report\.group is race, which is a column of neither .* group, photo"):
        small_world["content_of"](with_group(world, "race"))


@pytest.mark.parametrize(("values", "num"), [([""] * 30, 0), ([f"{age}" for age in range(30)], 30)])
def test_a_column_of_nothing_or_of_too_many_values_is_refused(values, num):
    table = pd.DataFrame({"photo": [f"{number}.jpg" for number in range(30)], "age": values})
    with pytest.raises(ProtocolError, match=rf"age, which has {num} values; must be 1 to 20"):
        group_of_photos("age", {"expression": table})


def test_the_page_names_every_key_of_groups_json(world):
    page = (REPOSITORY / "docs/evaluation.md").read_text()
    section = page.split("## `metrics/report/groups.json`")[1].split("\n## ")[0]
    groups = json.loads(json.dumps(asdict(small_world["content_of"](with_group(world, "group")).groups)))
    score = groups["scores"]["expression_accuracy"]
    for keys in (groups, groups["groups"]["x"], score, score["groups"]["x"]):
        assert [key for key in keys if f"`{key}`" not in section] == []
