from datetime import UTC, datetime

import pytest

from dwmtl.report.comparison import Experiment, compare, over_seeds
from dwmtl.report.comparison_text import comparison_markdown

WIDTH = 120
DAY = datetime(2026, 1, 2, tzinfo=UTC)
SCORES = {"expression_accuracy": 0.7, "verification_accuracy": 0.9, "authentication_accuracy": 0.8}
ENDS = {f"{key}_{end}": score + by for key, score in SCORES.items() for end, by in (("low", -0.1), ("high", 0.1))}


def experiment(name: str, *, folds: str = "0", metrics: dict[str, float] = SCORES, **params: str) -> Experiment:
    rule = {"train.weighting.name": "equal"}
    given = {key.replace("__", "."): value for key, value in params.items()}
    return Experiment(name, DAY, rule | given, metrics, {"dwmtl.folds": folds})


def printed(*experiments: Experiment) -> list[str]:
    """The lines of a comparison with the first."""
    rows = compare(experiments, experiments[0])
    return comparison_markdown(rows, experiments[0].name, over_seeds(experiments)).splitlines()


def test_a_row_has_the_scores_with_their_intervals_where_there_are_any():
    metrics = {"expression_accuracy": 0.7, "expression_accuracy_low": 0.5, "expression_accuracy_high": 0.9}
    assert printed(experiment("other", metrics=metrics | {"verification_accuracy": 1.0})) == [
        "| experiment | weighting | folds | expression, %       | verification, % | authentication, % |",
        "| ---------- | --------- | ----- | ------------------- | --------------- | ----------------- |",
        "| other      | equal     | 0     | 70.0 (50.0 to 90.0) | 100.0           | -                 |",
    ]


def test_what_differs_is_listed_below_the_table():
    lines = printed(experiment("a|b", a="1"), experiment("c", a="2", b="3"), experiment("d", a="1"))
    assert lines[5:] == ["", "What differs from a\\|b:", "", "- c: a 2 (not 1); b 3 (not -)"]


def test_a_real_comparison_fits_a_terminal():
    folds = ", ".join(map(str, range(10)))
    long_keys = {f"train__optimizer__setting_{number}": "0.123" for number in range(9)}
    lines = printed(
        experiment("dynamic on oulu_casia", folds=folds, metrics=SCORES | ENDS),
        experiment("expression-alone", folds=folds, metrics=SCORES | ENDS, **long_keys),
    )
    assert "| dynamic on oulu_casia | equal     | 0 to 9 | 70.0 (60.0 to 80.0) |" in lines[2]
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.startswith("- ") for line in lines) == 1
    assert any(line.startswith("  ") for line in lines)


@pytest.mark.parametrize(
    ("folds", "expected"),
    [("0, 1, 2", "0 to 2"), ("3, 4, 5, 6", "3 to 6"), ("0, 1", "0, 1"), ("0, 2, 3", "0, 2, 3"), ("?", "?"), ("0", "0")],
)
def test_three_folds_in_a_row_are_named_by_their_ends(folds, expected):
    assert f"| {expected} " in printed(experiment("a", folds=folds))[2]


def test_seeds_have_a_table_of_their_own():
    low, high = SCORES | {"expression_accuracy": 0.6}, SCORES | {"expression_accuracy": 0.8}
    lines = printed(experiment("s0", metrics=low, train__seed="0"), experiment("s1", metrics=high, train__seed="1"))
    assert lines[-6:] == [
        "",
        "Mean ± standard deviation over seeds (`train.seed`) alone:",
        "",
        "| seeds | experiments | expression, % | verification, % | authentication, % |",
        "| ----- | ----------- | ------------- | --------------- | ----------------- |",
        "| 0, 1  | s0, s1      | 70.0 ± 10.0   | 90.0 ± 0.0      | 80.0 ± 0.0        |",
    ]
