"""The headline scores: one list, each score once, found in the content of a metrics.json."""

from dwmtl.scores.headlines import COMPARED, HEADLINES


def test_every_headline_has_a_key_and_a_title_of_its_own():
    for name in ("key", "title"):
        assert len({getattr(headline, name) for headline in HEADLINES}) == len(HEADLINES)


def test_experiments_are_compared_by_the_three_accuracies():
    assert [headline.key for headline in COMPARED] == [
        "expression_accuracy",
        "verification_accuracy",
        "authentication_accuracy",
    ]
    assert all(headline.is_higher_better for headline in COMPARED)


def test_a_headline_is_found_in_its_section_and_none_where_the_fold_has_none():
    metrics = {"verification": {"accuracy_mean": 0.75}}
    by_key = {headline.key: headline for headline in HEADLINES}
    assert by_key["verification_accuracy"].of(metrics) == 0.75
    assert by_key["verification_eer"].of(metrics) is None
