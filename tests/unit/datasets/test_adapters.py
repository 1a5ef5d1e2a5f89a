import csv
from pathlib import Path

import pytest

from dwmtl.datasets.adapters import ADAPTERS, read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError
from dwmtl.tables import MANIFEST, read_table, write_table


def make_tree(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def read(adapter: str, folder: Path, role: str = "identity", num_peak_frames: int = 3):
    return read_data_set(
        role,
        SetParams(role=role, adapter=adapter, folder=str(folder)),
        num_peak_frames=num_peak_frames,
    )


def sequence(name: str, num_frames: int = 5) -> list[str]:
    return [f"VL/Strong/{name}/{frame:03d}.jpeg" for frame in range(num_frames)]


def test_oulu_casia_uses_the_first_frame_and_the_last(tmp_path):
    photos = read("oulu_casia", make_tree(tmp_path, *sequence("P001/Anger", 6)), "expression").photos
    assert photos["use"].tolist() == ["neutral", "unused", "unused", "peak", "peak", "peak"]
    assert photos["expression"].tolist() == ["neutral", "", "", "anger", "anger", "anger"]
    assert photos["frame"].tolist() == list(range(6))
    assert set(photos["sequence"]) == {"VL/Strong/P001/Anger"}
    assert set(photos["subject"]) == {"P001"}


def test_oulu_casia_may_be_given_at_its_subjects(tmp_path):
    make_tree(tmp_path, *sequence("P001/Anger"), *sequence("P002/Fear"))
    photos = read("oulu_casia", tmp_path / "VL" / "Strong", "expression").photos
    assert photos["photo"].iloc[0] == "P001/Anger/000.jpeg"
    assert photos["subject"].unique().tolist() == ["P001", "P002"]


def test_an_oulu_casia_sequence_too_short_for_the_frame_rule_is_named(tmp_path):
    make_tree(tmp_path, *sequence("P001/Anger", 3))
    with pytest.raises(DataSetError, match=r"P001/Anger: 3 frames; .*index\.num_peak_frames"):
        read("oulu_casia", tmp_path, "expression")


def test_oulu_casia_frames_are_counted_not_spelled(tmp_path):
    make_tree(tmp_path, *[f"P001/anger/{frame}.jpeg" for frame in range(12)], "__MACOSX/x.txt")
    photos = read("oulu_casia", tmp_path, "expression").photos
    peaks = photos[photos["use"] == "peak"]
    assert set(peaks["photo"]) == {"P001/anger/9.jpeg", "P001/anger/10.jpeg", "P001/anger/11.jpeg"}
    assert set(peaks["expression"]) == {"anger"}


def test_an_unknown_oulu_casia_expression_is_named(tmp_path):
    make_tree(tmp_path, *sequence("P001/Boredom"))
    with pytest.raises(DataSetError, match="Boredom: not an expression of Oulu-CASIA"):
        read("oulu_casia", tmp_path, "expression")


def test_yale_conditions_become_expressions_and_uses(tmp_path):
    names = ["subject01.normal", "subject01.happy", "subject01.glasses", "subject02.wink.gif", "Readme.txt"]
    photos = read("yale", make_tree(tmp_path, *names), "expression").photos.set_index("photo")
    assert photos.loc["subject01.normal", ["expression", "use"]].tolist() == ["neutral", "neutral"]
    assert photos.loc["subject01.happy", ["expression", "use"]].tolist() == ["happiness", "peak"]
    assert photos.loc["subject01.glasses", ["expression", "use"]].tolist() == ["", "train"]
    assert photos.loc["subject02.wink.gif", "subject"] == "subject02"
    assert len(photos) == 4


def test_an_unknown_yale_condition_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"subject01\.bored: not a condition"):
        read("yale", make_tree(tmp_path, "subject01.bored"), "expression")


def test_a_folder_a_person_is_read_without_what_is_no_picture(tmp_path):
    make_tree(tmp_path, "0001/a.JPG", "0001/notes.txt", "0000/b.png", "0002/.hidden.jpg", "list.csv")
    photos = read("folders", tmp_path).photos
    assert photos["photo"].tolist() == ["0000/b.png", "0001/a.JPG"]
    assert photos["subject"].tolist() == ["0000", "0001"]
    assert set(photos["use"]) == {"train"}


def write_lfw(folder: Path, lines: list[str], people: int = 3, photos: int = 2) -> Path:
    names = ["Ann_A", "Bob_B", "Cyd_C", "Dan_D"][:people]
    make_tree(folder, *[f"{name}/{name}_{number:04d}.jpg" for name in names for number in range(1, photos + 1)])
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


GOOD = ["2\t1", "Ann_A\t1\t2", "Ann_A\t1\tBob_B\t2", "Bob_B\t1\t2", "Bob_B\t1\tAnn_A\t2"]


def test_lfw_blocks_are_the_folds(tmp_path):
    data_set = read("lfw", write_lfw(tmp_path, GOOD), "verification")
    assert data_set.pairs["fold"].tolist() == [0, 0, 1, 1]
    assert data_set.pairs["is_same_identity"].tolist() == [True, False, True, False]
    assert data_set.pairs.loc[1, ["photo_a", "photo_b"]].tolist() == ["Ann_A/Ann_A_0001.jpg", "Bob_B/Bob_B_0002.jpg"]


def test_lfw_lists_only_photos_that_a_pair_names(tmp_path):
    assert set(read("lfw", write_lfw(tmp_path, GOOD), "verification").photos["subject"]) == {"Ann_A", "Bob_B"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann_A\t1\t9", r"line 2: names .*Ann_A_0009 .*, which does not exist"),
        ("Ann_A\t1", "line 2: must be `name i j`"),
        ("Ann_A\tone\t2", "line 2: must be `name i j`"),
        ("Ann_A\t1\tAnn_A\t2", "line 2: must be `name i j` or, of two people"),
        ("Ann_A\t1\t" + "9" * 5000, "line 2: must be `name i j`"),
        ("../Ann_A\t1\t2", r"line 2: .*is not the name of a folder"),
        ("..\t1\t2", "line 2: .*is not the name of a folder"),
    ],
)
def test_a_bad_lfw_pair_is_named_with_its_line(tmp_path, line, message):
    with pytest.raises(DataSetError, match=message):
        read("lfw", write_lfw(tmp_path, [GOOD[0], line, *GOOD[2:]]), "verification")


def test_lfw_blocks_that_do_not_add_up_are_told(tmp_path):
    with pytest.raises(DataSetError, match="3 pairs, 2 of them genuine; the first line announces 2 blocks of 1"):
        read("lfw", write_lfw(tmp_path, GOOD[:-1]), "verification")


def test_an_lfw_block_of_one_kind_is_told(tmp_path):
    lines = [GOOD[0], GOOD[1], "Ann_A\t2\t1", GOOD[2], GOOD[4]]
    with pytest.raises(DataSetError, match="2 of them genuine; the first line announces"):
        read("lfw", write_lfw(tmp_path, lines), "verification")


def test_an_lfw_first_line_that_announces_nothing_is_told(tmp_path):
    with pytest.raises(DataSetError, match="line 1: must be the number of blocks"):
        read("lfw", write_lfw(tmp_path, GOOD[1:]), "verification")


def test_lfw_without_its_pairs_is_told(tmp_path):
    with pytest.raises(DataSetError, match=r"pairs\.txt: no such file"):
        read("lfw", make_tree(tmp_path, "Ann_A/Ann_A_0001.jpg"), "verification")


def test_an_unknown_adapter_lists_the_known(tmp_path):
    known = ", ".join(sorted(ADAPTERS))
    with pytest.raises(DataSetError, match=rf"sets\.identity\.adapter must be one of {known}\. Got 'lwf'"):
        read("lwf", tmp_path)


def test_a_missing_folder_names_its_key(tmp_path):
    with pytest.raises(DataSetError, match=r"gone: no such folder\. Set sets\.expression\.folder"):
        read("yale", tmp_path / "gone", "expression")


@pytest.mark.parametrize("adapter", ["ck_plus_48", "folders", "jaffe", "oulu_casia", "yale"])
def test_an_empty_folder_is_told(tmp_path, adapter):
    with pytest.raises(DataSetError, match=f"no photo in the layout of `{adapter}`"):
        read(adapter, tmp_path)


def test_a_set_that_does_not_serve_its_role_is_told(tmp_path):
    make_tree(tmp_path, "0001/a.jpg")
    with pytest.raises(DataSetError, match="no verification pairs"):
        read("folders", tmp_path, "verification")
    with pytest.raises(DataSetError, match="no expressions"):
        read("folders", tmp_path, "expression")


def test_real_yale_is_164_photos_of_15_subjects(testdata):
    photos = read("yale", testdata / "real" / "yale", "expression").photos
    assert (len(photos), photos["subject"].nunique()) == (164, 15)
    assert photos["use"].value_counts().to_dict() == {"peak": 75, "train": 74, "neutral": 15}


def test_real_lfw_is_ten_blocks_of_sixty_pairs(testdata):
    data_set = read("lfw", testdata / "real" / "lfw", "verification")
    assert data_set.pairs["fold"].value_counts().to_dict() == dict.fromkeys(range(10), 60)
    assert len(data_set.photos) == 901


def yale_tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def mapped(tmp_path, expressions: dict):
    folder = yale_tree(
        tmp_path, *(f"subject0{name}" for name in ("1.happy", "1.normal", "1.wink", "2.sad", "2.glasses"))
    )
    source = SetParams(role="expression", adapter="yale", folder=str(folder), expressions=expressions)
    return read_data_set("yale", source, num_peak_frames=1).photos.set_index("photo")


def test_expressions_get_their_common_names_and_those_without_one_are_left_out(tmp_path):
    names = {"happiness": "joy", "neutral": "neutral", "sadness": "grief", "wink": None}
    photos = mapped(tmp_path, names)
    assert photos["expression"].to_dict() == {
        "subject01.happy": "joy",
        "subject01.normal": "neutral",
        "subject01.wink": "",
        "subject02.glasses": "",
        "subject02.sad": "grief",
    }
    assert photos["use"].to_dict()["subject01.wink"] == "unused"
    assert photos["use"].to_dict()["subject02.glasses"] == "train"


def test_an_expression_that_becomes_neutral_is_a_reference(tmp_path):
    names = {"happiness": "happiness", "neutral": "neutral", "sadness": "sadness", "wink": "neutral"}
    assert mapped(tmp_path, names).loc["subject01.wink", "use"] == "neutral"


def test_expressions_without_a_common_name_are_listed(tmp_path):
    with pytest.raises(DataSetError, match=r"sets\.yale\.expressions has no common name for sadness, wink\. Name each"):
        mapped(tmp_path, {"happiness": "happiness", "neutral": "neutral"})


def test_yale_says_who_wears_glasses(tmp_path):
    folder = yale_tree(tmp_path, "subject01.glasses", "subject01.noglasses", "subject01.happy")
    source = SetParams(role="expression", adapter="yale", folder=str(folder))
    photos = read_data_set("yale", source, num_peak_frames=1).photos.set_index("photo")
    assert photos["glasses"].to_dict() == {
        "subject01.glasses": "on", "subject01.happy": "", "subject01.noglasses": "off",
    }  # fmt: skip


def test_a_person_spread_over_folders_is_read_whole(make_tree):
    folder = make_tree("ann/1.jpg", "ann/001/2.jpg", "bob/1.jpg")
    source = SetParams(role="identity", adapter="folders", folder=str(folder))
    photos = read_data_set("people", source, num_peak_frames=1).photos
    assert photos["photo"].tolist() == ["ann/001/2.jpg", "ann/1.jpg", "bob/1.jpg"]
    assert photos["subject"].tolist() == ["ann", "ann", "bob"]


def test_a_person_s_folder_is_read_however_deep_and_whatever_it_is_called(make_tree):
    folder = make_tree("ann/2020/may/3/1.jpg", "__bob__/1.jpg", "__MACOSX/ann/1.jpg")
    (folder / "ann" / "again").symlink_to(folder / "ann")
    photos = read("folders", folder).photos
    assert photos["photo"].tolist() == ["__bob__/1.jpg", "ann/2020/may/3/1.jpg"]
    assert photos["subject"].tolist() == ["__bob__", "ann"]


JPEG = b"\xff\xd8\xff\xe0"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_a_picture_is_one_by_its_name_or_by_its_content(tmp_path):
    """A HEIC picture is listed, for alignment to say that it cannot be read."""
    make_tree(tmp_path, "ann/a.jfif", "ann/b.JPE", "ann/c.HEIC", "ann/notes", "ann/list.dat")
    (tmp_path / "ann/d").write_bytes(JPEG)
    (tmp_path / "ann/e.dat").write_bytes(HEIC)
    names = [photo.removeprefix("ann/") for photo in read("folders", tmp_path).photos["photo"]]
    assert names == ["a.jfif", "b.JPE", "c.HEIC", "d", "e.dat"]


@pytest.mark.parametrize("ending", ["", ".png", ".GIF", ".jpg", ".pgm", ".jfif", ".Tiff"])
def test_yale_is_read_whatever_its_photos_end_in(tmp_path, ending):
    make_tree(tmp_path, f"subject01.happy{ending}", "subject02.normal", "Readme.txt")
    photos = read("yale", tmp_path, "expression").photos
    assert photos["photo"].tolist() == [f"subject01.happy{ending}", "subject02.normal"]
    assert photos["expression"].tolist() == ["happiness", "neutral"]


def test_a_picture_of_another_name_is_told_in_yale_too(tmp_path):
    make_tree(tmp_path, "subject01.happy", "me.png")
    with pytest.raises(DataSetError, match=r"me\.png: must be named like subject01\.happy"):
        read("yale", tmp_path, "expression")


@pytest.mark.parametrize("ending", [".JPG", ".png", ".jpeg", ".jpg.png", ".jfif"])
def test_lfw_is_read_whatever_its_photos_end_in(tmp_path, ending):
    write_lfw(tmp_path, GOOD)
    (tmp_path / "Ann_A/Ann_A_0002.jpg").rename(tmp_path / f"Ann_A/Ann_A_0002{ending}")
    data_set = read("lfw", tmp_path, "verification")
    assert f"Ann_A/Ann_A_0002{ending}" in data_set.photos["photo"].tolist()
    assert data_set.pairs.loc[0, "photo_b"] == f"Ann_A/Ann_A_0002{ending}"


def test_two_photos_of_one_name_in_lfw_are_told(tmp_path):
    write_lfw(tmp_path, GOOD)
    make_tree(tmp_path, "Ann_A/Ann_A_0001.png")
    with pytest.raises(DataSetError, match=r"line 2: names Ann_A_0001, which could be .*jpg or .*png"):
        read("lfw", tmp_path, "verification")


def test_lfw_reads_a_name_in_another_form_of_unicode(tmp_path):
    """macOS decomposes names: `é` of pairs.txt is `e` and an accent on the disk."""
    composed, decomposed = "Jos\u00e9_A", "Jose\u0301_A"
    make_tree(tmp_path, *[f"{decomposed}/{decomposed}_{number:04d}.jpg" for number in (1, 2)], "Bob_B/Bob_B_0001.jpg")
    (tmp_path / "pairs.txt").write_text("2 1\n" + 2 * f"{composed}\t1\t2\n{composed}\t1\tBob_B\t1\n", encoding="utf-8")
    data_set = read("lfw", tmp_path, "verification")
    assert set(data_set.photos["photo"]) == {
        f"{decomposed}/{decomposed}_0001.jpg", f"{decomposed}/{decomposed}_0002.jpg", "Bob_B/Bob_B_0001.jpg",
    }  # fmt: skip


BOM = "\ufeff"
ODD_NAMES = [
    "a b.jpg",
    "a,b.jpg",
    'a"b.jpg',
    "a\u00a0b.jpg",
    "\u3042\u200d\u3044.jpg",
    "#1 %20.jpg",
    "-a.jpg",
    "a\\b.jpg",
    "NA",
    "b.zip/a.jpg",
    " a .jpg",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_a_file_system_takes_is_taken(tmp_path, name):
    """A folder's pictures, and those that a table names: all but control characters and line breaks."""
    make_tree(tmp_path, f"ann/{name}")
    (tmp_path / "ann" / name).write_bytes(JPEG)  # it may have no ending
    assert read("folders", tmp_path).photos["photo"].tolist() == [f"ann/{name}"]
    with (tmp_path / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["photo", "subject"], [f"ann/{name}", "ann"]])
    photos = read("csv_table", tmp_path).photos
    write_table(photos, tmp_path / "manifest.csv")
    assert read_table(tmp_path / "manifest.csv", MANIFEST)["photo"].tolist() == [f"ann/{name}"]


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\u2028b.jpg", "a\tb.jpg"])
def test_a_name_that_no_table_holds_is_told(tmp_path, name):
    make_tree(tmp_path, f"ann/{name}")
    with pytest.raises(DataSetError, match="is not UTF-8 text on one line"):
        read("folders", tmp_path)


def test_two_spellings_of_a_person_are_one_person(tmp_path):
    """On Linux, folders of both forms of Unicode may lie side by side."""
    make_tree(tmp_path, "Jos\u00e9/1.jpg", "Jose\u0301/2.jpg")
    photos = read("folders", tmp_path).photos
    assert set(photos["subject"]) == {"Jos\u00e9"}
    assert sorted(photos["photo"]) == sorted(["Jos\u00e9/1.jpg", "Jose\u0301/2.jpg"])


@pytest.mark.parametrize("written", ["./ann/1.jpg", "ann//1.jpg", "ann/./1.jpg", " ann/1.jpg "])
def test_a_table_may_write_a_path_in_other_ways(tmp_path, written):
    make_tree(tmp_path, "ann/1.jpg")
    (tmp_path / "faces.csv").write_text(f"{BOM}photo,subject \n{written},ann \n", encoding="utf-8")
    photos = read("csv_table", tmp_path).photos
    assert photos[["photo", "subject"]].to_numpy().tolist() == [["ann/1.jpg", "ann"]]


@pytest.mark.parametrize(("written", "on_disk"), [("Jos\u00e9", "Jose\u0301"), ("Jose\u0301", "Jos\u00e9")])
def test_a_table_may_write_a_path_in_another_form_of_unicode(tmp_path, written, on_disk):
    make_tree(tmp_path, f"{on_disk}/1.jpg")
    (tmp_path / "faces.csv").write_text(f"photo,subject\n{written}/1.jpg,{written}\n", encoding="utf-8")
    photos = read("csv_table", tmp_path).photos
    assert photos[["photo", "subject"]].to_numpy().tolist() == [[f"{on_disk}/1.jpg", "Jos\u00e9"]]


def test_pairs_txt_may_have_a_byte_order_mark_and_blanks_at_line_ends(tmp_path):
    write_lfw(tmp_path, GOOD)
    text = BOM + "".join(f"{line} \t\r\n" for line in GOOD)
    (tmp_path / "pairs.txt").write_text(text, encoding="utf-8", newline="")
    assert len(read("lfw", tmp_path, "verification").pairs) == 4


def test_a_text_file_in_utf_16_is_told_with_its_cure(tmp_path):
    write_lfw(tmp_path, GOOD)
    (tmp_path / "pairs.txt").write_text("\n".join(GOOD), encoding="utf-16")
    with pytest.raises(DataSetError, match=r"not a text file .*Save it as UTF-8"):
        read("lfw", tmp_path, "verification")
