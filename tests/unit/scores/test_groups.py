import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dwmtl.scores.bootstrap import subject_bootstrap
from dwmtl.scores.groups import authentication_by_group, expression_by_group, pairs_by_group
from dwmtl.scores.threshold import threshold_grid
from dwmtl.tables import EVALUATED_PAIRS

textbook = runpy.run_path(str(Path(__file__).with_name("textbook.py")))


def drawn_predictions(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"subject": rng.choice([f"S{number}" for number in range(12)], 300)})
    table["group"] = table["subject"].str[1:].astype(int).mod(3).map({0: "x", 1: "y", 2: "z"})
    table["expression"] = rng.choice(["anger", "fear", "joy"], 300)
    guess = rng.choice(["anger", "fear", "joy"], 300)
    is_known = rng.random(300) < table["group"].map({"x": 0.9, "y": 0.5, "z": 0.7})
    return table.assign(predicted=np.where(is_known, table["expression"], guess))


def drawn_pairs(seed: int = 0, num_people: int = 12) -> pd.DataFrame:
    """Pairs of people of the same group; those of `y` are harder."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(240):
        group = "xy"[number % 2]
        people = [f"{group}{person}" for person in range(num_people // 2)]
        a, b = rng.choice(people, 2, replace=False)
        is_same = number % 4 < 2
        distance = round(float(rng.normal((0.8 if is_same else 1.6) + 0.2 * (group == "y") * is_same, 0.35)), 6)
        rows.append((a, a if is_same else b, is_same, distance, group))
    table = pd.DataFrame(rows, columns=["input_subject", "reference_subject", "is_same_identity", "distance", "group"])
    table["threshold"] = 1.2
    table["is_verified"] = table["distance"] < 1.2
    table["is_required_expression"] = rng.random(240) < 0.5
    table["is_accepted"] = table["is_verified"] & (rng.random(240) < 0.8)
    return table.assign(set="expression", input="", reference="", fold=0)[[*EVALUATED_PAIRS, "group"]]


def test_a_groups_expression_scores_are_those_of_its_photos_alone():
    table = drawn_predictions()
    scores = expression_by_group(table, table["group"].to_numpy(str))
    for name, photos in table.groupby("group"):
        right = list(photos["expression"] == photos["predicted"])
        assert scores["expression_accuracy"].groups[name].value == pytest.approx(sum(right) / len(right), abs=1e-6)
        recalls, f1s = [], []
        for shown in sorted(set(photos["expression"])):
            hits = sum((photos["expression"] == shown) & (photos["predicted"] == shown))
            num_actual, num_predicted = sum(photos["expression"] == shown), sum(photos["predicted"] == shown)
            recalls.append(hits / num_actual)
            f1s.append(2 * hits / (num_actual + num_predicted))
        assert scores["expression_balanced_accuracy"].groups[name].value == pytest.approx(np.mean(recalls), abs=1e-6)
        assert scores["expression_macro_f1"].groups[name].value == pytest.approx(np.mean(f1s), abs=1e-6)


def test_the_gap_is_that_of_the_best_and_the_worst_group():
    table = drawn_predictions()
    score = expression_by_group(table, table["group"].to_numpy(str))["expression_accuracy"]
    values = {name: group.value for name, group in score.groups.items()}
    assert (score.highest, score.lowest) == ("x", "y")
    assert score.gap == pytest.approx(values["x"] - values["y"], abs=2e-6)
    assert 0 < score.gap_interval[0] < score.gap < score.gap_interval[1] < 1


def test_a_single_group_has_the_interval_of_the_whole_and_no_gap():
    table = drawn_predictions()
    score = expression_by_group(table, np.full(len(table), "all"))["expression_accuracy"]
    right = (table["expression"] == table["predicted"]).to_numpy()
    expected = subject_bootstrap(right, table["subject"].to_numpy(str), seed=0)
    assert score.groups["all"].interval == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert (score.highest, score.gap, score.gap_interval) == (None, None, None)


def test_equal_groups_have_no_gap():
    """Every subject is in both groups with the same answers: the difference of each resample is 0."""
    table = drawn_predictions()
    both = pd.concat([table, table])
    score = expression_by_group(both, np.repeat(["a", "b"], len(table)))["expression_accuracy"]
    assert (score.gap, score.gap_interval) == (0, (0, 0))


def roc_of(pairs: list[tuple[float, bool]]) -> tuple[list[float], list[float]]:
    kinds = [[distance for distance, same in pairs if same == kind] for kind in (False, True)]
    far, tar = (
        [0.0, *(sum(d < threshold for d in kind) / len(kind) for threshold in threshold_grid("squared_euclidean")), 1.0]
        for kind in kinds
    )
    return far, tar


def test_a_groups_pair_scores_are_those_of_its_pairs_alone_averaged_over_the_networks():
    tables = [drawn_pairs(0), drawn_pairs(1)]
    scores = pairs_by_group(tables, [table["group"].to_numpy(str) for table in tables], distance="squared_euclidean")
    assert set(scores) == {"accuracy", "auc", "eer", "far", "frr"}
    for name in "xy":
        of_group = [table[table["group"] == name] for table in tables]
        together = pd.concat(of_group)
        genuine, impostor = (together[together["is_same_identity"] == kind] for kind in (True, False))
        expected = {
            "accuracy": (together["is_verified"] == together["is_same_identity"]).mean(),
            "far": impostor["is_verified"].mean(),
            "frr": 1 - genuine["is_verified"].mean(),
        }
        rocs = [roc_of(list(zip(table["distance"], table["is_same_identity"], strict=True))) for table in of_group]
        expected["eer"] = np.mean([textbook["_equal_error_rate"](far, tar) for far, tar in rocs])
        expected["auc"] = np.mean([np.trapezoid(tar, far) for far, tar in rocs])
        for key, value in expected.items():
            group = scores[key].groups[name]
            assert group.value == pytest.approx(value, abs=1e-6)
            assert group.interval[0] <= group.value <= group.interval[1]


def test_authentication_is_scored_by_group():
    table = drawn_pairs()
    scores = authentication_by_group(table, table["group"].to_numpy(str))
    for name, pairs in table.groupby("group"):
        genuine = pairs["is_same_identity"] & pairs["is_required_expression"]
        accepted = pairs["is_accepted"]
        expected = {
            "accuracy": (accepted == genuine).mean(),
            "far": accepted[~genuine].mean(),
            "frr": 1 - accepted[genuine].mean(),
        }
        for key, value in expected.items():
            assert scores[f"authentication_{key}"].groups[name].value == pytest.approx(value, abs=1e-6)


def test_a_group_without_genuine_pairs_has_no_rate_for_them():
    table = drawn_pairs()
    table = table[(table["group"] == "x") | ~table["is_same_identity"]]
    scores = pairs_by_group([table], [table["group"].to_numpy(str)], distance="squared_euclidean")
    assert scores["frr"].groups["y"].value is None
    assert scores["auc"].groups["y"].value is None
    assert scores["frr"].gap is None
    assert scores["far"].groups["y"].value is not None


def test_people_who_are_unknown_give_no_interval():
    table = drawn_pairs().assign(input_subject="")
    score = authentication_by_group(table, table["group"].to_numpy(str))["authentication_accuracy"]
    assert [group.interval for group in score.groups.values()] == [None, None]
    assert score.gap is not None
    assert score.gap_interval is None


def test_no_photo_and_no_pair_of_a_group_is_no_score():
    nothing = drawn_predictions()[:0]
    assert expression_by_group(nothing, np.array([], str)) == {}
    pairs = drawn_pairs()[:0]
    assert pairs_by_group([pairs], [np.array([], str)], distance="squared_euclidean") == {}
    assert authentication_by_group(pairs, np.array([], str)) == {}


def test_scores_do_not_depend_on_the_order_of_the_rows():
    table = drawn_predictions()
    mixed = table.sample(frac=1, random_state=3)
    expected = expression_by_group(table, table["group"].to_numpy(str))
    assert expression_by_group(mixed, mixed["group"].to_numpy(str)) == expected


def test_groups_that_are_equal_by_chance_have_a_gap_of_zero_and_an_interval_of_two_groups():
    table = pd.DataFrame(
        {"subject": [f"{group}{n}" for group in "ab" for n in range(6)], "group": np.repeat(["a", "b"], 6)}
    ).assign(expression="joy", predicted=["joy", "fear"] * 6)
    score = expression_by_group(table, table["group"].to_numpy(str))["expression_accuracy"]
    assert (score.gap, {score.highest, score.lowest}) == (0, {"a", "b"})
    assert score.gap_interval[0] < 0 < score.gap_interval[1]
