"""The command line, run as a user does: `dwmtl ...` in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dwmtl.network.model_card import ModelCard, TaskCard, build_network
from dwmtl.network.model_file import load_model, save_model
from dwmtl.params import load_params


@pytest.fixture(scope="module")
def facenet(tmp_path_factory):
    """A `.pt` file of facenet-pytorch's network with three identities."""
    from facenet_pytorch import InceptionResnetV1

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("facenet") / "weights.pt"
    torch.save(InceptionResnetV1(classify=True, num_classes=3).state_dict(), path)
    return path


def test_help_names_every_command(dwmtl):
    done = dwmtl("--help")
    assert done.returncode == 0
    used = ("analyze", "verify", "authenticate", "align", "embed", "demo", "export-onnx")
    for command in (
        *used,
        "import-checkpoint",
        "export-checkpoint",
        "import-folds",
        "export-labels",
        "export-pairs",
        "extract",
        "score-pairs",
        "evaluate",
        "evaluate-ijb",
    ):
        assert command in done.stdout


@pytest.mark.slow
def test_weights_of_facenet_pytorch_go_in_and_come_out_again(dwmtl, facenet, tmp_path):
    classes = tmp_path / "classes.json"
    classes.write_text(json.dumps({"identity": ["Ann", "Bob", "Cyd"]}))
    done = dwmtl("import-checkpoint", facenet, "--out", tmp_path / "model", "--classes", classes, "--crop-px", 112)
    assert done.returncode == 0, done.stderr
    assert "identity (3 classes)" in done.stdout
    for line in ("network.trunk: inception_resnet_v1", "network.bottleneck: 512", "network.standardization: fixed"):
        assert f"  {line}\n" in done.stdout
    assert "  align.crop_px: 112\n  align.crop_form: margin_in_crop\n  align.margin_px: 14\n" in done.stdout
    _, card = load_model(tmp_path / "model")
    assert card.classes("identity") == ["Ann", "Bob", "Cyd"]
    assert card.weights_sha256 in done.stdout
    assert list(card.provenance["files"]) == ["weights.pt"]
    done = dwmtl("export-checkpoint", tmp_path / "model", "--out", tmp_path / "again.pt")
    assert done.returncode == 0, done.stderr
    before, after = (torch.load(path, weights_only=True) for path in (facenet, tmp_path / "again.pt"))
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_folder_that_is_there_is_not_written_over(dwmtl, facenet, tmp_path):
    (tmp_path / "precious").write_text("work of weeks")
    done = dwmtl("import-checkpoint", facenet, "--out", tmp_path)
    assert done.returncode == 1
    assert f"error: {tmp_path}: it is there already, and not empty" in done.stderr
    assert (tmp_path / "precious").exists()


def test_a_source_that_is_not_there_is_one_line_of_error(dwmtl, tmp_path):
    done = dwmtl("import-checkpoint", tmp_path / "nothing.pt", "--out", tmp_path / "model")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: {tmp_path}/nothing.pt: no such file."
    assert not (tmp_path / "model").exists()


def test_class_names_that_are_no_json_are_told(dwmtl, facenet, tmp_path):
    (tmp_path / "classes.json").write_text("[")
    done = dwmtl("import-checkpoint", facenet, "--out", tmp_path / "m", "--classes", tmp_path / "classes.json")
    assert "classes.json: no JSON file that can be read" in done.stderr


@pytest.mark.parametrize("crop_px", ["60", "112x", "112x96x3", "-112", "wide"])
def test_a_size_of_crops_that_is_none_is_told(dwmtl, facenet, tmp_path, crop_px):
    done = dwmtl("import-checkpoint", facenet, "--out", tmp_path / "model", "--crop-px", crop_px)
    assert done.returncode == 1
    assert f"--crop-px must be pixels >= 80, such as 112 or 112x96. Got {crop_px} instead." in done.stderr


def test_facelivenet_is_not_exported(dwmtl, tmp_path):
    params = load_params()
    tasks = {"identity": TaskCard(head=params.tasks["identity"].head, classes=["a", "b"])}
    card = ModelCard(network=params.network, crop_px=80, margin_px=10, tasks=tasks, provenance={})
    save_model(build_network(card), card, tmp_path / "model")
    done = dwmtl("export-checkpoint", tmp_path / "model", "--out", tmp_path / "w.pt")
    assert done.returncode == 1
    assert "its trunk is facelivenet, which was published in TensorFlow's form" in done.stderr
    assert not (tmp_path / "w.pt").exists()


def test_split_is_printed_as_lines_of_the_params(dwmtl, tmp_path):
    (tmp_path / "folds.csv").write_text("subject,fold\nP018,4\n007,4\n")
    done = dwmtl("import-folds", tmp_path / "folds.csv", "--num-folds", 10)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'labels:\n  num_folds: 10\n  folds:\n    4: ["007", "P018"]\n'


def test_split_with_a_subject_that_the_set_lacks_is_one_line_of_error(dwmtl, tmp_path):
    (tmp_path / "theirs.csv").write_text("subject,fold\nP018,0\nP019,1\n")
    (tmp_path / "folds.csv").write_text("subject,fold\nP018,0\n")
    done = dwmtl("import-folds", tmp_path / "theirs.csv", "--subjects", tmp_path / "folds.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {tmp_path}/theirs.csv, line 3: subject P019 is not in the expression set.")


def test_split_that_cannot_be_read_is_one_line_of_error(dwmtl, tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe")
    for name in ("missing.csv", "binary.csv"):
        done = dwmtl("import-folds", tmp_path / name)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {tmp_path / name}: no text file that can be read (")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Embeddings and the pairs to score them on; the options of `score-pairs` but for `--out`."""
    folder = tmp_path_factory.mktemp("scored")
    names = [f"{person}_000{number}" for person in ("A_a", "B_b") for number in (1, 2)]
    embeddings = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.savez(folder / "e.npz", names=np.array(names), embeddings=embeddings)
    (folder / "pairs.txt").write_text("2\t1\nA_a\t1\t2\nA_a\t1\tB_b\t1\nB_b\t1\t2\nA_a\t2\tB_b\t2\n")
    return folder, ("score-pairs", "--embeddings", folder / "e.npz", "--pairs", folder / "pairs.txt")


def test_scores_go_where_a_link_leads_and_through_a_device(dwmtl, scored, tmp_path):
    (tmp_path / "link.json").symlink_to("real.json")
    for out in (tmp_path / "link.json", "/dev/null"):
        assert dwmtl(*scored[1], "--out", out).returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["num_pairs"] == 4
    assert Path("/dev/null").is_char_device()
    assert '"num_pairs": 4' in dwmtl(*scored[1], "--out", "/dev/stdout").stdout


@pytest.mark.parametrize(
    ("out", "line"),
    [
        (
            "{}/pairs.txt",
            "pairs.txt: it is read ({}/pairs.txt), and would be written over. Name another file to write.",
        ),
        ("{}/../{name}/e.npz", "e.npz: it is read ({}/e.npz), and would be written over. Name another file to write."),
        ("/dev/full", "/dev/full: No space left on device. Make room on the disk, or take another."),
        ("{}", "{}: a folder. Name a file to write."),
        ("{}/e.npz/x", "{}/e.npz/x: Not a directory. A file stands where a folder is meant; name another place."),
    ],
)
def test_an_output_that_cannot_be_is_one_line(dwmtl, scored, out, line):
    folder, command = scored
    done = dwmtl(*command, "--out", out.format(folder, name=folder.name))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.strip().endswith(line.format(folder))
    assert {path.name for path in folder.iterdir()} == {"e.npz", "pairs.txt"}


INPUTS = (
    "labels.csv",
    "model/model.json",
    "model/model.safetensors",
    "crops/a.jpg",
    "crops/a_failures.csv",
    "pairs.txt",
)


@pytest.mark.parametrize(
    "command",
    [
        "export-labels labels.csv labels.csv",
        "export-labels labels.csv link/../labels.csv --form ck-plus",
        "export-pairs labels.csv hard.csv",
        "embed model crops --out model/model.safetensors",
        "embed model crops --out crops/a.jpg",
        "embed model crops --out link/a.npz --aligned",
        "evaluate model --folder crops --pairs pairs.txt --out crops/a.jpg",
        "evaluate model --folder link --pairs pairs.txt --out model/model.json",
        "evaluate model --folder crops --pairs pairs.txt --out pairs.txt",
    ],
)
def test_what_a_command_reads_is_never_written_over(dwmtl, tmp_path, command):
    """Told before the model is loaded: its files are damaged."""
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    (tmp_path / "hard.csv").hardlink_to(tmp_path / "labels.csv")
    (tmp_path / "link").symlink_to("crops")
    (tmp_path / "crops/a_failures.csv").unlink()
    (tmp_path / "crops/a_failures.csv").hardlink_to(tmp_path / "crops/a.jpg")
    done = dwmtl(*command.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert ": it is read (" in done.stderr
    assert {(tmp_path / name).read_bytes() for name in INPUTS} == {b"\xff\xd8\xff"}


@pytest.mark.parametrize("command", ["export-onnx", "export-checkpoint"])
def test_a_models_own_file_is_no_output(dwmtl, tmp_path, command):
    params = load_params()
    tasks = {"identity": TaskCard(head=params.tasks["identity"].head, classes=["a", "b"])}
    card = ModelCard(network=params.network, crop_px=80, margin_px=10, tasks=tasks, provenance={})
    save_model(build_network(card), card, tmp_path / "model")
    before = (tmp_path / "model/model.safetensors").read_bytes()
    out = tmp_path / "model/model.safetensors"
    done = dwmtl(command, tmp_path / "model", *(("--out", out) if command == "export-checkpoint" else (out,)))
    assert done.returncode == 1
    assert "model.safetensors: it is read" in done.stderr
    assert (tmp_path / "model/model.safetensors").read_bytes() == before


def test_a_command_ends_without_a_search_for_garbage():
    program = """
import atexit, gc, sys
from dwmtl.cli import main
atexit.register(lambda: print(gc.get_freeze_count() > 1000))  # after the command's own
sys.argv = ["dwmtl", "--version"]
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("True\n")
