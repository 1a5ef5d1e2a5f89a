import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dwmtl.crops.aligned import crop_paths, read_crop
from dwmtl.errors import TableError
from dwmtl.tables import CROPS, write_table


@pytest.fixture
def aligned(tmp_path):
    """Three photos: aligned, without a face, unreadable."""
    table = pd.DataFrame("", index=range(3), columns=list(CROPS))
    table["photo"] = ["a.jpg", "b.jpg", "c.jpg"]
    table["crop"] = ["photos/a.jpg.png", "photos/b.jpg.png", ""]
    table["status"] = ["aligned", "fallback", "unreadable"]
    write_table(table, tmp_path / "one" / "crops.csv", CROPS)
    write_table(table.head(1).assign(photo="z.jpg"), tmp_path / "other" / "crops.csv", CROPS)
    return tmp_path


def test_crops_are_found_by_photo_in_the_order_asked(aligned):
    photos = pd.Series(["one/b.jpg", "other/z.jpg"], index=[7, 3])
    paths = crop_paths(aligned, photos, status=("aligned", "fallback"))
    assert paths.to_dict() == {7: "one/photos/b.jpg.png", 3: "other/photos/a.jpg.png"}


def test_a_crop_of_another_status_is_empty(aligned):
    photos = pd.Series(["one/a.jpg", "one/b.jpg", "one/c.jpg"])
    assert crop_paths(aligned, photos, status=("aligned",)).tolist() == ["one/photos/a.jpg.png", "", ""]


def test_a_photo_that_was_never_aligned_is_named(aligned):
    with pytest.raises(TableError, match=r"no row for photo one/d\.jpg"):
        crop_paths(aligned, pd.Series(["one/a.jpg", "one/d.jpg"]), status=("aligned",))


def test_a_grey_crop_is_read_as_rgb(tmp_path):
    Image.fromarray(np.full((4, 4), 9, np.uint8)).save(tmp_path / "grey.png")
    crop = read_crop(tmp_path / "grey.png")
    assert crop.shape == (4, 4, 3)
    assert (crop == 9).all()
