"""Files of embeddings: what is wrong is told with the file and the image."""

from pathlib import Path

import numpy as np
import pytest

from dwmtl.errors import DataSetError
from dwmtl.evaluation.embeddings_file import read_embeddings

NAMES = [f"{person}_{number:04d}" for person in ("Ann_A", "Bob_B", "Cyd_C", "Dan_D", "Eve_E") for number in (1, 2, 3)]


def write(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "E.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    return folder / "E.npz"


def good(**changes: object) -> dict[str, object]:
    """Arrays that can be scored, but for the changes; None: such an array is not there."""
    embeddings = np.random.default_rng(0).normal(size=(len(NAMES), 4)).astype(np.float32)
    arrays = {"names": NAMES, "embeddings": embeddings, "embeddings_flipped": embeddings}
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


def changed(row: int, value: float) -> np.ndarray:
    embeddings = np.array(good()["embeddings"])
    embeddings[row] = value
    return embeddings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeddings": None}, r"E\.npz: no array embeddings\. It holds embeddings_flipped, names"),
        ({"names": None}, "no array names"),
        ({"embeddings_flipped": None}, r"no array embeddings_flipped \(the mirrored images', for flip sum\)"),
        ({"embeddings": changed(4, np.nan)}, "embedding of Bob_B_0002 holds NaN or infinity"),
        ({"embeddings": changed(14, np.inf)}, "embedding of Eve_E_0003 holds NaN or infinity"),
        ({"embeddings_flipped": changed(0, np.nan)}, "embedding of Ann_A_0001 holds NaN or infinity"),
        ({"embeddings": np.full((15, 4), np.nan)}, r"Ann_A_0001, Ann_A_0002, Ann_A_0003, \.\.\. holds NaN"),
        ({"embeddings": changed(5, 0)}, "embedding of Bob_B_0003 has length 0"),
        ({"embeddings_flipped": -good()["embeddings"]}, "Ann_A_0001, .* cancels its mirrored image's"),
        ({"embeddings": np.ones((14, 4))}, "embeddings must have a row per name. Got 14 rows and 15 names"),
        ({"embeddings": np.ones(15)}, r"embeddings must be floats, \(N, D\), D > 0\. Got float64 of shape \(15,\)"),
        ({"embeddings": np.ones((15, 4), int)}, "embeddings must be floats"),
        ({"embeddings": np.ones((15, 0))}, "embeddings must be floats"),
        ({"embeddings_flipped": np.ones((15, 3))}, r"must have the shape of embeddings. Got \(15, 3\) and \(15, 4\)"),
        ({"names": np.arange(15)}, r"names must be text, \(N,\)\. Got int64"),
        ({"names": [NAMES[1], *NAMES[1:]]}, "Ann_A_0002 has two different embeddings, in rows 0 and 1"),
        ({"names": np.array(NAMES, dtype=object)}, "not an .npz of numbers and text .*allow_pickle=False"),
    ],
)
def test_a_file_of_embeddings_that_cannot_be_scored_is_told(tmp_path, changes, message):
    path = write(tmp_path, **good(**changes))
    with pytest.raises(DataSetError, match=message):
        read_embeddings(path, flip="sum")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_npz_is_told(tmp_path, content):
    (tmp_path / "E.npz").write_bytes(content)
    with pytest.raises(DataSetError, match=r"E\.npz: not an \.npz"):
        read_embeddings(tmp_path / "E.npz", flip="none")


def test_a_cut_off_npz_is_told(tmp_path):
    path = write(tmp_path, **good())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataSetError, match=r"E\.npz: not an \.npz"):
        read_embeddings(path, flip="none")


def test_a_single_array_is_told(tmp_path):
    np.save(tmp_path / "E.npy", np.ones((3, 2)))
    with pytest.raises(DataSetError, match="holds a single one"):
        read_embeddings(tmp_path / "E.npy", flip="none")


def test_embeddings_that_unpack_to_far_more_than_the_file_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "E.npz", names=np.array(["a"]), embeddings=np.ones((1, 4_000_000), np.float32))
    with pytest.raises(DataSetError, match=r"E\.npz: \d+ bytes that unpack to 160\d+, more than 100 times as many"):
        read_embeddings(tmp_path / "E.npz", flip="none")


def test_compressed_embeddings_are_read(tmp_path):
    embeddings = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    np.savez_compressed(tmp_path / "E.npz", names=np.array(["a", "b", "x" * 100]), embeddings=embeddings)
    assert len(read_embeddings(tmp_path / "E.npz", flip="none")) == 3
