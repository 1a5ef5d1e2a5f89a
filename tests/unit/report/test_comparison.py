from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dwmtl.report.comparison import ComparedExperiment, Experiment, compare, comparison_markdown, over_seeds

SCORES = {"expression_accuracy": 0.7, "verification_accuracy": 0.9, "authentication_accuracy": 0.8}
REFERENCE = Experiment("other", datetime(2026, 1, 2, 23, tzinfo=UTC), {"a": "1", "b": "2"}, SCORES, {})


def compared(reference: Experiment = REFERENCE, **changes: object) -> ComparedExperiment:
    """The reference with changes beside it."""
    (row,) = compare([replace(REFERENCE, **changes)], reference)
    return row


def test_an_equal_experiment_differs_in_nothing():
    row = compared()
    assert (row.name, row.day, row.differences) == ("other", "2026-01-02", [])
    assert {key: (score.mean, score.lead) for key, score in row.scores.items()} == {
        key: (score, 0.0) for key, score in SCORES.items()
    }


def test_the_lead_is_how_much_more_the_reference_has():
    row = compared(metrics={**SCORES, "expression_accuracy": 0.6})
    assert row.scores["expression_accuracy"].lead == pytest.approx(0.1)
    assert compared(replace(REFERENCE, metrics={})).scores["expression_accuracy"].lead is None


def test_a_score_that_was_not_measured_is_none():
    row = compared(metrics={"expression_accuracy": 0.6})
    assert row.scores["verification_accuracy"] is None


def test_params_that_differ_are_named_with_both_values():
    row = compared(params={"a": "1", "b": "3", "c": "4"})
    assert row.differences == ["b 3 (not 2)", "c 4 (not -)"]


def test_many_differences_are_counted():
    row = compared(params={"a": "1", "b": "2", **{f"x{number}": "" for number in range(9)}})
    assert len(row.differences) == 6
    assert row.differences[-1] == "4 more params"


def test_other_data_folds_and_scoring_are_named_where_they_are_known():
    tags = {"dwmtl.data_sha256": "a", "dwmtl.folds": "0", "dwmtl.evaluate": "{}", "dwmtl.pairs": "{}"}
    other = {"dwmtl.data_sha256": "b", "dwmtl.folds": "0, 1", "dwmtl.evaluate": "{1}", "dwmtl.pairs": "{}"}
    reference = replace(REFERENCE, tags=tags)
    assert compared(reference, tags=other).differences == [
        "folds 0, 1 (not 0)",
        "other photos, crops or labels",
        "scored with other settings",
    ]
    assert compared(reference).differences == []


def test_a_table_has_a_row_per_experiment_with_intervals_where_there_are_any():
    metrics = {"expression_accuracy": 0.7, "expression_accuracy_low": 0.5, "expression_accuracy_high": 0.9}
    params = {"train.weighting.name": "equal"}
    rows = compare([replace(REFERENCE, params=params, metrics=metrics, tags={"dwmtl.folds": "0"})], REFERENCE)
    assert comparison_markdown(rows, "other").splitlines() == [
        "| experiment | weighting | folds | expression | verification | authentication | differs from other in |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| other | equal | 0 | 70.0 % (50.0 to 90.0) | - | - | a - (not 1); b - (not 2); "
        "train.weighting.name equal (not -) |",
    ]


def seeded(seed: int, accuracy: float, **changes: object) -> Experiment:
    values = {"name": f"s{seed}", "params": {"a": "1", "train.seed": str(seed)}, **changes}
    return replace(REFERENCE, metrics={**SCORES, "expression_accuracy": accuracy}, **values)


def test_experiments_that_differ_in_their_seed_alone_have_a_mean_and_a_deviation():
    other = seeded(3, 0.1, params={"a": "2", "train.seed": "3"})
    (group,) = over_seeds([seeded(0, 0.6), seeded(1, 0.7), other, seeded(2, 0.8), seeded(1, 0.1)])
    assert (group.experiments, group.seeds) == (["s0", "s1", "s2"], ["0", "1", "2"])
    assert group.scores["expression_accuracy"] == pytest.approx((0.7, (0.02 / 3) ** 0.5))
    assert group.scores["verification_accuracy"] == pytest.approx((0.9, 0.0))


def test_other_folds_are_no_other_seed_and_a_missing_score_has_no_mean():
    assert over_seeds([seeded(0, 0.6), seeded(1, 0.7, tags={"dwmtl.folds": "0"})]) == []
    (group,) = over_seeds([seeded(0, 0.6), replace(seeded(1, 0.7), metrics={"expression_accuracy": 0.7})])
    assert group.scores["verification_accuracy"] is None


def test_the_table_ends_with_the_seeds():
    runs = [seeded(0, 0.6), seeded(1, 0.8)]
    assert comparison_markdown(compare(runs, runs[0]), "s0", over_seeds(runs)).splitlines()[4:] == [
        "",
        "| over the seeds | of | expression, mean ± deviation | verification, mean ± deviation | "
        "authentication, mean ± deviation |",
        "| --- | --- | --- | --- | --- |",
        "| 0, 1 | s0, s1 | 70.0 % ± 10.0 % | 90.0 % ± 0.0 % | 80.0 % ± 0.0 % |",
    ]
