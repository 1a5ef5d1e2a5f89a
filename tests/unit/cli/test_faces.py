"""The commands that use a model, as a user calls them; in this process, as torch takes seconds to import."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops.photos import read_photo
from dwmtl.network.model_card import DetectorCard, ModelCard, TaskCard, build_network
from dwmtl.network.model_file import save_model
from dwmtl.network.params import LinearHeadParams, NetworkParams

THRESHOLD = 1.0


@pytest.fixture
def ask(call_dwmtl, known):
    """Runs a command with the known model, on the CPU."""
    return lambda *arguments: call_dwmtl(*arguments, "--model", known.model, "--device", "cpu")


@pytest.fixture(scope="module")
def grey(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grey") / "grey.png"
    Image.new("RGB", (120, 100), "grey").save(path)
    return path


def test_analyze_tells_each_photo_and_face_in_a_line(ask, known, grey):
    code, out, err = ask("analyze", known.photo("happiness"), grey)
    assert (code, err) == (0, "")
    first, face, none = out.splitlines()
    assert first == f"{known.photo('happiness')}: 1 face"
    assert face.startswith("  happiness 100.0%, ")
    assert ", confidence 0.99" in face
    assert ", box " in face
    assert none == f"{grey}: no face found"


def test_analyze_marks_the_chosen_of_several_faces(ask, known, tmp_path):
    pictures = [read_photo(known.photo("happiness", person)) for person in ("P001", "P002")]
    Image.fromarray(np.concatenate(pictures, axis=1)).save(tmp_path / "two.png")
    code, out, _ = ask("analyze", tmp_path / "two.png")
    assert code == 0
    assert [line[0] for line in out.splitlines()[1:]].count("*") == 1
    _, out, _ = ask("analyze", tmp_path / "two.png", "--faces", "chosen", "--json")
    (answer,) = json.loads(out)
    assert (answer["num_faces"], len(answer["faces"])) == (2, 1)


def test_analyze_as_json_is_the_python_answer(ask, known, model):
    code, out, _ = ask("analyze", known.photo("surprise"), "--json", "--embeddings")
    assert code == 0
    assert json.loads(out) == [model.analyze(known.photo("surprise")).as_json()]
    _, out, _ = ask("analyze", known.photo("surprise"), "--json")
    assert "embedding" not in json.loads(out)[0]["faces"][0]


@pytest.fixture(scope="module")
def identities_alone(tmp_path_factory) -> Path:
    """A model as the stage `pretrain` leaves it: without the task of expressions."""
    folder: Path = tmp_path_factory.mktemp("pretrain") / "model"
    card = ModelCard(
        network=NetworkParams(bottleneck=8),
        crop_px=80,
        margin_px=10,
        detector=DetectorCard(min_face_px=40),
        tasks={"identity": TaskCard(head=LinearHeadParams(), classes=["a", "b"])},
        provenance={"made_by": "test"},
    )
    save_model(build_network(card), card, folder)
    return folder


def test_analyze_says_in_a_line_that_a_model_has_no_expressions(call_dwmtl, known, identities_alone):
    photos = known.photo("happiness"), known.photo("surprise")
    options = ("--model", identities_alone, "--device", "cpu")
    code, out, err = call_dwmtl("analyze", *photos, *options)
    assert (code, err) == (0, "")
    *faces, last = out.splitlines()
    assert last == f"{identities_alone} does not predict expressions (it has no such task). Use the model of a fold."
    assert not [line for line in faces if "does not" in line]
    assert len(json.loads(call_dwmtl("analyze", *photos, *options, "--json")[1])) == 2
    code, out, err = call_dwmtl("analyze", "none.jpg", *options)
    assert (code, out) == (1, "")


def test_analyze_says_nothing_of_expressions_that_a_model_has(ask, known):
    assert "does not predict" not in ask("analyze", known.photo("happiness"))[1]


def test_a_photo_that_cannot_be_read_is_told_and_the_others_answered(ask, known, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    code, out, err = ask("analyze", tmp_path / "text.jpg", tmp_path / "none.jpg", known.photo("neutral"), "--json")
    assert code == 1
    first, second, third = json.loads(out)
    assert "text.jpg: not a whole picture" in first["error"]
    assert "none.jpg: no such file" in second["error"]
    assert third["num_faces"] == 1
    assert [line.split(":")[0] for line in err.splitlines()] == ["error", "error"]


def test_answers_are_drawn_into_one_picture_or_a_folder(ask, known, tmp_path):
    photo = known.photo("happiness")
    assert ask("analyze", photo, "--annotate", tmp_path / "one.jpg")[0] == 0
    assert read_photo(tmp_path / "one.jpg").shape == read_photo(photo).shape
    shutil.copy(known.photo("surprise"), tmp_path / "b.jpeg")
    assert ask("analyze", photo, tmp_path / "b.jpeg", "--annotate", tmp_path / "drawn")[0] == 0
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["003.jpeg.png", "b.jpeg.png"]
    for name in ("one.jpg", "none_yet.png"):
        code, _, err = ask("analyze", photo, tmp_path / "b.jpeg", "--annotate", tmp_path / name)
        assert code == 1
        assert f"{name}: names a file, but there are 2 photos to draw. Name a folder." in err
    assert not (tmp_path / "none_yet.png").exists()
    code, _, err = ask("analyze", photo, known.photo("happiness", "P002"), "--annotate", tmp_path / "drawn")
    assert code == 1
    assert "two photos are named 003.jpeg" in err


@pytest.mark.parametrize("spelling", ["{}", "./{}", "link.jpg", "hard.jpg", "new/../{}"])
def test_a_photo_is_never_drawn_over(ask, known, tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    Path("new").mkdir()
    shutil.copy(known.photo("neutral"), "a.jpg")
    Path("link.jpg").symlink_to("a.jpg")
    Path("hard.jpg").hardlink_to("a.jpg")
    before = Path("a.jpg").read_bytes()
    code, out, err = ask("analyze", "a.jpg", "--annotate", spelling.format("a.jpg"))
    assert (code, out) == (1, "")
    assert "it is read (a.jpg), and would be written over. Name another file to write." in err
    assert Path("a.jpg").read_bytes() == before


def test_a_picture_of_one_photo_is_never_drawn_over_another(ask, known, tmp_path):
    for name in ("a", "a.png"):
        shutil.copy(known.photo("neutral"), tmp_path / name)
    before = (tmp_path / "a.png").read_bytes()
    code, _, err = ask("analyze", tmp_path / "a", tmp_path / "a.png", "--annotate", tmp_path)
    assert (code, err.count("\n")) == (1, 1)
    assert f"{tmp_path}/a.png: it is read" in err
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_folder_with_a_dot_in_its_name_is_a_folder(ask, known, tmp_path):
    (tmp_path / "out.d").mkdir()
    assert ask("analyze", known.photo("neutral"), "--annotate", tmp_path / "out.d")[0] == 0
    assert [path.name for path in (tmp_path / "out.d").iterdir()] == ["000.jpeg.png"]
    code, _, err = ask("analyze", known.photo("neutral"), "--annotate", tmp_path / "new.d")
    assert code == 1
    assert "new.d: the picture cannot be written" in err


def test_a_photo_comes_through_a_pipe_and_is_drawn(ask, known, tmp_path):
    for name in ("-", "/dev/stdin"):
        before = os.dup(0)
        photo = subprocess.Popen(["cat", known.photo("happiness")], stdout=subprocess.PIPE)
        os.dup2(photo.stdout.fileno(), 0)
        try:
            code, out, err = ask("analyze", name, "--annotate", tmp_path / "drawn.png")
        finally:
            os.dup2(before, 0)
            os.close(before)
            photo.communicate()
        assert (code, err) == (0, "")
        assert out.startswith("/dev/stdin: 1 face\n  happiness 100.0%")
        assert read_photo(tmp_path / "drawn.png").shape == read_photo(known.photo("happiness")).shape


def test_names_that_no_file_or_terminal_takes_are_told_and_the_others_answered(ask, known, tmp_path):
    odd = tmp_path / os.fsdecode(b"odd\xff.jpg")
    shutil.copy(known.photo("neutral"), odd)
    code, out, err = ask("analyze", "a" * 300, tmp_path, odd, known.photo("neutral"))
    assert code == 1
    assert out.count(": 1 face") == 2
    assert "odd\\udcff.jpg: 1 face" in out
    first, second = err.splitlines()
    assert first == f"error: {'a' * 300}: cannot be read (File name too long)."
    assert second == f"error: {tmp_path}: a folder, not a photo."


@pytest.mark.parametrize("clip", ["moving.gif", "moving.jpg", "moving"])
def test_an_animated_picture_must_pass_the_challenge(ask, known, tmp_path, clip):
    """By its first frame alone a smile would be accepted."""
    happy, neutral = (Image.open(known.photo(name)) for name in ("happiness", "neutral"))
    options = ("--reference", known.photo("neutral"), "--threshold", THRESHOLD)
    for frames, expected in (([happy, neutral], 3), ([neutral, happy], 0)):
        frames[0].save(tmp_path / clip, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
        code, out, _ = ask("authenticate", tmp_path / clip, *options)
        assert code == expected
        assert "(2 frames, 2 with a face)" in out


def test_a_clip_that_must_show_the_neutral_expression_is_one_line(ask, known, tmp_path):
    shutil.copy(known.photo("neutral"), tmp_path / "0.jpeg")
    options = ("--reference", known.photo("neutral"), "--threshold", THRESHOLD, "--expression", "neutral")
    code, _, err = ask("authenticate", tmp_path, *options)
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: a clip must change from neutral to another expression: happiness, surprise.")
    assert ask("authenticate", known.photo("neutral"), *options)[0] == 0


def test_verify_says_yes_with_0_and_no_with_3(ask, known):
    yes = ask("verify", known.photo("happiness"), known.photo("neutral"), "--threshold", THRESHOLD)
    no = ask("verify", known.photo("happiness", "P002"), known.photo("neutral"), "--threshold", THRESHOLD, "--json")
    assert yes[0] == 0
    assert yes[1].startswith("the same person: distance 0.000 < 1.000 (given by the caller)")
    assert no[0] == 3
    answer = json.loads(no[1])
    assert (answer["is_same"], answer["threshold"]) == (False, 1.0)


def test_verify_without_an_answer_ends_with_1(ask, known, grey):
    code, out, err = ask("verify", grey, known.photo("neutral"), "--threshold", THRESHOLD)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {grey}: no face found")
    code, _, err = ask("verify", known.photo("neutral"), known.photo("neutral"))
    assert code == 1
    assert err.startswith("error: no threshold is known for this model")
    assert "--threshold" in err
    assert "`dwmtl export-model`" in err


MISSING = (
    ("analyze", "gone.jpg", "gone.png"),
    ("verify", "a.jpg", "gone.jpg"),
    ("verify", "gone.jpg", "a.jpg"),
    ("verify", "a.jpg", "a.jpg", "--threshold", "gone.json"),
    ("authenticate", "gone", "--reference", "a.jpg"),
    ("authenticate", "a.jpg", "--reference", "gone.jpg"),
    ("align", "gone", "out"),
    ("embed", "model", "gone", "--out", "E.npz"),
    ("evaluate", "model", "--out", "R.json", "--pack", "gone.bin"),
    ("evaluate", "model", "--out", "R.json", "--folder", "gone", "--pairs", "a.jpg"),
    ("evaluate", "model", "--out", "R.json", "--folder", ".", "--pairs", "gone.txt"),
)


@pytest.mark.parametrize("arguments", MISSING, ids=" ".join)
def test_what_is_missing_is_told_before_weights_are_loaded(call_dwmtl, tmp_path, monkeypatch, arguments):
    """The model's weights are damaged, which any command that opens them would tell."""
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(b"\xff\xd8\xff")
    for folder in ("model", "data/models/fold_0"):
        Path(folder).mkdir(parents=True)
        for name in ("model.json", "model.safetensors"):
            (Path(folder) / name).write_text("damaged")
    before = set(Path().rglob("*"))
    code, out, err = call_dwmtl(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: gone")
    assert {"no such file" in line for line in err.splitlines()} == {True}
    assert set(Path().rglob("*")) == before


def test_a_missing_photo_is_told_without_torch(tmp_path):
    code = (
        "import atexit, sys\nfrom dwmtl.cli import main\natexit.register(lambda: print('torch' in sys.modules))\nmain()"
    )
    for arguments in (("verify", "gone.jpg", "b.jpg"), ("embed", ".", "gone", "--out", "E.npz"), ("analyze", "gone")):
        (tmp_path / "data/models/fold_0").mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "False\n"), done.stderr


def test_verify_takes_the_threshold_of_a_file(ask, known, tmp_path):
    path = known.write_threshold(tmp_path / "threshold.json")
    code, out, _ = ask("verify", known.photo("happiness"), known.photo("neutral"), "--threshold", path)
    assert code == 0
    assert f"(mean over 2 folds of 20 pairs, {path})" in out


def test_authenticate_asks_for_the_person_and_the_expression(ask, known):
    options = ("--reference", known.photo("neutral"), "--threshold", THRESHOLD)
    code, out, _ = ask("authenticate", known.photo("happiness"), *options)
    assert (code, out.split(":")[0]) == (0, "accepted")
    code, out, _ = ask("authenticate", known.photo("happiness"), *options, "--expression", "surprise")
    assert (code, out.split(":")[0]) == (3, "not accepted")
    assert "the same person, distance 0.000 < 1.000 (given by the caller); shows happiness, surprise 0.0%" in out
    code, _, err = ask("authenticate", known.photo("happiness"), *options, "--expression", "joy")
    assert code == 1
    assert "does not predict joy" in err


def test_authenticate_takes_a_clip(ask, known, tmp_path):
    for number, name in enumerate(("neutral", "surprise", "happiness")):
        (tmp_path / "clip").mkdir(exist_ok=True)
        shutil.copy(known.photo(name), tmp_path / f"clip/{number}.jpeg")
    options = ("--reference", known.photo("neutral"), "--threshold", THRESHOLD)
    code, out, _ = ask("authenticate", tmp_path / "clip", *options)
    assert code == 0
    assert out == "accepted: neutral at frame 0, happiness at frame 2 (3 frames, 3 with a face)\n"
    code, out, _ = ask("authenticate", tmp_path / "clip", *options, "--every", 3, "--json")
    assert code == 3
    assert json.loads(out)["reason"] == "neutral at frame 0, and no happiness after it"
    assert ask("authenticate", tmp_path / "clip", *options, "--min-frames", 2)[0] == 3


def test_without_a_model_the_cure_is_told(call_dwmtl, known, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = call_dwmtl("verify", known.photo("neutral"), known.photo("neutral"))
    assert code == 1
    assert err.startswith("error: data/models/fold_0: no such model here. Name one with --model, or run `make repro`")


def test_align_writes_crops_and_their_table(call_dwmtl, known, tmp_path, write_params):
    source, params = tmp_path / "photos", write_params()
    shutil.copytree(known.photos / "VL/Strong/P001/Happiness", source / "P001")
    code, out, _ = call_dwmtl("align", source, tmp_path / "crops", "--params", params, "--device", "cpu")
    assert (code, out) == (0, f"{tmp_path / 'crops'}: 4 aligned, 0 fallback, 0 unreadable\n")
    assert (tmp_path / "crops/photos/P001/000.jpeg.png").exists()
    code, _, err = call_dwmtl("align", source, tmp_path / "crops", "--params", params)
    assert code == 1
    assert "crops: it is there already, and not empty" in err


def test_align_crops_all_faces(call_dwmtl, known, tmp_path, write_params):
    source = tmp_path / "photos"
    source.mkdir()
    shutil.copy(known.photo("neutral"), source / "a.jpg")
    code, out, _ = call_dwmtl(
        "align", source, tmp_path / "crops", "--params", write_params(), "--device", "cpu", "--all-faces"
    )
    assert (code, out) == (0, f"{tmp_path / 'crops'}: 1 aligned, 0 fallback, 0 unreadable\n")
    assert (tmp_path / "crops/photos/a.jpg.0.png").exists()


@pytest.mark.parametrize(
    ("out", "line"),
    [
        ("file/out", "file/out: Not a directory. A file stands where a folder is meant"),
        ("file", "file: it is there already, and not empty"),
        ("x" * 300, "File name too long. Shorten the name."),
    ],
)
def test_a_place_that_no_folder_can_have_is_one_line(call_dwmtl, known, tmp_path, write_params, out, line):
    (tmp_path / "photos").mkdir()
    shutil.copy(known.photo("neutral"), tmp_path / "photos/a.jpg")
    (tmp_path / "file").touch()
    code, _, err = call_dwmtl(
        "align", tmp_path / "photos", tmp_path / out, "--params", write_params(), "--device", "cpu"
    )
    assert (code, err.count("\n")) == (1, 1)
    assert line in err


def test_align_tells_of_photos_that_cannot_be_read(call_dwmtl, tmp_path, write_params):
    source = tmp_path / "photos"
    source.mkdir()
    (source / "a.jpg").write_text("no picture")
    code, out, err = call_dwmtl("align", source, tmp_path / "crops", "--params", write_params(), "--device", "cpu")
    assert code == 1
    assert "0 aligned, 0 fallback, 1 unreadable" in out
    assert f"1 photos cannot be read; {tmp_path / 'crops/failures.csv'} lists them." in err


def test_a_command_line_that_cannot_be_read_ends_with_2(call_dwmtl):
    assert call_dwmtl("verify", "only_one.jpg")[0] == 2
    assert call_dwmtl("analyze", "a.jpg", "--faces", "some")[0] == 2


def test_embed_lists_what_has_no_face_or_cannot_be_read(call_dwmtl, known, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(known.photo("neutral"), folder / "a.jpeg")
    Image.new("RGB", (120, 100), "grey").save(folder / "grey.png")
    arguments = ("embed", known.model, folder, "--out", tmp_path / "E.npz", "--device", "cpu")
    code, printed, errors = call_dwmtl(*arguments)
    assert code == 0
    assert f"fallback: {folder}/grey.png: no face found" in errors
    assert printed == (
        f"{tmp_path}/E.npz: 2 embeddings; 1 without a face or unreadable, listed in {tmp_path}/E_failures.csv\n"
    )
    (folder / "junk.png").write_text("no picture")
    code, _, errors = call_dwmtl(*arguments)
    assert code == 1
    assert f"unreadable: {folder}/junk.png: not a whole picture" in errors
    assert np.load(tmp_path / "E.npz")["names"].tolist() == ["a", "grey"]
