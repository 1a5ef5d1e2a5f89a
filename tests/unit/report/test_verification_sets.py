import json
import runpy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from dwmtl.evaluation.fold import write_further_sets
from dwmtl.report.page import write_pages
from dwmtl.report.verification_sets import VerificationSets, verification_curves, verification_sets
from dwmtl.results import read_result

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
FARS = [0.001, 0.5]


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


@pytest.fixture
def two_sets(world):
    """A world in which `other`, a second verification set, is scored as badly as the start is on the first."""
    folder, params = world
    for name in ("fold_0", "fold_1", "fold_0/best_on_validation", "fold_1/best_on_validation", "start"):
        write_further_sets({"other": small_world["start_evaluation"]().main_set}, folder / "evaluation" / name)
    return folder, params


def sets_of(world) -> VerificationSets:
    folds, start = small_world["folds_of"](world[0]), small_world["start_of"](world[0])
    return verification_sets(folds, start, main_set="verification", far_targets=FARS)


def test_each_set_has_its_row_and_the_mean_weighs_them_alike(two_sets):
    scores = sets_of(two_sets)
    assert list(scores.sets) == ["verification", "other"]
    accuracies = [row.accuracy.mean for row in scores.sets.values()]
    assert accuracies == [1, 0.5]
    assert scores.mean.accuracy.mean == np.mean(accuracies)
    assert scores.mean.accuracy.per_fold == [0.75, 0.75]
    assert scores.mean.eer.mean == pytest.approx(np.mean([row.eer.mean for row in scores.sets.values()]))
    assert scores.mean.start_accuracy == 0.5
    assert scores.accuracies == {
        "verification_accuracy_of_verification": 1,
        "verification_accuracy_of_other": 0.5,
        "verification_accuracy_mean_of_sets": 0.75,
    }


def test_the_row_of_the_main_set_has_the_numbers_of_the_summary(world):
    row, summary = sets_of(world).sets["verification"], small_world["summary_of"](world[0])
    assert [row.accuracy, row.auc, row.eer] == [
        summary.scores[f"verification_{key}"] for key in ("accuracy", "auc", "eer")
    ]
    assert row.start_accuracy == summary.start.verification_accuracy


def test_one_set_has_no_mean_and_adds_no_number_to_the_summary(world):
    scores = sets_of(world)
    assert scores.mean is None
    assert scores.accuracies == {}


def test_a_rate_that_the_impostors_cannot_measure_has_no_tar(world):
    refused, given = sets_of(world).sets["verification"].tar_at_far.values()
    assert (refused.tar, refused.num_impostors, refused.num_impostors_needed) == (None, 0, 1000)
    assert (given.tar.mean, given.num_impostors, given.is_rough) == (1, 1, True)  # 0.5 of two impostor pairs


def test_a_curve_starts_at_one_impostor_and_ends_at_all(two_sets):
    curves = verification_curves(small_world["folds_of"](two_sets[0]), main_set="verification")
    for curve in curves.values():
        assert curve.far[[0, -1]].tolist() == pytest.approx([0.5, 1])
        assert len(curve.tars) == 2
        assert all((np.diff(tar) >= 0).all() and tar[-1] == 1 for tar in curve.tars)


def test_the_pages_show_the_sets_their_mean_and_what_was_refused(two_sets):
    folder, params = two_sets
    report = params.report.model_copy(update={"tar_at_fars": FARS})
    content = small_world["content_of"]((folder, params.model_copy(update={"report": report})))
    write_pages(content, folder / "report")
    html, markdown, card = (
        (folder / "report" / name).read_text() for name in ("report.html", "report.md", "model_card.md")
    )
    assert "<td>other</td>" in html
    assert "mean of the sets" in html
    assert "needs 1,000<br>impostor pairs" in html
    assert '<figure id="roc_log">' in html
    assert '<figure id="det">' in html
    assert "| other | 2 | 2 | 50.0 % ± 0.0 % |" in markdown
    assert "| other | needs 1,000 impostor pairs | 0.0 % (1, rough) |" in markdown
    assert "| mean of the sets | 75.0 % ± 0.0 % | |" in card
    assert read_result(VerificationSets, folder / "report/verification.json") == content.verification


def test_scores_read_back_as_they_were_written(two_sets):
    folds = small_world["folds_of"](two_sets[0])
    assert all(list(fold.further_sets) == ["other"] for fold in (*folds, *(fold.best for fold in folds)))
    assert folds[0].further_sets["other"].metrics == small_world["start_evaluation"]().main_set.metrics
    main = replace(folds[0], further_sets={}).main_set
    assert main.pairs["input"].tolist() == ["A/1.jpg"] * 4


def test_the_page_names_every_key_of_verification_json(two_sets):
    """docs/evaluation.md lists them in one table."""
    page = (REPOSITORY / "docs/evaluation.md").read_text()
    section = page.split("## `metrics/report/verification.json`")[1].split("\n## ")[0]
    scores = json.loads(json.dumps(asdict(sets_of(two_sets))))
    for keys in (scores, scores["sets"]["other"], scores["sets"]["other"]["tar_at_far"]["0.5"], scores["mean"]):
        assert [key for key in keys if f"`{key}`" not in section] == []
