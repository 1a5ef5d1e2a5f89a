from pathlib import Path

import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def sequence(folder: str) -> list[str]:
    return [f"{folder}P001/Anger/{frame:03d}.jpeg" for frame in range(4)]


def read(folder: Path):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="oulu_casia", folder=str(folder)),
        num_peak_frames=3,
    )


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["VL/Strong/"], "VL/Strong/"),
        (["VL/Strong/", "VL/Weak/", "NI/Strong/", "NI/Dark/"], "VL/Strong/"),
        (["NI/Strong/"], "NI/Strong/"),
        (["VL/Dark/"], "VL/Dark/"),
        (["Weak/"], "Weak/"),
        (["Dark/", "Strong/", "Weak/"], "Strong/"),
        ([""], ""),
    ],
)
def test_one_camera_and_light_is_taken(make_tree, there, taken):
    photos = read(make_tree(*[photo for folder in there for photo in sequence(folder)])).photos
    assert photos["photo"].tolist() == sequence(taken)
    assert set(photos["sequence"]) == {f"{taken}P001/Anger"}
    assert set(photos["subject"]) == {"P001"}


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["NI/Strong/", "NI/Weak/"], "VL/Strong/"),
        (["NI/Strong/", "VL/Weak/"], "VL/Strong/"),
        (["Dark/", "Weak/"], "St"),
    ],
)
def test_several_without_the_usual_one_are_told(make_tree, there, missing):
    with pytest.raises(DataSetError, match=f"holds {', '.join(there)} but not {missing}"):
        read(make_tree(*[photo for folder in there for photo in sequence(folder)]))


def test_the_sets_own_lists_among_the_lights_are_passed_over(make_tree):
    folder = make_tree(*sequence("VL/Strong/"))
    (folder / "VL" / "Strong_equal_label.txt").write_text("a list")
    assert len(read(folder).photos) == 4
