import json
import re
import runpy
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dwmtl.errors import ProtocolError
from dwmtl.report.summary import ClassOverFolds, Summary, compared_numbers
from dwmtl.results import read_result, write_result
from dwmtl.scores.bootstrap import subject_bootstrap
from dwmtl.scores.headlines import HEADLINES
from dwmtl.tables import EVALUATED_PAIRS, read_table, write_table

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
CLASSES = small_world["CLASSES"]
folds_of, summary_of = small_world["folds_of"], small_world["summary_of"]
start_of = small_world["start_of"]
KEYS = {headline.key for headline in HEADLINES}


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


def test_the_summary_is_the_mean_and_population_deviation(world):
    summary = summary_of(world[0])
    vals = {"verification_val_at_far_0.01", "verification_val_at_far_0.1"}
    assert set(summary.scores) == KEYS | vals
    for score in summary.scores.values():
        assert score.mean == pytest.approx(np.mean(score.per_fold), abs=1e-6)
        assert score.std == pytest.approx(np.std(score.per_fold), abs=1e-6)
    assert summary.chance["authentication_accuracy"] == 0.75


def test_the_epochs_best_on_validation_are_summed_up_beside_the_last(world):
    best = summary_of(world[0]).best_on_validation
    assert best.epoch_per_fold == [1, 1]
    assert best.scores["expression_accuracy"].per_fold == [1, 1]  # in this world the last epoch is sometimes wrong
    assert best.scores["expression_accuracy"].interval == (1, 1)


def test_without_validation_subjects_there_is_no_best_epoch(world):
    for fold in (0, 1):
        shutil.rmtree(world[0] / f"evaluation/fold_{fold}/best_on_validation")
    assert summary_of(world[0]).best_on_validation is None


def test_the_summary_has_the_interval_of_all_folds_decisions_together(world):
    """S0 alone is wrong, in 1 of 4 photos a fold: the score of a draw is 1 - share of S0 / 4."""
    folds = folds_of(world[0])
    for fold in folds:
        low, high = fold.metrics.expression.accuracy_interval
        assert 0.75 <= low < fold.metrics.expression.accuracy < high == 1
    predictions = pd.concat([fold.predictions for fold in folds])
    expected = subject_bootstrap(
        (predictions["expression"] == predictions["predicted"]).to_numpy(), predictions["subject"].to_numpy(str), seed=0
    )
    low, high = summary_of(world[0]).scores["expression_accuracy"].interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_every_headline_accuracy_has_an_interval_around_it(world):
    summary = summary_of(world[0])
    for name in ("expression", "verification", "expression_pairs", "authentication"):
        low, high = summary.scores[f"{name}_accuracy"].interval
        assert low <= summary.scores[f"{name}_accuracy"].mean <= high


def test_every_headline_but_the_authors_product_has_an_interval(world):
    summary = summary_of(world[0])
    vals = {f"verification_val_at_far_{target:g}" for target in world[1].evaluate.far_targets}
    with_interval = {key for key, score in summary.scores.items() if score.interval}
    assert with_interval == (KEYS | vals) - {"authentication_product"}
    for name in with_interval:
        low, high = summary.scores[name].interval
        assert 0 <= low <= high <= 1


def test_the_details_read_back_as_they_were_written(world, tmp_path):
    summary = summary_of(world[0])
    write_result(summary, tmp_path / "details.json")
    assert read_result(Summary, tmp_path / "details.json") == summary


def test_the_compared_numbers_are_flat_and_twelve(world):
    summary = summary_of(world[0])
    numbers = compared_numbers(summary)
    keys = ("expression_accuracy", "verification_accuracy", "authentication_accuracy")
    assert set(numbers) == {f"{key}{end}" for key in keys for end in ("", "_low", "_high")} | {
        f"best_{key}" for key in keys
    }
    score = summary.scores["authentication_accuracy"]
    assert numbers["authentication_accuracy"] == score.mean
    assert (numbers["authentication_accuracy_low"], numbers["authentication_accuracy_high"]) == score.interval
    assert numbers["best_expression_accuracy"] == 1


def test_without_intervals_or_best_epochs_their_numbers_are_left_out(world):
    for fold in (0, 1):
        shutil.rmtree(world[0] / f"evaluation/fold_{fold}/best_on_validation")
        path = world[0] / f"evaluation/fold_{fold}/pairs.csv"
        write_table(read_table(path, EVALUATED_PAIRS).assign(input_subject=""), path)
    assert set(compared_numbers(summary_of(world[0]))) == {
        "expression_accuracy",
        "expression_accuracy_low",
        "expression_accuracy_high",
        "verification_accuracy",
        "authentication_accuracy",
    }


def test_the_folds_stand_beside_the_start_that_they_began_from(world):
    start = summary_of(world[0]).start
    assert start.verification_accuracy == start_of(world[0]).metrics.accuracy_mean == 0.5
    assert start.verification_gain.per_fold == [0.5, 0.5]
    assert start.verification_gain.mean == 0.5
    assert start.verification_gain.interval == (0.5, 1)  # the genuine pairs, all of A: a draw of A alone gains them all


def test_a_start_that_was_scored_on_other_pairs_is_told(world):
    path = world[0] / "evaluation/start/pairs.csv"
    write_table(read_table(path, EVALUATED_PAIRS).iloc[::-1], path)
    with pytest.raises(ProtocolError, match="the start and a fold were scored on other pairs"):
        summary_of(world[0])


def test_the_expressions_of_all_folds_are_scored_as_one_set(world):
    summary = summary_of(world[0])
    pooled = summary.expression_pooled
    assert pooled.classes == CLASSES
    assert pooled.confusion == [[6, 0, 0, 2], [0, 8, 0, 0], [0, 0, 8, 0], [0, 0, 0, 8]]
    assert pooled.accuracy == 30 / 32
    assert pooled.balanced_accuracy == 0.9375
    assert pooled.macro_f1 == pytest.approx((12 / 14 + 1 + 1 + 16 / 18) / 4, abs=1e-6)
    happiness = summary.expression_per_class["happiness"]
    assert happiness == ClassOverFolds(mean=0.75, std=0, per_fold=[0.75, 0.75], pooled=0.75)


def test_a_class_that_a_fold_lacks_counts_in_no_mean(world):
    path = world[0] / "evaluation/fold_1/predictions.csv"
    predictions = pd.read_csv(path)
    write_table(predictions[predictions["expression"] != "happiness"], path)
    happiness = summary_of(world[0]).expression_per_class["happiness"]
    assert happiness == ClassOverFolds(mean=0.75, std=0, per_fold=[0.75, None], pooled=0.75)


def test_every_fraction_of_the_summary_has_at_most_six_decimals(world):
    text = json.dumps(asdict(summary_of(world[0])))
    assert max(len(decimals) for decimals in re.findall(r"\.(\d+)", text)) <= 6


def test_the_chance_of_unbalanced_pairs_is_that_of_the_commoner_kind(world):
    folder, _ = world
    for name in ("fold_0", "fold_1", "start"):
        path = folder / f"evaluation/{name}/pairs.csv"
        pairs = pd.read_csv(path)
        write_table(pd.concat([pairs, pairs[(pairs["set"] == "verification") & ~pairs["is_same_identity"]]]), path)
    assert summary_of(folder).chance["verification_accuracy"] == pytest.approx(4 / 6, abs=1e-6)
