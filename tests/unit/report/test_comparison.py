from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dwmtl.report.comparison import ComparedExperiment, Experiment, compare, over_seeds

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


def ruled(name: str, *, defaults: dict[str, str], **settings: str) -> dict[str, object]:
    """Params and defaults of an experiment with a rule of weights."""
    params = {"rule.name": name, **{f"rule.{key}": value for key, value in settings.items()}}
    return {"params": params, "defaults": {f"rule.{key}": value for key, value in defaults.items()}}


def test_settings_that_follow_from_the_rule_are_no_differences():
    dynamic = replace(
        REFERENCE, **ruled("dynamic", rate="0.1", sigma="0.01", defaults={"rate": "0.1", "sigma": "0.01"})
    )
    famo = ruled("famo", rate="0.025", gamma="1", defaults={"rate": "0.025", "gamma": "1"})
    assert compared(dynamic, **famo).differences == ["rule.name famo (not dynamic)"]


def test_settings_that_somebody_chose_are_differences_of_either_experiment():
    dynamic = replace(REFERENCE, **ruled("dynamic", rate="0.1", sigma="0.5", defaults={"rate": "0.1", "sigma": "0.01"}))
    famo = ruled("famo", rate="0.3", gamma="2", defaults={"rate": "0.025", "gamma": "1"})
    assert compared(dynamic, **famo).differences == [
        "rule.gamma 2 (not -)",
        "rule.name famo (not dynamic)",
        "rule.rate 0.3 (not 0.1)",
        "rule.sigma - (not 0.5)",
    ]


def test_a_param_that_an_older_version_did_not_know_is_no_difference_at_its_default():
    newer = {"params": {**REFERENCE.params, "c": "0"}, "defaults": {"c": "0"}}
    assert compared(**newer).differences == []
    assert compared(**{**newer, "defaults": {"c": "1"}}).differences == ["c 0 (not -)"]


def test_a_whole_task_or_set_is_one_difference():
    params = {"tasks.a.labels": "x", "tasks.a.kind": "classes", "sets.b.folder": "f"}
    more = compared(params={**REFERENCE.params, **params})
    assert more.differences == ["sets.b added", "tasks.a added"]
    less = compared(replace(REFERENCE, params={**REFERENCE.params, **params}))
    assert less.differences == ["no sets.b", "no tasks.a"]


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
