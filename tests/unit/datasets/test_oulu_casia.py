from pathlib import Path

import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def sequence(light: str = "VL/Strong/", name: str = "P001/Anger", num_frames: int = 4) -> list[str]:
    return [f"{light}{name}/{frame:03d}.jpeg" for frame in range(num_frames)]


def read(folder: Path):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="oulu_casia", folder=str(folder)),
        num_peak_frames=3,
    )


@pytest.mark.parametrize(
    ("lights", "taken"),
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
def test_one_camera_and_light_is_taken(make_tree, lights, taken):
    photos = read(make_tree(*[photo for light in lights for photo in sequence(light)])).photos
    assert photos["photo"].tolist() == sequence(taken)
    assert set(photos["sequence"]) == {f"{taken}P001/Anger"}
    assert set(photos["subject"]) == {"P001"}


@pytest.mark.parametrize(
    ("lights", "missing"),
    [
        (["NI/Strong/", "NI/Weak/"], "VL/Strong/"),
        (["NI/Strong/", "VL/Weak/"], "VL/Strong/"),
        (["Dark/", "Weak/"], "St"),
    ],
)
def test_several_without_the_usual_one_are_told(make_tree, lights, missing):
    with pytest.raises(DataSetError, match=f"holds {', '.join(lights)} but not {missing}"):
        read(make_tree(*[photo for light in lights for photo in sequence(light)]))


def test_the_sets_own_lists_among_the_lights_are_passed_over(make_tree):
    folder = make_tree(*sequence("VL/Strong/"))
    (folder / "VL" / "Strong_equal_label.txt").write_text("a list")
    assert len(read(folder).photos) == 4


def test_oulu_casia_uses_the_first_frame_and_the_last(touch_tree):
    photos = read(touch_tree(*sequence(num_frames=6))).photos
    assert photos["use"].tolist() == ["neutral", "unused", "unused", "peak", "peak", "peak"]
    assert photos["expression"].tolist() == ["neutral", "", "", "anger", "anger", "anger"]
    assert photos["frame"].tolist() == list(range(6))
    assert set(photos["sequence"]) == {"VL/Strong/P001/Anger"}
    assert set(photos["subject"]) == {"P001"}


def test_oulu_casia_may_be_given_at_its_subjects(tmp_path, touch_tree):
    touch_tree(*sequence(), *sequence(name="P002/Fear"))
    photos = read(tmp_path / "VL" / "Strong").photos
    assert photos["photo"].iloc[0] == "P001/Anger/000.jpeg"
    assert photos["subject"].unique().tolist() == ["P001", "P002"]


def test_an_oulu_casia_sequence_too_short_for_the_frame_rule_is_named(tmp_path, touch_tree):
    touch_tree(*sequence(num_frames=3))
    with pytest.raises(DataSetError, match=r"P001/Anger: 3 frames; .*index\.num_peak_frames"):
        read(tmp_path)


def test_oulu_casia_frames_are_counted_not_spelled(tmp_path, touch_tree):
    touch_tree(*[f"P001/anger/{frame}.jpeg" for frame in range(12)], "__MACOSX/x.txt")
    photos = read(tmp_path).photos
    peaks = photos[photos["use"] == "peak"]
    assert set(peaks["photo"]) == {"P001/anger/9.jpeg", "P001/anger/10.jpeg", "P001/anger/11.jpeg"}
    assert set(peaks["expression"]) == {"anger"}


def test_an_unknown_oulu_casia_expression_is_named(tmp_path, touch_tree):
    touch_tree(*sequence(name="P001/Boredom"))
    with pytest.raises(DataSetError, match="Boredom: not an expression of Oulu-CASIA"):
        read(tmp_path)
