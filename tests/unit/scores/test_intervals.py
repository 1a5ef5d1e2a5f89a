from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dwmtl.scores.bootstrap import Resamples, subject_bootstrap
from dwmtl.scores.classification import score_classes
from dwmtl.scores.intervals import (
    AuthenticationIntervals,
    ExpressionIntervals,
    gain_interval,
    pairs_intervals,
    score_intervals,
    with_intervals,
)
from dwmtl.scores.metrics import (
    AuthenticationMetrics,
    CropCounts,
    ExpressionMetrics,
    FoldMetrics,
    NoPairs,
    TarMetrics,
    ValMetrics,
    VerificationMetrics,
)
from dwmtl.scores.threshold import ComparisonSettings
from dwmtl.scores.verification_intervals import no_intervals
from dwmtl.tables import EVALUATED_PAIRS

CLASSES = ["anger", "happiness", "neutral"]
PEOPLE = [f"P{number}" for number in range(8)]


def predictions() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    actual = rng.integers(3, size=60)
    predicted = np.where(rng.random(60) < 0.6, actual, rng.integers(3, size=60))
    named = {"expression": np.array(CLASSES)[actual], "predicted": np.array(CLASSES)[predicted]}
    subjects = rng.choice(PEOPLE, size=60)
    return pd.DataFrame({"photo": [f"{number}.jpg" for number in range(60)], "subject": subjects, **named})


def pairs(seed: int = 1) -> pd.DataFrame:
    """Pairs of both sets in two blocks."""
    rng = np.random.default_rng(seed)
    a = rng.choice(PEOPLE, size=120)
    b = np.where(rng.random(120) < 0.5, a, rng.choice(PEOPLE, size=120))
    table = pd.DataFrame({"set": np.repeat(["expression", "verification"], 60), "input_subject": a})
    table = table.assign(reference_subject=b, is_same_identity=a == b, fold=np.arange(120) % 2, threshold=1.0)
    table["distance"] = rng.uniform(0, 2, size=120).round(6)
    table["is_verified"] = table["distance"] < 1
    table["is_required_expression"] = rng.random(120) < 0.5
    table["is_accepted"] = table["is_verified"] & (rng.random(120) < 0.7)
    return table.reindex(columns=list(EVALUATED_PAIRS))


def metrics(distance: str = "squared_euclidean", thresholds: tuple[tuple, tuple] = ((0.1, 0.2), (0.5, 0.4))):
    """Of a fold: what is not read for intervals is 0."""
    rates = {"accuracy": 0.0, "balanced_accuracy": 0.0, "macro_f1": 0.0, "majority": 0.0}
    vals = {
        target: ValMetrics(val_mean=0.0, val_std=0.0, far_mean=0.0, threshold_per_fold=per_fold)
        for target, per_fold in zip(("0.01", "0.1"), thresholds, strict=True)
    }
    tars = dict.fromkeys(vals, TarMetrics(tar=0.0, far=0.0))
    verification = VerificationMetrics(
        accuracy_mean=0.0, accuracy_std=0.0, auc=0.0, eer=0.0, num_pairs=60, val_at_far=vals, tar_at_far=tars
    )
    return FoldMetrics(
        expression=ExpressionMetrics(**rates, num_photos=60, per_class={}),
        expression_pairs=verification,
        further_tasks={},
        authentication=AuthenticationMetrics(accuracy=0.0, far=0.0, frr=0.0, product=0.0, always_reject=0.0),
        verification=verification,
        num_fallback_crops=CropCounts(expression=0, verification=0),
        settings=ComparisonSettings(distance=distance, flip="none", subtract_mean=False),
    )


def test_the_intervals_of_expressions_are_those_of_the_resamples_scores():
    """Every resample's photos, as often as their people were drawn, scored as any test set is."""
    table = predictions()
    people = sorted(set(table["subject"]))
    rng, scores = np.random.default_rng(0), []
    for _ in range(1000):
        drawn = np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))
        taken = table.loc[np.repeat(table.index, drawn[[people.index(name) for name in table["subject"]]])]
        codes = (pd.Categorical(taken[name], CLASSES).codes for name in ("expression", "predicted"))
        score = score_classes(*codes, CLASSES)
        scores.append((score.balanced_accuracy, score.macro_f1))
    expected = np.quantile(scores, [0.025, 0.975], axis=0).T
    found = score_intervals(table, [pairs()], [metrics()]).expression
    assert found.balanced_accuracy == pytest.approx(expected[0], abs=1e-6)
    assert found.macro_f1 == pytest.approx(expected[1], abs=1e-6)


def test_photos_of_nobody_known_are_drawn_each_by_itself():
    """As if every photo were of a person of its own; a plain loop over the same draws."""
    table = predictions()
    names = sorted(f"photo {photo}" for photo in table["photo"])
    table = table.set_index("photo").loc[[name.removeprefix("photo ") for name in names]].reset_index()
    right = (table["expression"] == table["predicted"]).to_numpy()
    rng = np.random.default_rng(0)
    accuracies = [right[rng.integers(60, size=60)].mean() for _ in range(1000)]
    found = score_intervals(table.assign(subject=""), [pairs()], [metrics()]).expression
    assert found.accuracy == pytest.approx(np.quantile(accuracies, [0.025, 0.975]), abs=1e-6)
    by_photo = score_intervals(table.assign(subject=table["photo"]), [pairs()], [metrics()]).expression
    assert found == by_photo


def test_without_pairs_of_the_test_subjects_the_other_scores_have_intervals():
    none = replace(metrics(), expression_pairs=NoPairs(), authentication=NoPairs())
    table = pairs()
    intervals = score_intervals(predictions(), [table[table["set"] == "verification"]], [none])
    assert intervals.authentication == AuthenticationIntervals(None, None, None)
    found = with_intervals(none, intervals)
    assert (found.expression_pairs, found.authentication) == (NoPairs(), NoPairs())
    assert (
        found.verification
        == with_intervals(metrics(), score_intervals(predictions(), [table], [metrics()])).verification
    )


def test_rates_of_authentication_are_drawn_among_the_pairs_they_are_rates_of():
    table = pairs()
    own = table[table["set"] == "expression"]
    genuine = (own["is_same_identity"] & own["is_required_expression"]).to_numpy(bool)
    accepted = own["is_accepted"].to_numpy(bool)
    found = score_intervals(predictions(), [table], [metrics()]).authentication
    for name, values, rows in (("far", accepted, ~genuine), ("frr", ~accepted, genuine)):
        people = (own[side].to_numpy(str)[rows] for side in ("input_subject", "reference_subject"))
        expected = subject_bootstrap(values[rows], *people, seed=0)
        assert getattr(found, name) == pytest.approx([expected.low, expected.high], abs=1e-6)


def test_val_counts_the_genuine_pairs_below_their_blocks_threshold():
    table = pairs()
    own = table[table["set"] == "verification"]
    below = own["distance"] < own["fold"].map({0: 0.5, 1: 0.4})
    resamples = Resamples(*(own[side].to_numpy(str) for side in ("input_subject", "reference_subject")), seed=0)
    kinds = np.where(own["is_same_identity"], below.astype(int), 2)
    rejected, accepted, _ = resamples.counts(kinds)
    expected = np.quantile(accepted / (accepted + rejected), [0.025, 0.975])
    found = score_intervals(predictions(), [table], [metrics()]).verification
    assert found.val_at_far[0.1] == pytest.approx(expected, abs=1e-6)
    assert found.tar_at_far[0.01] is not None


def test_the_grid_of_thresholds_is_that_of_the_distance():
    """Cosine distances are half as large, on a grid half as wide: the same numbers."""
    table = pairs()
    half = table.assign(distance=table["distance"] / 2)
    halved = metrics("cosine", thresholds=((0.0, 0.0), (0.0, 0.0)))
    found = [score_intervals(predictions(), [t], [m]) for t, m in ((table, metrics()), (half, halved))]
    assert found[0].verification.auc == found[1].verification.auc


def test_networks_that_were_asked_about_other_people_are_drawn_together():
    one, two = pairs(1), pairs(2)
    alone = score_intervals(predictions(), [one], [metrics()]).verification.auc
    both = score_intervals(predictions(), [one, two], [metrics(), metrics()]).verification.auc
    twice = score_intervals(predictions(), [one, one], [metrics(), metrics()]).verification.auc
    assert twice == alone
    assert both != alone


def test_pairs_of_nobody_known_have_no_interval():
    table = pairs().assign(input_subject="")
    found = score_intervals(predictions(), [table], [metrics()])
    assert found.verification == no_intervals([0.01, 0.1])
    assert found.authentication == AuthenticationIntervals(None, None, None)


def test_one_person_has_no_interval():
    found = score_intervals(predictions().assign(subject="P"), [pairs()], [metrics()])
    assert found.expression == ExpressionIntervals(None, None, None)


def test_each_interval_stands_beside_its_score():
    intervals = score_intervals(predictions(), [pairs()], [metrics()])
    found = with_intervals(metrics(), intervals)
    assert found.expression.macro_f1_interval == intervals.expression.macro_f1
    assert found.authentication.frr_interval == intervals.authentication.frr
    assert found.verification.eer_interval == intervals.verification.eer
    assert found.expression_pairs.accuracy_interval == intervals.expression_pairs.accuracy
    assert found.verification.val_at_far["0.1"].interval == intervals.verification.val_at_far[0.1]
    assert found.verification.tar_at_far["0.01"].interval == intervals.verification.tar_at_far[0.01]


def verification(decisions: int) -> pd.DataFrame:
    """The verification set's pairs, always the same, with decisions of their own."""
    table = pairs()
    table = table[table["set"] == "verification"].reset_index(drop=True)
    names = {"input": [f"{row}.png" for row in table.index], "reference": "b.png"}
    is_right = np.random.default_rng(decisions).random(len(table)) < 0.7
    return table.assign(**names, is_verified=table["is_same_identity"] == is_right)


def test_the_interval_of_a_gain_is_that_of_the_pairs_differences():
    before, after = verification(1), [verification(2), verification(3)]
    gains, subjects, partners = [], [], []
    for table in after:
        for old, new in zip(before.itertuples(), table.itertuples(), strict=True):
            was_right, is_right = old.is_verified == old.is_same_identity, new.is_verified == new.is_same_identity
            gains.append(int(is_right) - int(was_right))
            subjects.append(new.input_subject)
            partners.append(new.reference_subject)
    expected = subject_bootstrap(np.array(gains), np.array(subjects), np.array(partners), seed=0)
    assert gain_interval(before, after) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert set(gains) == {-1, 0, 1}


def test_a_network_gains_nothing_over_itself():
    assert gain_interval(verification(1), [verification(1)]) == (0, 0)


def test_a_paired_gain_is_narrower_than_the_accuracies_apart():
    before = verification(1)
    after = before.assign(is_verified=before["is_verified"] ^ (np.arange(len(before)) % 20 == 0))
    low, high = gain_interval(before, [after])
    apart = pairs_intervals([after], [metrics().verification], "squared_euclidean").accuracy
    assert high - low < apart[1] - apart[0]


def test_a_gain_of_people_who_are_not_known_has_no_interval():
    unknown = verification(1).assign(input_subject="")
    assert gain_interval(unknown, [unknown]) is None
