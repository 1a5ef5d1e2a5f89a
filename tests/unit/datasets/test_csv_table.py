import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.csv_table import read as read_csv_table
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError
from dwmtl.tables import MANIFEST, USES


def read(folder, text: str | bytes, role: str = "identity"):
    (folder / "faces.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_data_set(
        role,
        SetParams(role=role, adapter="csv_table", folder=str(folder)),
        num_peak_frames=3,
    )


@pytest.fixture
def folder(make_tree):
    return make_tree("a.png", "b.png", "deep/er/c.png")


def test_photo_and_subject_are_enough(folder):
    photos = read(folder, "photo,subject\nb.png,007\ndeep/er/c.png,007\na.png,Zoë\n").photos
    assert photos.columns.tolist() == list(MANIFEST)
    assert photos["photo"].tolist() == ["a.png", "b.png", "deep/er/c.png"]
    assert photos["subject"].tolist() == ["Zoë", "007", "007"]
    assert set(photos["use"]) == {"train"}


def test_every_column_of_the_manifest_may_be_given(folder):
    text = "path,subject,sequence,frame,expression,use\na.png,x,s,2,Anger,peak\nb.png,x,s,0,,unused\n"
    photos = read(folder, text, "expression").photos
    assert photos.iloc[0].tolist() == ["a.png", "x", "s", 2, "anger", "peak"]
    assert photos.iloc[1].tolist() == ["b.png", "x", "s", 0, "", "unused"]


def test_a_use_that_is_not_given_follows_from_the_expression(folder):
    photos = read(folder, "photo,subject,expression,use\na.png,x,neutral,\nb.png,x,fear,\ndeep/er/c.png,x,,\n").photos
    assert photos["use"].tolist() == ["neutral", "peak", "train"]


def test_further_columns_are_kept_after_the_manifests(folder):
    photos = read(folder, "glasses,photo,age,subject\n1,a.png,30,x\n,b.png,,y\n").photos
    assert photos.columns.tolist() == [*MANIFEST, "glasses", "age"]
    assert photos[["glasses", "age"]].to_numpy().tolist() == [["1", "30"], ["", ""]]


def test_what_a_spreadsheet_adds_is_read_over(folder):
    assert read(folder, '\ufeffphoto,subject\r\n"a.png"," x "\r\n\r\n').photos["subject"].tolist() == ["x"]


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_that_are_not_separated_by_commas_are_told(folder, separator, name):
    with pytest.raises(DataSetError, match=rf"faces\.csv, line 1: its columns are separated by {name}\. Save it"):
        read(folder, f"photo{separator}subject\na.png{separator}x\n")


@pytest.mark.parametrize("subject", ["..", "../../etc", "a/b", "/x", "."])
def test_a_subject_is_a_name_and_no_path(folder, subject):
    assert read(folder, f"photo,subject\na.png,{subject}\n").photos["subject"].tolist() == [subject]


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", "..", "", "."])
def test_a_path_that_leaves_the_folder_is_named_with_its_line(folder, path):
    with pytest.raises(DataSetError, match=r"faces\.csv, line 3: .* is not a path below"):
        read(folder, f"photo,subject\na.png,x\n{path},x\n")


def test_an_escape_to_a_file_that_exists_is_refused(folder):
    inner = folder / "deep"
    with pytest.raises(DataSetError, match=r"line 2: '\.\./a\.png' is not a path below"):
        read(inner, "photo,subject\n../a.png,x\n")


@pytest.mark.parametrize("path", ["gone.png", "deep", "a.png/b.png"])
def test_a_photo_that_is_not_there_is_named_with_its_line(folder, path):
    with pytest.raises(DataSetError, match=rf"line 2: names .*{path}, which does not exist"):
        read(folder, f"photo,subject\n{path},x\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column photo among none"),
        ("photos,subject\n", "line 1: no column photo among 'photos', 'subject'"),
        ("photo,person\na.png,x\n", "line 1: no column subject among 'photo', 'person'"),
        ("photo,path,subject\n", "line 1: the column name 'photo' is empty, unprintable or repeated"),
        ("photo,subject,\n", "line 1: the column name '' is empty, unprintable or repeated"),
        ("photo,subject\na.png\n", "line 2: 1 cells; must be 2, as in the first line"),
        ("photo,subject\na.png,x,y\n", "line 2: 3 cells"),
        ('photo,subject\na.png,"x\ny"\n', "line 3: .* is not text on one line"),
        ('photo,subject\na.png,"x\n', "line 2: not CSV"),
        ("photo,subject\na.png,\x00\n", "line 2: .* is not text on one line"),
        ("photo,subject\na.png," + "x" * 200_000, "line 2: not CSV .*field larger"),
        (b"photo,subject\na.png,\xff\n", "not UTF-8 text"),
        ("photo,subject,frame\na.png,x,-1\n", "line 2: frame must be a whole number from 0. Got '-1'"),
        ("photo,subject,frame\na.png,x,1e9\n", "line 2: frame must be"),
        ("photo,subject,role\na.png,x,identity\n", "line 1: the column role is now named use, and its value identity"),
        ("photo,subject,use\na.png,x,boss\n", "line 2: use must be one of train, neutral, peak, unused"),
        ("photo,subject,use\na.png,x,peak\n", "line 2: use peak and expression '' do not agree"),
        ("photo,subject,expression,use\na.png,x,neutral,peak\n", "line 2: use peak and expression 'neutral' do not"),
        ("photo,subject,expression,use\na.png,x,fear,neutral\n", "line 2: use neutral and expression 'fear' do not"),
        ("photo,subject\na.png,x\nb.png,x\na.png,y\n", r"line 4: 'a\.png' is in line 2, too"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder, text, message):
    with pytest.raises(DataSetError, match=message):
        read(folder, text)


def test_a_folder_without_the_table_is_told(make_tree):
    with pytest.raises(DataSetError, match=r"faces\.csv: no such file"):
        read_data_set(
            "identity",
            SetParams(role="identity", adapter="csv_table", folder=str(make_tree("a.png"))),
            num_peak_frames=3,
        )


cell = st.sampled_from(["a.png", "b.png", "x", "", "neutral", "fear", "peak", "../a.png", "3"]) | st.text(max_size=5)
header = st.sampled_from(["photo,subject", "path,subject,expression,use,frame"])


@settings(deadline=None)
@given(header=header, rows=st.lists(st.lists(cell, min_size=2, max_size=5), max_size=4), tail=st.binary(max_size=8))
def test_any_table_is_read_or_refused(tmp_path_factory, header, rows, tail):
    folder = tmp_path_factory.mktemp("csv")
    (folder / "a.png").touch()
    text = "\n".join([header, *[",".join(row) for row in rows], ""])
    (folder / "faces.csv").write_bytes(text.encode(errors="replace") + tail)
    try:
        photos = read_csv_table(folder, num_peak_frames=3).photos
    except DataSetError:
        return
    assert set(photos["photo"]) <= {"a.png"}
    assert set(photos["use"]) <= set(USES)


@pytest.mark.parametrize("written", ["./ann/1.jpg", "ann//1.jpg", "ann/./1.jpg", " ann/1.jpg "])
def test_a_table_may_write_a_path_in_other_ways(make_tree, written):
    photos = read(make_tree("ann/1.jpg"), f"\ufeffphoto,subject \n{written},ann \n").photos
    assert photos[["photo", "subject"]].to_numpy().tolist() == [["ann/1.jpg", "ann"]]


@pytest.mark.parametrize(("written", "on_disk"), [("Jos\u00e9", "Jose\u0301"), ("Jose\u0301", "Jos\u00e9")])
def test_a_table_may_write_a_path_in_another_form_of_unicode(make_tree, written, on_disk):
    photos = read(make_tree(f"{on_disk}/1.jpg"), f"photo,subject\n{written}/1.jpg,{written}\n").photos
    assert photos[["photo", "subject"]].to_numpy().tolist() == [[f"{on_disk}/1.jpg", "Jos\u00e9"]]
