from dwmtl.datasets.passed_over import passed_over
from dwmtl.set_facts import PassedOver


def test_pictures_that_no_adapter_takes_are_counted_and_named(tmp_path):
    for name in ("a/1.jpg", "a/2.jpg", "b/1.HEIC", "b/2.heic", "b/c/d/3.heic", "top.png", "b/notes.txt", "list.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/unnamed").write_bytes(b"\xff\xd8\xff\xe0")
    found = passed_over(tmp_path, ["a/1.jpg", "a/2.jpg"])
    assert found == PassedOver(5, ["a/unnamed", "b/1.HEIC", "top.png"])
    assert str(found) == "5 (a/unnamed, b/1.HEIC, top.png, ...)"


def test_hidden_files_are_not_counted_and_a_link_to_a_folder_above_ends(tmp_path):
    for name in ("a/1.jpg", "a/.1.jpg", ".thumbs/1.jpg", "__MACOSX/a/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/up").symlink_to(tmp_path)
    assert passed_over(tmp_path, ["a/1.jpg"]) == PassedOver()


def test_what_a_pack_holds_is_no_file_that_is_passed_over(tmp_path):
    (tmp_path / "train.rec").write_bytes(b"\x0a\x23\xd7\xce")
    assert passed_over(tmp_path, ["1", "2"]) == PassedOver()
