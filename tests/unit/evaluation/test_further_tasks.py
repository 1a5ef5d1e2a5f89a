import numpy as np
import pandas as pd
import pytest

from dwmtl.errors import ProtocolError
from dwmtl.evaluation.embedding import Answered, Answers
from dwmtl.evaluation.further_tasks import FurtherTask, further_task_metrics
from dwmtl.network.kinds import make_kind
from dwmtl.results import read_result, write_result
from dwmtl.scores.metrics import ClassMetrics, ColumnMetrics, ColumnScore, NoPhotos

PHOTOS = ["a.jpg", "b.jpg", "c.jpg"]
UNITS = FurtherTask(make_kind("multi_label", None), "multi_label", ["AU1", "AU12"], ["AU1", "AU12"])
AGE = FurtherTask(make_kind("regression", [0, 100]), "regression", ["age"], ["age"])
GLASSES = FurtherTask(make_kind("classes", None), "classes", ["glasses"], ["off", "on"])


def answered(photos: list[str] = PHOTOS, **of_tasks: list) -> Answered:
    answers = {task: np.array(values, np.float32) for task, values in of_tasks.items()}
    return Answered(pd.Index(photos), Answers(np.zeros((len(photos), 2)), answers), np.zeros(len(photos), bool))


def score(name: str, task: FurtherTask, columns: dict[str, list[str]], answers: list):
    labels = pd.DataFrame({"photo": PHOTOS, **columns})
    return further_task_metrics({name: task}, labels, answered(**{name: answers}))[name]


def test_each_column_is_scored_over_the_photos_that_have_its_label():
    metrics = score("units", UNITS, {"AU1": ["1", "", "0"], "AU12": ["1", "", ""]}, [[0.9, 0.1], [0, 0], [0.8, 0]])
    assert (metrics.kind, metrics.num_photos, metrics.num_labels) == ("multi_label", 2, {"AU1": 2, "AU12": 1})
    assert metrics.scores["f1"] == ColumnScore(
        mean=pytest.approx(1 / 3, abs=1e-6),
        baseline=pytest.approx((2 / 3 + 1) / 2, abs=1e-6),
        per_column={"AU1": pytest.approx(2 / 3, abs=1e-6), "AU12": 0},
    )
    assert metrics.scores["accuracy"].per_column == {"AU1": 0.5, "AU12": 0}


def test_a_score_that_a_column_does_not_have_enters_no_mean():
    metrics = score("units", UNITS, {"AU1": ["1", "1", "0"], "AU12": ["0", "0", ""]}, [[1, 0], [1, 0], [0, 0]])
    assert metrics.scores["f1"].per_column == {"AU1": 1, "AU12": None}
    assert metrics.scores["f1"].mean == 1
    empty = score("units", UNITS, {"AU1": ["0", "0", "0"], "AU12": [""] * 3}, [[1, 0], [1, 0], [0, 0]])
    assert empty.scores["f1"] == ColumnScore(mean=None, baseline=None, per_column={"AU1": None, "AU12": None})
    assert empty.scores["accuracy"].per_column["AU12"] is None


def test_values_are_scored_in_the_unit_of_the_labels():
    metrics = score("age", AGE, {"age": ["20", "30", ""]}, [[21], [27], [99]])
    assert metrics.scores["mae"] == ColumnScore(mean=2, baseline=5, per_column={"age": 2})
    assert metrics.scores["mse"].mean == 5


@pytest.mark.parametrize(
    ("task", "answers"),
    [(UNITS, [[0, 0]] * 3), (AGE, [[0]] * 3), (GLASSES, [[0, 1]] * 3)],
    ids=["units", "age", "glasses"],
)
def test_a_task_without_a_labelled_photo_has_no_scores(task, answers):
    assert score("it", task, {column: ["", "", ""] for column in task.columns}, answers) == NoPhotos()


def test_a_task_of_classes_keeps_its_scores():
    metrics = score("glasses", GLASSES, {"glasses": ["on", "", "off"]}, [[0.2, 0.8], [0.5, 0.5], [0.3, 0.7]])
    assert isinstance(metrics, ClassMetrics)
    assert (metrics.accuracy, metrics.majority, metrics.num_photos) == (0.5, 0.5, 2)


def test_a_labelled_photo_without_a_crop_and_a_cell_that_is_no_label_are_told():
    labels = pd.DataFrame({"photo": PHOTOS, "age": ["20", "30", "40"]})
    with pytest.raises(ProtocolError, match=r"photo c\.jpg has no crop"):
        further_task_metrics({"age": AGE}, labels, answered(PHOTOS[:2], age=[[21], [27]]))
    with pytest.raises(ProtocolError, match=r"b\.jpg: the column age holds 'old'"):
        score("age", AGE, {"age": ["20", "old", ""]}, [[21], [27], [99]])


def test_metrics_of_every_kind_are_read_as_they_were_written(tmp_path):
    from dataclasses import dataclass

    @dataclass
    class Tasks:
        tasks: dict[str, ClassMetrics | ColumnMetrics | NoPhotos]

    written = Tasks(
        {
            "age": score("age", AGE, {"age": ["20", "30", ""]}, [[21], [27], [99]]),
            "glasses": score("glasses", GLASSES, {"glasses": ["on", "", "off"]}, [[0, 1]] * 3),
            "units": score("units", UNITS, {"AU1": [""] * 3, "AU12": [""] * 3}, [[0, 0]] * 3),
        }
    )
    write_result(written, tmp_path / "tasks.json")
    assert read_result(Tasks, tmp_path / "tasks.json") == written
