"""`dwmtl evaluate`, against its twin: the pictures embedded one by one, and the embeddings scored as anybody's."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.datasets.packs.bin_pack import read_bin_pack, write_bin_pack
from dwmtl.errors import DataSetError, ModelFileError, ProtocolError, UnreadablePhotoError
from dwmtl.evaluation.score_model import ModelScoring, score_folder, score_pack
from dwmtl.evaluation.score_pairs import score_pairs
from dwmtl.network.model_card import ModelCard, TaskCard, build_network
from dwmtl.network.model_file import load_model, save_model
from dwmtl.params import load_params
from dwmtl.results import read_result
from dwmtl.scores.pair_scores import PairScores

REPOSITORY = Path(__file__).resolve().parents[3]
CROP_PX = 80
PEOPLE = ["Ann_A", "Bob_B", "Cyd_C"]
NAMES = [f"{person}_{number:04d}" for person in PEOPLE for number in (1, 2)]
LINES = [  # ten blocks of a genuine and an impostor pair
    line
    for block in range(10)
    for line in (
        f"{PEOPLE[block % 3]}\t1\t2",
        f"{PEOPLE[block % 3]}\t{1 + block % 2}\t{PEOPLE[(block + 1) % 3]}\t{1 + block // 2 % 2}",
    )
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model's folder, with initial weights."""
    params = load_params(REPOSITORY / "params.yaml")
    tasks = {"identity": TaskCard(head=params.tasks["identity"].head, classes=["a", "b"])}
    card = ModelCard(network=params.network, crop_px=CROP_PX, margin_px=10, tasks=tasks, provenance={})
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    save_model(build_network(card), card, folder)
    return folder


def picture(name: str, kind: str = "PNG") -> bytes:
    """Noise of the image, on that of the person; of a size that depends on the image."""
    person = np.random.default_rng(PEOPLE.index(name[:5])).integers(0, 256, (4, 4, 3))
    image = np.random.default_rng(NAMES.index(name)).integers(-160, 160, (4, 4, 3))
    drawn = Image.fromarray(np.clip(person + image, 0, 255).astype(np.uint8))
    data = io.BytesIO()
    drawn.resize((CROP_PX, CROP_PX + 10 * (NAMES.index(name) % 2))).save(data, kind)
    return data.getvalue()


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    """A folder with `crops/`, `pairs.txt` and, of the same pairs, `six.bin`."""
    folder = tmp_path_factory.mktemp("faces")
    for name in NAMES:
        kind = "png" if name.endswith("1") else "jpg"
        path = folder / "crops" / name[:5] / f"{name}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(name))  # a picture is what its bytes say
    (folder / "pairs.txt").write_text("\n".join(["10\t1", *LINES]) + "\n")
    images, is_same = [], []
    for line in LINES:
        fields = line.split()
        other = fields[2:] if len(fields) == 4 else [fields[0], fields[2]]
        images += [picture(f"{fields[0]}_{int(fields[1]):04d}"), picture(f"{other[0]}_{int(other[1]):04d}")]
        is_same.append(len(fields) == 3)
    write_bin_pack(folder / "six.bin", images, is_same)
    return folder


@pytest.fixture(scope="module")
def twin(model, tmp_path_factory) -> Path:
    """`E.npz` of the six pictures, each embedded alone."""
    network, _ = load_model(model)
    sides = {"embeddings": [], "embeddings_flipped": []}
    for name in NAMES:
        crop = Image.open(io.BytesIO(picture(name))).resize((CROP_PX, CROP_PX), Image.Resampling.BILINEAR)
        inputs = network.standardize(torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None])
        with torch.inference_mode():
            sides["embeddings"].append(network(inputs).embedding[0].numpy())
            sides["embeddings_flipped"].append(network(inputs.flip(-1)).embedding[0].numpy())
    path = tmp_path_factory.mktemp("twin") / "E.npz"
    np.savez(path, names=NAMES, **{key: np.stack(rows) for key, rows in sides.items()})
    return path


def assert_same_scores(ours: PairScores, theirs: PairScores) -> None:
    ours, theirs = asdict(ours), asdict(theirs)
    assert set(ours) == set(theirs)
    for key in ("num_pairs", "num_folds", "num_images", "num_wrong_pairs"):
        assert ours[key] == theirs[key], key
    for key in ("accuracy_per_fold", "threshold_per_fold", "accuracy_mean", "accuracy_std", "auc", "eer"):
        assert ours[key] == pytest.approx(theirs[key], abs=1e-6), key
    for key in ("val_at_far", "tar_at_far"):
        for a, b in zip(ours[key], theirs[key], strict=True):
            assert a == pytest.approx(b, abs=1e-6), key


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"flip": "sum"},
        {"distance": "cosine", "flip": "concatenate", "subtract_mean": True, "far_targets": [0.1, 0.3]},
    ],
    ids=["plain", "sum", "cosine-concatenate-mean"],
)
def test_both_forms_equal_the_embeddings_scored_as_anybodys(model, faces, twin, setting):
    theirs = score_pairs(twin, faces / "pairs.txt", **setting)
    scoring = ModelScoring(**setting)
    ours = score_folder(model, faces / "crops", faces / "pairs.txt", scoring)
    assert_same_scores(ours, theirs)
    assert sorted(row[:3] for row in ours.wrong_pairs) == sorted(row[:3] for row in theirs.wrong_pairs)
    assert_same_scores(score_pack(model, faces / "six.bin", scoring), theirs)


def test_crops_are_found_as_dwmtl_align_names_them(model, faces, tmp_path):
    for name in NAMES:
        path = tmp_path / name[:5] / f"{name}.jpg.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(name))
    theirs = score_folder(model, faces / "crops", faces / "pairs.txt", ModelScoring())
    assert_same_scores(score_folder(model, tmp_path, faces / "pairs.txt", ModelScoring()), theirs)


def test_forty_pictures_of_a_pack_are_six_images_named_by_their_first_place(model, faces):
    result = score_pack(model, faces / "six.bin", ModelScoring())
    assert result.intervals is None  # a pack does not say who is on a picture
    assert (result.num_pairs, result.num_images) == (20, 6)
    places = [f"six/{pair:06d}_{side}" for pair in range(20) for side in "ab"]
    pictures = read_bin_pack(faces / "six.bin").pictures
    named = {name for row in result.wrong_pairs for name in row[:2]}
    assert named
    assert named <= {places[pictures.index(image)] for image in pictures}  # index: the first place


def test_the_size_of_a_batch_does_not_matter(model, faces):
    results = [score_pack(model, faces / "six.bin", ModelScoring(batch_size=size)) for size in (1, 4, 64)]
    assert_same_scores(results[0], results[1])
    assert_same_scores(results[0], results[2])


def test_the_command_scores_a_pack_and_says_what_it_did(dwmtl, model, faces, tmp_path):
    out = tmp_path / "results/R.json"
    arguments = ["--flip", "sum", "--distance", "cosine", "--subtract-mean", "--far-target", 0.2, "--batch-size", 4]
    done = dwmtl("evaluate", model, "--pack", faces / "six.bin", *arguments, "--accelerator", "cpu", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(out.read_text())
    assert done.stdout.startswith(f"accuracy {result['accuracy_mean']:.4f}")
    settings = {key: value for key, value in result["settings"].items() if not key.endswith("grid")}
    assert settings == {
        "model": model.name,
        "model_sha256": load_model(model)[1].weights_sha256,
        "crop_px": CROP_PX,
        "precision": "32-true",
        "pack": "six.bin",
        "distance": "cosine",
        "normalized": True,
        "flip": "sum",
        "subtract_mean": True,
        "far_targets": [0.2],
    }


def test_the_command_scores_a_folder_with_the_usual_settings(dwmtl, model, faces, tmp_path):
    arguments = ["--folder", faces / "crops", "--pairs", faces / "pairs.txt", "--out", tmp_path / "R.json"]
    done = dwmtl("evaluate", model, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    result = read_result(PairScores, tmp_path / "R.json")
    assert (result.settings["folder"], result.settings["pairs"]) == ("crops", "pairs.txt")
    assert_same_scores(result, score_folder(model, faces / "crops", faces / "pairs.txt", ModelScoring()))


@pytest.mark.parametrize(
    "arguments",
    [[], ["--pack", "a.bin", "--folder", "b", "--pairs", "c"], ["--folder", "b"], ["--pack", "a.bin", "--pairs", "c"]],
    ids=["nothing", "both", "no-pairs", "pack-with-pairs"],
)
def test_a_set_is_named_in_one_way(dwmtl, arguments, tmp_path):
    done = dwmtl("evaluate", "model", *arguments, "--out", tmp_path / "R.json")
    assert done.returncode == 1
    assert done.stderr == "error: give either --pack lfw.bin, or --folder DIR and --pairs pairs.txt.\n"


def test_an_error_of_the_input_is_one_line_and_nothing_is_written(dwmtl, model, tmp_path):
    done = dwmtl("evaluate", model, "--pack", tmp_path / "gone.bin", "--out", tmp_path / "R.json")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}/gone.bin: no such file or folder. Name one that is there.\n"
    assert not (tmp_path / "R.json").exists()


def test_a_model_that_is_not_there_is_told(faces, tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.json: no such file"):
        score_pack(tmp_path, faces / "six.bin", ModelScoring())


def test_a_picture_of_a_pack_that_cannot_be_decoded_is_named(model, tmp_path):
    images = [picture(NAMES[0]), picture(NAMES[1])] * 10
    images[5] = b"\x89PNG\r\n\x1a\n and no more"
    write_bin_pack(tmp_path / "bad.bin", images, [True, False] * 5)
    with pytest.raises(UnreadablePhotoError, match=r"bad\.bin, picture 5: not a whole picture"):
        score_pack(model, tmp_path / "bad.bin", ModelScoring())


def test_a_pack_too_small_for_its_folds_is_told(model, tmp_path):
    write_bin_pack(tmp_path / "small.bin", [picture(NAMES[0])] * 4, [True, False])
    with pytest.raises(DataSetError, match="2 pairs are too few for 10 folds"):
        score_pack(model, tmp_path / "small.bin", ModelScoring())


def test_a_pack_with_a_fold_of_one_kind_is_told(model, tmp_path):
    write_bin_pack(tmp_path / "kinds.bin", [picture(NAMES[0]), picture(NAMES[1])] * 20, [True] * 10 + [False] * 10)
    with pytest.raises(ProtocolError, match="fold 0 of the pairs holds genuine or impostor pairs only"):
        score_pack(model, tmp_path / "kinds.bin", ModelScoring())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "Dan_D\t1\t2",
            r"pairs\.txt, line 2: names .*Dan_D/Dan_D_0001 .*, which does not exist.* complete the set",
        ),
        ("..\t1\t2", r"line 2: '\.\.' is not the name of a folder"),
        ("a/b\t1\t2", r"line 2: 'a/b' is not the name of a folder"),
    ],
)
def test_a_pair_without_its_pictures_is_told(model, faces, tmp_path, line, message):
    (tmp_path / "pairs.txt").write_text("\n".join(["10\t1", line, *LINES[1:]]) + "\n")
    with pytest.raises(DataSetError, match=message):
        score_folder(model, faces / "crops", tmp_path / "pairs.txt", ModelScoring())


def test_a_folder_that_is_not_there_is_told(model, faces, tmp_path):
    with pytest.raises(DataSetError, match="gone: no such folder"):
        score_folder(model, tmp_path / "gone", faces / "pairs.txt", ModelScoring())


def test_a_target_that_is_no_rate_is_told(model, faces):
    with pytest.raises(ProtocolError, match="must be a rate"):
        score_pack(model, faces / "six.bin", ModelScoring(far_targets=[1.5]))
