import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from dwmtl.report.further_tasks import FurtherTasks, further_tasks
from dwmtl.report.page import write_pages
from dwmtl.results import read_result
from dwmtl.scores.metrics import ClassMetrics, ColumnMetrics, ColumnScore, NoPhotos

small_world = runpy.run_path(str(Path(__file__).resolve().parents[1] / "small_world.py"))


def affect(valence: float, arousal: float | None) -> ColumnMetrics:
    known = [value for value in (valence, arousal) if value is not None]
    per_column = {"valence": valence, "arousal": arousal}
    ccc = ColumnScore(mean=sum(known) / len(known), baseline=0.0, per_column=per_column)
    return ColumnMetrics(kind="regression", num_photos=4, num_labels={"valence": 4, "arousal": 3}, scores={"ccc": ccc})


GLASSES = ClassMetrics(
    accuracy=0.75, balanced_accuracy=0.7, macro_f1=0.65, majority=0.5, num_photos=8, per_class={"on": 0.9, "off": 0.5}
)
TASKS = (
    {"affect": affect(0.5, 0.1), "glasses": GLASSES, "|<age>": NoPhotos()},
    {"affect": affect(0.75, None), "glasses": NoPhotos(), "|<age>": NoPhotos()},
)


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


@pytest.fixture
def folds(world):
    return [
        replace(fold, metrics=replace(fold.metrics, further_tasks=tasks))
        for fold, tasks in zip(small_world["folds_of"](world[0]), TASKS, strict=True)
    ]


def test_a_score_is_the_mean_over_the_folds_that_have_it(folds):
    tasks = further_tasks(folds).tasks
    ccc = tasks["affect"].scores["ccc"]
    assert (ccc.score.per_fold, ccc.score.mean, ccc.score.std) == ([0.3, 0.75], 0.525, 0.225)
    assert (ccc.chance, ccc.per_column) == (0, {"valence": 0.625, "arousal": 0.1})
    accuracy = tasks["glasses"].scores["accuracy"]
    assert (accuracy.score.per_fold, accuracy.score.mean, accuracy.chance) == ([0.75, None], 0.75, 0.5)
    assert (tasks["glasses"].kind, tasks["affect"].kind) == ("classes", "regression")
    assert (tasks["|<age>"].scores, tasks["|<age>"].num_photos) == ({}, [0, 0])


def test_identity_and_expression_alone_are_no_further_tasks(world):
    assert further_tasks(small_world["folds_of"](world[0])) is None
    out = small_world["write"](world, "report")
    assert not (out / "tasks.json").exists()
    assert "Further tasks" not in (out / "report.html").read_text()


def test_the_pages_have_a_row_for_every_score(world, folds):
    content = replace(small_world["content_of"](world), further_tasks=further_tasks(folds))
    out = world[0] / "report"
    write_pages(content, out)
    assert read_result(FurtherTasks, out / "tasks.json") == content.further_tasks
    report, page, card = ((out / name).read_text() for name in ("report.md", "report.html", "model_card.md"))
    assert "| affect | CCC | 0.525 ± 0.225 | 0.000 | 0.300 | 0.750 | valence 0.625, arousal 0.100 |" in report
    assert "| glasses | accuracy | 0.750 ± 0.000 | 0.500 | 0.750 |  |  |" in report
    assert "| \\|&lt;age> | no test photo has a label |" in report
    assert "<td>|&lt;age&gt;</td><td>no test photo has a label</td>" in page
    assert "<strong>0.525</strong> ± 0.225" in page
    assert "| affect | CCC | 0.525 ± 0.225 | 0.000 |" in card
