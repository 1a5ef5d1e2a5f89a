import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def read(folder):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="ck_plus_48", folder=str(folder)),
        num_peak_frames=3,
    )


def test_every_picture_is_a_peak_of_its_folders_expression(make_tree):
    photos = read(make_tree("happy/S010_004_00000017.png", "happy/S010_004_00000018.png", "fear/S011_001_00000020.png"))
    assert photos.photos.to_dict("records")[0] == {
        "photo": "fear/S011_001_00000020.png",
        "subject": "S011",
        "sequence": "S011/001",
        "frame": 19,
        "expression": "fear",
        "use": "peak",
    }
    assert photos.photos["expression"].tolist() == ["fear", "happiness", "happiness"]


def test_another_folder_is_named(make_tree):
    with pytest.raises(DataSetError, match="bored: not an expression of the repack"):
        read(make_tree("bored/S010_004_00000017.png"))


@pytest.mark.parametrize("name", ["a.png", "S010_004.png", "S010_004_00000000.png", "X010_004_00000001.png"])
def test_another_name_is_named(make_tree, name):
    with pytest.raises(DataSetError, match=rf"anger/{name}: must be named like S010_004_00000017\.png"):
        read(make_tree(f"anger/{name}"))


def test_a_sequence_of_two_expressions_is_named(make_tree):
    with pytest.raises(
        DataSetError, match="sequence S010/004 is in the folder of another expression, too: anger/S010_004_0000001"
    ):
        read(make_tree("anger/S010_004_00000017.png", "sadness/S010_004_00000018.png"))
