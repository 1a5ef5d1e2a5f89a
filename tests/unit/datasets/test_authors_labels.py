from pathlib import Path

import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError

HEADER = "No subject expression label image_path"
FRAMES = ["P001/Anger/000.png", "P001/Anger/001.png", "P001/Anger/010.png", "P002/Fear/000.png", "P002/Fear/007.png"]
OULU = [
    "0 P001 Neutral 0 /data/Oulu/P001/Anger/000.png",
    "1 P001 Anger 1 /data/Oulu/P001/Anger/010.png",
    "2 P002 Neutral 0 /data/Oulu/P002/Fear/000.png",
    "3 P002 Fear 2 /data/Oulu/P002/Fear/007.png",
]
CK_FRAMES = [f"cohn-kanade-images/S005/001/S005_001_{number:08d}.png" for number in (1, 2, 3)]
CK = "count subject session frame label\n0 S005 001 00000001 0\n1 S005 001 00000003 3.0000000e+00\n"


def read(folder: Path, **options):
    params = SetParams(role="expression", adapter="authors_labels", folder=str(folder), **options)
    return read_data_set("expression", params, num_peak_frames=3).photos


@pytest.fixture
def oulu(make_tree) -> Path:
    folder = make_tree(*FRAMES)
    (folder / "labels.txt").write_text("\n".join([HEADER, *OULU]))
    return folder


def test_only_photos_that_the_file_names_are_used(oulu):
    photos = read(oulu, remap={"/data/Oulu": ""})
    assert photos.drop(columns="sequence").to_numpy().tolist() == [
        ["P001/Anger/000.png", "P001", 0, "neutral", "neutral"],
        ["P001/Anger/010.png", "P001", 10, "anger", "peak"],
        ["P002/Fear/000.png", "P002", 0, "neutral", "neutral"],
        ["P002/Fear/007.png", "P002", 7, "fear", "peak"],
    ]
    assert photos["sequence"].tolist() == ["P001/Anger"] * 2 + ["P002/Fear"] * 2


def test_paths_may_be_given_below_the_sets_folder(oulu):
    (oulu / "labels.txt").write_text("\n".join([HEADER, *OULU]).replace("/data/Oulu/", ""))
    assert len(read(oulu)) == 4


def test_paths_may_move_to_a_folder_below_the_sets(oulu, tmp_path):
    (tmp_path / "VL").mkdir()
    for subject in ("P001", "P002"):
        (oulu / subject).rename(tmp_path / "VL" / subject)
    assert read(tmp_path, remap={"/data/Oulu": "VL"})["photo"].iloc[0] == "VL/P001/Anger/000.png"


def test_a_file_of_ck_plus_names_photos_by_subject_session_and_frame(make_tree):
    folder = make_tree(*CK_FRAMES)
    (folder / "labels.txt").write_text(CK)
    photos = read(folder)
    assert photos["photo"].tolist() == [CK_FRAMES[0], CK_FRAMES[2]]
    assert photos["expression"].tolist() == ["neutral", "disgust"]
    assert photos["use"].tolist() == ["neutral", "peak"]
    assert photos["frame"].tolist() == [1, 3]
    with pytest.raises(DataSetError, match=r"a label file of CK\+ holds no paths\. Remove remap"):
        read(folder, remap={"/data": ""})


@pytest.mark.parametrize(
    "line", [".. 001", "S005 ..", "x/../S005 001", "S005/001 ..", "/S005 001", ". 001", "S005/001 ."]
)
def test_a_subject_or_session_of_ck_plus_that_leaves_its_folder_is_refused(make_tree, line):
    """Whatever is there to be found."""
    subject, session = line.split()
    name = f"{subject}_{session}_00000011.png".replace("/", "_")
    folder = make_tree(*CK_FRAMES, f"cohn-kanade-images/{name}", name, f"001/{name}")
    (folder / "labels.txt").write_text(f"{CK}2 {line} 00000011 3\n")
    with pytest.raises(DataSetError, match=r"labels\.txt, row 2: '.*' is not the name of a folder\. Correct the line"):
        read(folder)


@pytest.mark.parametrize("subject", ["..", "../../etc", "a/b", "/P001"])
def test_a_subject_of_oulu_casia_is_a_name_and_no_path(oulu, subject):
    (oulu / "labels.txt").write_text(f"{HEADER}\n0 {subject} Anger 1 P001/Anger/010.png\n")
    assert read(oulu)[["photo", "subject"]].to_numpy().tolist() == [["P001/Anger/010.png", subject]]
    (oulu / "labels.txt").write_text(f"{HEADER}\n0 {subject} Anger 1 {subject}/../P001/Anger/010.png\n")
    with pytest.raises(DataSetError, match=r"row 0: .* is not a path below"):
        read(oulu)


def test_one_of_several_files_is_named_by_the_option(oulu):
    (oulu / "readme.txt").write_text("Hello.")
    with pytest.raises(
        DataSetError, match=r"2 files end in \.txt; name the label file in the set's option labels_file"
    ):
        read(oulu)
    assert len(read(oulu, labels_file="labels.txt", remap={"/data/Oulu": ""})) == 4


def test_a_file_that_is_not_there_is_told(oulu):
    with pytest.raises(DataSetError, match=r"gone\.txt: no such file"):
        read(oulu, labels_file="gone.txt")


def test_paths_that_begin_elsewhere_are_told(oulu):
    with pytest.raises(DataSetError, match=r"labels\.txt, row 0: '/data/Oulu/.*' is not a path below .*option remap"):
        read(oulu)
    with pytest.raises(DataSetError, match=r"labels\.txt, line 2: the photo '/data/Oulu/.*' is not below '/elsewhere'"):
        read(oulu, remap={"/elsewhere": ""})


def test_a_photo_that_is_not_there_or_named_twice_is_told(oulu):
    remap = {"/data/Oulu": ""}
    (oulu / "labels.txt").write_text("\n".join([HEADER, OULU[0], "1 P001 Anger 1 /data/Oulu/P001/Anger/099.png"]))
    with pytest.raises(DataSetError, match=r"labels\.txt, row 1: names .*P001/Anger/099\.png, which does not exist"):
        read(oulu, remap=remap)
    (oulu / "labels.txt").write_text("\n".join([HEADER, *OULU, "4 P001 Anger 1 /data/Oulu/P001/Anger/010.png"]))
    with pytest.raises(DataSetError, match=r"labels\.txt, row 4: P001/Anger/010\.png is in row 1, too"):
        read(oulu, remap=remap)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels_file": "../labels.txt"}, "labels_file must be a path below the set's folder"),
        ({"labels_file": "/labels.txt"}, "labels_file must be a path below the set's folder"),
        ({"view": "1-train"}, "view is an option of the adapter lfw. Got adapter authors_labels"),
        ({"adapter": "yale", "labels_file": "a.txt"}, "labels_file is an option of the adapter authors_labels"),
        ({"remap": {}}, "remap"),
        ({"remap": {"a": "", "b": ""}}, "remap"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SetParams(**{"role": "expression", "adapter": "authors_labels", "folder": "x", **options})
