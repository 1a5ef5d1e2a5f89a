import pytest

from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.errors import DataSetError, DwmtlError


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "must have a picture"),
        ([(-1, b"a")], r"picture 1: its identity must be a whole number in \[0, 16777216\]. Got -1"),
        ([((1 << 24) + 1, b"a")], "picture 1: its identity"),
        ([(0.5, b"a")], "picture 1: its identity"),
        ([(0, b"a"), (1, b"")], "picture 2: must be the bytes"),
        ([(0, "a")], "picture 1: must be the bytes of an encoded picture. Got str"),
        ([(0, b"a"), (1, b"a"), (0, b"a")], "picture 3: identity 0 has earlier pictures"),
    ],
)
def test_what_a_pack_cannot_hold_is_refused_and_nothing_is_left(tmp_path, items, message):
    with pytest.raises(DataSetError, match=message):
        write_record_pack(tmp_path / "p", items)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_not_written_over(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(DwmtlError, match="it is there already, and not empty"):
        write_record_pack(tmp_path, [(0, b"a")])
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_write_that_breaks_off_leaves_nothing(tmp_path):
    def items():
        yield 0, b"a"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_record_pack(tmp_path / "p", items())
    assert list(tmp_path.iterdir()) == []
