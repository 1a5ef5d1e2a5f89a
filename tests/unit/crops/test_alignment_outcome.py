from pathlib import Path

import pytest

from dwmtl.crops.alignment_outcome import Outcome


def test_an_outcome_reads_as_counts_and_a_rate():
    assert str(Outcome({"aligned": 11, "fallback": 1}, duration_s=0.5)) == (
        "11 aligned, 1 fallback of 12 photos, 24.0 photos/s"
    )


@pytest.mark.parametrize(("num_fallback", "num_warnings"), [(0, 0), (5, 0), (6, 1)])
def test_a_set_without_faces_on_most_photos_is_warned_of(num_fallback, num_warnings):
    outcome = Outcome({"aligned": 10 - num_fallback, "fallback": num_fallback}, duration_s=1.0)
    assert len(outcome.warnings(Path("photos"))) == num_warnings


def test_a_set_that_is_empty_has_no_outcome_to_warn_of():
    outcome = Outcome({}, duration_s=1.0)
    assert (outcome.num_photos, outcome.warnings(Path("photos"))) == (0, [])
