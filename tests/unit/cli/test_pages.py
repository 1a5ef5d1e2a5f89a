"""The pages on commands and files are true: what they call is run where the files that they name lie."""

import base64
import re
import shlex
import shutil
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from dwmtl.datasets.packs.bin_pack import write_bin_pack
from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.model_file import save_model
from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import LinearHeadParams, NetworkParams
from dwmtl.network.published import published_names

REPOSITORY = Path(__file__).resolve().parents[3]
PEOPLE = {"P001": "Ann_A", "P002": "Bob_B"}
PAIRS = [("Ann_A", 1, "Ann_A", 2), ("Ann_A", 1, "Bob_B", 1), ("Bob_B", 2, "Bob_B", 3), ("Ann_A", 3, "Bob_B", 3)]


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(page: str, program: str = "dwmtl") -> list[str]:
    """The page's lines of bash that call a program."""
    lines = "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(program)]


def pictures(known) -> dict[str, bytes]:
    """Photos by names such as `Ann_A_0001`."""
    return {
        f"{name}_{number:04d}": known.photo(expression, person).read_bytes()
        for person, name in PEOPLE.items()
        for number, expression in enumerate(("neutral", "happiness", "surprise"), start=1)
    }


def for_evaluation(known, folder: Path) -> None:
    """A model, LFW's layout with two blocks of pairs, and a pack of ten."""
    shutil.copytree(known.model, folder / "data/models/fold_0")
    named = pictures(known)
    for name, picture in named.items():
        path = folder / "lfw_aligned" / name[:-5] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    lines = [f"{a}\t{i}\t{j}" if a == b else f"{a}\t{i}\t{b}\t{j}" for a, i, b, j in PAIRS]
    (folder / "pairs.txt").write_text("\n".join(["2\t1", *lines]) + "\n")
    two = [named[f"{name}_{number:04d}"] for a, i, b, j in PAIRS[:2] for name, number in ((a, i), (b, j))]
    write_bin_pack(folder / "lfw.bin", 10 * two, 10 * [True, False])


def for_templates(known, folder: Path) -> None:
    """A template of each photo in the layout of IJB-C; the landmarks are where a face in the middle would have them."""
    (folder / "IJBC/meta").mkdir(parents=True)
    (folder / "IJBC/loose_crop").mkdir()
    photos = list(pictures(known).items())
    for number, (_, picture) in enumerate(photos):
        (folder / f"IJBC/loose_crop/{number}.jpg").write_bytes(picture)
    points = "70 80 110 80 90 105 75 130 105 130 0.9"
    lines = {
        "face_tid_mid": [f"{number}.jpg {number} {number}" for number in range(len(photos))],
        "name_5pts_score": [f"{number}.jpg {points}" for number in range(len(photos))],
        "template_pair_label": [
            f"{a} {b} {int(photos[a][0][:3] == photos[b][0][:3])}" for a, b in combinations(range(len(photos)), 2)
        ],
    }
    for name, rows in lines.items():
        (folder / f"IJBC/meta/ijbc_{name}.txt").write_text("\n".join(rows) + "\n")


def for_score_pairs(known, folder: Path) -> None:
    """Embeddings of those photos that somebody else made."""
    for_evaluation(known, folder)
    for_templates(known, folder)
    names = list(pictures(known))
    np.savez(folder / "E.npz", names=names, embeddings=np.random.default_rng(0).normal(size=(len(names), 8)))


def backbone(trunk: str) -> dict[str, torch.Tensor]:
    """Initial weights of a network under the names of its project."""
    linear = LinearHeadParams(name="linear")
    network = FaceNetwork(NetworkParams(trunk=trunk), {"identity": linear}, {"identity": 2})
    ours = network.state_dict()
    return {theirs: ours[name] for name, theirs in published_names(network, trunk).items()}


def for_starting_points(known, folder: Path) -> None:
    """Files of the projects with initial weights, an imported model, and what `embed` and `score-pairs` read."""
    from facenet_pytorch import InceptionResnetV1

    for_score_pairs(known, folder)
    torch.manual_seed(0)
    torch.save(InceptionResnetV1(classify=True, num_classes=3).state_dict(), folder / "weights.pt")
    (folder / "checkpoints").mkdir()
    shutil.copy(folder / "weights.pt", folder / "checkpoints/20180402-114759-vggface2.pt")
    torch.save(backbone("mbf"), folder / "backbone.pth")
    save_file(timm.create_model("resnet18", pretrained=False).state_dict(), folder / "model.safetensors")
    imported = import_checkpoint(str(folder / "backbone.pth"))
    shutil.rmtree(folder / "data/models/fold_0")
    for name in ("fold_0", "mobilefacenet"):
        (folder / "data/models" / name).mkdir()
        save_model(imported.network, imported.card, folder / "data/models" / name)
    shutil.copy(REPOSITORY / "params.yaml", folder)
    (folder / "photos").mkdir()
    for name, picture in pictures(known).items():
        (folder / "photos" / f"{name}.jpg").write_bytes(picture)


def for_folds(known, folder: Path) -> None:
    """The run's own split, and another."""
    (folder / "data/labels").mkdir(parents=True)
    for path in ("data/labels/folds.csv", "their_folds.csv"):
        (folder / path).write_text("subject,fold\nP001,0\nP002,1\n")


# Addresses are tested with a server on 127.0.0.1 (`test_download.py`).
COMMANDS = [
    *((for_score_pairs, line) for line in commands("evaluation.md")),
    *((for_starting_points, line) for line in commands("starting_points.md") if not re.search("https:|someone/", line)),
    *((for_folds, line) for line in commands("your_data.md")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "line"), COMMANDS, ids=lambda value: value[:60] if isinstance(value, str) else "")
def test_a_command_of_a_page_runs(prepare: Callable, line: str, known, tmp_path, call_dwmtl, monkeypatch, request):
    prepare(known, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    _, *arguments = shlex.split(line, comments=True)
    if checkpoint := re.search(r"path/to/(\S+)", line):
        place_checkpoint(request.getfixturevalue("testdata"), tmp_path / checkpoint[0])
    assert call_dwmtl(*arguments)[0] == 0, line
    for option, value in pairwise(arguments):
        assert option != "--out" or (tmp_path / value).exists()


def place_checkpoint(testdata: Path, path: Path) -> None:
    """The authors' form of checkpoint, small or large, under the name that the page gives it."""
    pytest.importorskip("tensorflow")
    path.parent.mkdir(parents=True)
    for file in (testdata / "golden").glob("facelivenet.ckpt.*"):
        shutil.copyfile(file, path.parent / file.name.replace("facelivenet.ckpt", path.name))


def test_the_blocks_of_the_page_on_packs_run(known, tmp_path, call_dwmtl, monkeypatch):
    ann, other, bob = [known.photo("neutral").read_bytes(), *(known.photo("happiness", p).read_bytes() for p in PEOPLE)]
    write_record_pack(tmp_path / "webface_pack", [(0, ann), (1, bob)], height_px=112, width_px=112)
    for_evaluation(known, tmp_path)
    columns = [b"m.015t56", b"56", b"url", b"url", b"FaceId-0", b"rectangle", base64.b64encode(ann)]
    (tmp_path / "FaceImageCroppedWithAlignment.tsv").write_bytes(b"\t".join(columns) + b"\n")
    (tmp_path / "clean_list.txt").write_text("m.015t56/56-FaceId-0.jpg 12\n")
    monkeypatch.chdir(tmp_path)
    pack = {"folder": Path("webface_pack"), "new_folder": Path("new")}
    pictures = {"jpeg_a": ann, "jpeg_b": other, "jpeg_c": bob, "pictures": [ann, other], "is_same": [True]}
    for block in blocks("packs.md", "python"):
        exec(block, pack | pictures)
    for line in commands("packs.md"):
        _, *arguments = shlex.split(line, comments=True)
        assert call_dwmtl(*arguments)[0] == 0, line
    extracted = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")}
    assert {"webface/0000001/000000002.jpg", "celeb/12/m.015t56-56-FaceId-0.jpg"} <= extracted
    assert "lfw_pack/lfw/000/000000_a.jpg" in extracted
