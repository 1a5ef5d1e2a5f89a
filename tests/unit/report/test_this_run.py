from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from dwmtl.report.this_run import compare

SCORES = {"expression_accuracy": 0.7, "verification_accuracy": 0.9, "authentication_accuracy": 0.8}


@dataclass
class Experiment:
    name: str = "other"
    started: datetime = datetime(2026, 1, 2, 23, tzinfo=UTC)
    params: dict[str, str] = field(default_factory=lambda: {"a": "1", "b": "2"})
    metrics: dict[str, float] = field(default_factory=lambda: dict(SCORES))
    tags: dict[str, str] = field(default_factory=dict)


def only(other: Experiment, **own: object):
    (row,) = compare(Experiment(**own), SCORES, [other])
    return row


def test_an_equal_experiment_differs_in_nothing():
    row = only(Experiment())
    assert (row.name, row.day, row.differences) == ("other", "2026-01-02", [])
    assert row.scores == [(0.7, 0.0), (0.9, 0.0), (0.8, 0.0)]


def test_a_difference_is_what_this_run_has_more():
    row = only(Experiment(metrics={**SCORES, "expression_accuracy": 0.6}))
    assert row.scores[0] == pytest.approx((0.6, 0.1))


def test_a_score_that_was_not_measured_is_left_out():
    row = only(Experiment(metrics={"expression_accuracy": 0.6}))
    assert row.scores[1:] == [None, None]


def test_params_that_differ_are_named_with_both_values():
    row = only(Experiment(params={"a": "1", "b": "3", "c": "4"}))
    assert row.differences == ["b 3 (here 2)", "c 4 (here -)"]


def test_many_differences_are_counted():
    row = only(Experiment(params={"a": "1", "b": "2", **{f"x{number}": "" for number in range(9)}}))
    assert len(row.differences) == 6
    assert row.differences[-1] == "4 more params"


def test_other_data_folds_and_scoring_are_told_where_they_are_known():
    tags = {"dwmtl.data_sha256": "a", "dwmtl.folds": "0", "dwmtl.evaluate": "{}", "dwmtl.pairs": "{}"}
    other = {"dwmtl.data_sha256": "b", "dwmtl.folds": "0, 1", "dwmtl.evaluate": "{1}", "dwmtl.pairs": "{}"}
    row = only(Experiment(tags=other), tags=tags)
    assert row.differences == ["folds 0, 1 (here 0)", "other photos, crops or labels", "scored with other settings"]
    assert only(Experiment(), tags=tags).differences == []
