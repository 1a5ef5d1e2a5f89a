from pathlib import Path

import pandas as pd
import pytest

from dwmtl.crops.alignment_outcome import Outcome, require_all_readable
from dwmtl.errors import UnreadablePhotoError
from dwmtl.tables import FAILURES


def _failures(num_unreadable: int) -> pd.DataFrame:
    rows = [("f.png", "fallback", "no face")]
    rows += [(f"{number}.png", "unreadable", "the file is empty.") for number in range(num_unreadable)]
    return pd.DataFrame(rows, columns=list(FAILURES))


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


def test_a_set_whose_photos_can_all_be_read_is_taken():
    require_all_readable(_failures(0), Path("photos"), name="lfw", failures_path=Path("list.csv"))


def test_unreadable_photos_are_named_up_to_twenty():
    with pytest.raises(UnreadablePhotoError) as error:
        require_all_readable(_failures(25), Path("photos"), name="lfw", failures_path=Path("list.csv"))
    first, *files, more = str(error.value).splitlines()
    assert first == "25 photos of the lfw set cannot be read, and every photo of it is evaluated:"
    assert files[0] == "  photos/0.png: the file is empty."
    assert (len(files), more) == (20, "  ... and 5 more: list.csv")
