import json
import runpy
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.errors import ProtocolError
from dwmtl.evaluation.fold import evaluate_verification_set
from dwmtl.evaluation.verification_sets import people_by_folder
from dwmtl.params import load_params
from dwmtl.results import read_result
from dwmtl.scores.bootstrap import subject_bootstrap
from dwmtl.scores.metrics import FoldMetrics

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
labels = small_world["labels"]
verification_pairs = small_world["verification_pairs"]
evaluate = small_world["evaluate"]
folds_of = small_world["folds_of"]


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


def test_a_perfect_network_scores_one_everywhere():
    metrics = evaluate().metrics
    assert metrics.expression.accuracy == 1
    assert metrics.expression.num_photos == 16  # the photo without an expression is not among them
    assert metrics.expression_pairs.accuracy_mean == 1
    assert metrics.verification.auc == 1
    outcome = metrics.authentication
    assert (outcome.accuracy, outcome.far, outcome.frr, outcome.product) == (1, 0, 0, 1)


def test_a_wrong_expression_costs_expression_and_authentication_alone():
    metrics = evaluate({"S0/happiness.jpg": "surprise"}).metrics
    assert metrics.expression.accuracy == 15 / 16
    assert metrics.expression.per_class["happiness"] == 0.75
    assert metrics.authentication.frr == 0.25
    assert metrics.authentication.far == 0
    assert metrics.expression_pairs.accuracy_mean == 1


def test_every_pair_is_in_the_table_with_its_decision():
    pairs = evaluate().pairs
    assert pairs["set"].value_counts().to_dict() == {"expression": 16, "verification": 4}
    assert (pairs["is_verified"] == (pairs["distance"] < pairs["threshold"])).all()
    own = pairs[pairs["set"] == "expression"]
    assert (own["is_accepted"] == (own["is_same_identity"] & own["is_required_expression"])).all()


def test_a_photo_without_a_crop_is_named():
    photos = [photo for photo in labels()["photo"] if photo != "S2/neutral.jpg"]
    with pytest.raises(ProtocolError, match=r"S2/neutral\.jpg has no crop"):
        evaluate(photos=photos)


def test_a_folds_intervals_hold_its_scores(world):
    metrics = folds_of(world[0])[0].metrics
    expression, pairs = metrics.expression, metrics.expression_pairs
    scores = [
        (expression.accuracy, expression.accuracy_interval),
        (expression.balanced_accuracy, expression.balanced_accuracy_interval),
        (expression.macro_f1, expression.macro_f1_interval),
        (pairs.auc, pairs.auc_interval),
        *((pairs.val_at_far[target].val_mean, pairs.val_at_far[target].interval) for target in ("0.01", "0.1")),
        *((pairs.tar_at_far[target].tar, pairs.tar_at_far[target].interval) for target in ("0.01", "0.1")),
    ]
    for score, (low, high) in scores:
        assert low <= score <= high


def test_an_interval_of_pairs_draws_both_people_of_a_pair():
    outcome = evaluate({"S0/happiness.jpg": "surprise"}, noise=1.0)
    own = outcome.pairs[outcome.pairs["set"] == "expression"]
    right = own["is_accepted"] == (own["is_same_identity"] & own["is_required_expression"])
    people = (own[side].str.split("/").str[0].to_numpy(str) for side in ("input", "reference"))
    expected = subject_bootstrap(right.to_numpy(bool), *people, seed=0)
    assert outcome.metrics.authentication.accuracy_interval == pytest.approx([expected.low, expected.high], abs=1e-6)


def test_photos_of_nobody_known_have_no_interval():
    metrics = evaluate(people={}).metrics
    verification = metrics.verification
    assert [verification.accuracy_interval, verification.auc_interval, verification.eer_interval] == [None] * 3
    assert verification.val_at_far["0.1"].interval is None
    assert metrics.expression_pairs.accuracy_interval == (1, 1)


def test_a_person_is_the_folder_of_the_photo_and_packs_have_none():
    assert people_by_folder(verification_pairs()) == {"A/1.jpg": "A", "A/2.jpg": "A", "B/1.jpg": "B"}
    pack = pd.DataFrame({"photo_a": ["lfw/000/000000_a", "lfw/000/000001_a"], "photo_b": ["lfw/000/000000_b"] * 2})
    assert people_by_folder(pack.assign(is_same_identity=[True, False])) == {}


def test_metrics_are_json_that_reads_back(world):
    path = world[0] / "evaluation/fold_0/metrics.json"
    assert json.loads(path.read_text())["expression"]["accuracy"] == 0.9375
    assert read_result(FoldMetrics, path) == evaluate({"S0/happiness.jpg": "surprise"}, noise=1.0).metrics


def test_tar_at_a_far_is_read_off_the_mean_roc(world):
    fold = folds_of(world[0])[0]
    for name, metrics in (("verification", fold.metrics.verification), ("expression", fold.metrics.expression_pairs)):
        roc = fold.roc[fold.roc["set"] == name]
        assert list(metrics.tar_at_far) == ["0.01", "0.1"]
        for target, point in metrics.tar_at_far.items():
            last = roc[roc["far"] <= float(target)].iloc[-1]
            assert (point.tar, point.far) == (last["tar"], last["far"])


def test_the_start_is_scored_on_the_verification_set_as_a_fold_is():
    evaluation, photos = evaluate(), small_world["answered"](["A/1.jpg", "A/2.jpg", "B/1.jpg"])
    people = {"A/1.jpg": "A", "A/2.jpg": "A", "B/1.jpg": "B"}
    outcome = evaluate_verification_set(verification_pairs(), people, photos, params=load_params().evaluate)
    assert outcome.metrics == evaluation.metrics.verification
    of_fold = evaluation.pairs[evaluation.pairs["set"] == "verification"].reset_index(drop=True)
    pd.testing.assert_frame_equal(outcome.pairs, of_fold, check_dtype=False)
