from pathlib import Path

import pandas as pd
import pytest

from dwmtl.crops.unreadable import require_all_readable
from dwmtl.errors import UnreadablePhotoError
from dwmtl.tables import FAILURES


def _failures(num_unreadable: int) -> pd.DataFrame:
    rows = [("f.png", "fallback", "no face")]
    rows += [(f"{number}.png", "unreadable", "the file is empty.") for number in range(num_unreadable)]
    return pd.DataFrame(rows, columns=list(FAILURES))


def test_a_set_whose_photos_can_all_be_read_is_taken():
    require_all_readable(_failures(0), Path("photos"), name="lfw", failures_path=Path("list.csv"))


def test_unreadable_photos_are_named_up_to_twenty():
    with pytest.raises(UnreadablePhotoError) as error:
        require_all_readable(_failures(25), Path("photos"), name="lfw", failures_path=Path("list.csv"))
    first, *files, more = str(error.value).splitlines()
    assert first == "25 photos of the lfw set cannot be read, and every photo of it is evaluated:"
    assert files[0] == "  photos/0.png: the file is empty."
    assert (len(files), more) == (20, "  ... and 5 more: list.csv")
