"""IJB 1:1 on drawn faces in the layout of the real sets, from the folder to the JSON, against a plain loop."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.crops.crop import face_crop
from dwmtl.errors import ProtocolError
from dwmtl.evaluation.score_ijb import score_ijb
from dwmtl.evaluation.score_model import ModelScoring
from dwmtl.network.model_card import DetectorCard, ModelCard, TaskCard, build_network
from dwmtl.network.model_file import load_model, save_model
from dwmtl.params import load_params
from dwmtl.rendered.expression import NUM_MOVEMENTS, PROTOTYPES, express
from dwmtl.rendered.face import draw_photo
from dwmtl.rendered.person import draw_person
from dwmtl.rendered.scene import draw_scene

REPOSITORY = Path(__file__).resolve().parents[3]
CROP_PX = 80
POINTS = np.array([[-0.35, -0.15], [0.35, -0.15], [0, 0.2], [-0.25, 0.5], [0.25, 0.5]])  # in faces
TEMPLATES = {10: (0, [1, 1, 1, 2]), 7: (0, [2, 3]), 12: (1, [4]), 3: (1, [5, 5]), 25: (2, [1, 6]), 20: (2, [7])}
"""A template's id -> its person and the medium of each of its faces; media 1 and 2 are in two templates."""


def drawn(person: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A loose crop, and the face's five landmarks."""
    who = draw_person(np.random.default_rng(person), NUM_MOVEMENTS)
    rng = np.random.default_rng([person, number])
    scene = draw_scene(rng, height=120, width=100, difficulty=0.5)
    neutral = express(next(iter(PROTOTYPES)), 0.0, who.gains, np.zeros(NUM_MOVEMENTS))
    roll = np.deg2rad(scene.roll_deg)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return draw_photo(who, neutral, scene, rng, height=120, width=100), scene.center + scene.face_px * POINTS @ turn.T


@pytest.fixture(scope="module")
def ijb(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("IJBX")
    (folder / "meta").mkdir()
    (folder / "loose_crop").mkdir()
    media, points = [], []
    for template, (person, of_template) in TEMPLATES.items():
        for medium in of_template:
            name = f"{len(media) + 1}.png"
            photo, landmarks = drawn(person, len(media))
            Image.fromarray(photo).save(folder / "loose_crop" / name)
            media.append(f"{name} {template} {medium}")
            score = 0.5 + 0.04 * len(points)
            points.append(f"{name} {' '.join(f'{value:.3f}' for value in landmarks.ravel())} {score:.3f}")
    pairs = [f"{a} {b} {int(TEMPLATES[a][0] == TEMPLATES[b][0])}" for a, b in combinations(TEMPLATES, 2)]
    for name, lines in (("face_tid_mid", media), ("name_5pts_score", points), ("template_pair_label", pairs)):
        (folder / f"meta/ijbx_{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    params = load_params(REPOSITORY / "params.yaml")
    card = ModelCard(
        network=params.network.model_copy(update={"trunk": "timm:test_resnet"}),
        crop_px=CROP_PX,
        margin_px=10,
        detector=DetectorCard(crop_form="similarity"),
        tasks={"identity": TaskCard(head=params.tasks["identity"].head, classes=["a", "b"])},
        provenance={},
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    save_model(build_network(card), card, folder)
    return folder


def textbook(model: Path, folder: Path, *, weigh_faces: bool, flip: bool) -> list[tuple[float, bool]]:
    """The cosine of every pair and whether it is genuine, a face, a medium and a template after the other."""
    network, _ = load_model(model)
    read = {path.name: path.read_text().splitlines() for path in (folder / "meta").iterdir()}
    faces: dict[int, dict[int, list[np.ndarray]]] = {}
    for line, points in zip(read["ijbx_face_tid_mid.txt"], read["ijbx_name_5pts_score.txt"], strict=True):
        name, template, medium = line.split()
        *landmarks, score = map(float, points.split()[1:])
        photo = np.asarray(Image.open(folder / "loose_crop" / name))
        landmarks = np.array(landmarks, np.float32).reshape(5, 2)
        crop = face_crop(photo, None, landmarks, form="similarity", crop_size=(CROP_PX, CROP_PX), margin_px=0)
        inputs = network.standardize(torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None])
        with torch.inference_mode():
            vector = network(inputs).embedding[0].double().numpy()
            if flip:
                vector = vector + network(inputs.flip(-1)).embedding[0].double().numpy()
        vector = vector / np.sqrt(sum(value**2 for value in vector))
        of_template = faces.setdefault(int(template), {})
        of_template.setdefault(int(medium), []).append(vector * (score if weigh_faces else 1))
    pooled = {template: sum(sum(vs) / len(vs) for vs in media.values()) for template, media in faces.items()}
    scores = []
    for line in read["ijbx_template_pair_label.txt"]:
        a, b, label = map(int, line.split())
        cosine = pooled[a] @ pooled[b] / np.sqrt(pooled[a] @ pooled[a]) / np.sqrt(pooled[b] @ pooled[b])
        scores.append((cosine, label == 1))
    return scores


def textbook_tar(scores: list[tuple[float, bool]], far: float) -> float | None:
    """Share of genuine pairs above the lowest threshold that accepts no more impostors than the FAR allows."""
    genuine, impostor = ([cosine for cosine, is_same in scores if is_same == kind] for kind in (True, False))
    num_allowed = int(far * len(impostor) + 1e-9)
    if not num_allowed:
        return None
    highest_refused = sorted(impostor, reverse=True)[num_allowed]
    return sum(cosine > highest_refused for cosine in genuine) / len(genuine)


@pytest.mark.parametrize(("weigh_faces", "flip"), [(True, "sum"), (False, "none")])
def test_scores_are_those_of_a_plain_loop(model, ijb, weigh_faces, flip):
    fars = [1e-6, 0.05, 0.1, 0.2, 0.5]
    scoring = ModelScoring(batch_size=4, flip=flip, far_targets=fars)
    scores = score_ijb(model, ijb, scoring, weigh_faces=weigh_faces)
    theirs = textbook(model, ijb, weigh_faces=weigh_faces, flip=flip == "sum")
    assert (scores.num_faces, scores.num_templates, scores.num_genuine, scores.num_impostor) == (12, 6, 3, 12)
    assert [row.num_impostors for row in scores.tar_at_far] == [0, 0, 1, 2, 6]
    assert scores.tar_at_far[0].num_impostors_needed == 1_000_000
    assert [row.tar for row in scores.tar_at_far] == [textbook_tar(theirs, far) for far in fars]


def test_the_command_writes_the_scores_and_names_what_is_too_small(dwmtl, model, ijb, tmp_path):
    out = tmp_path / "R.json"
    done = dwmtl("evaluate-ijb", model, ijb, "--out", out, "--accelerator", "cpu", "--batch-size", 5)
    assert done.returncode == 0, done.stderr
    assert "TAR at FAR 1e-06: none: needs 1000000 impostor pairs" in done.stdout
    written = json.loads(out.read_text())
    assert [row["far_target"] for row in written["tar_at_far"]] == [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert [row["tar"] is None for row in written["tar_at_far"]] == [True] * 5 + [False]
    assert written["settings"]["weigh_faces"] is True
    pairs = ijb / "meta/ijbx_template_pair_label.txt"
    before = pairs.read_bytes()
    done = dwmtl("evaluate-ijb", model, ijb, "--out", pairs)
    assert done.returncode == 1
    assert "it is read" in done.stderr
    assert pairs.read_bytes() == before


def test_a_template_whose_faces_weigh_nothing_is_named(model, ijb, tmp_path):
    (tmp_path / "loose_crop").symlink_to(ijb / "loose_crop")
    (tmp_path / "meta").mkdir()
    for path in (ijb / "meta").iterdir():
        text = path.read_text()
        if "5pts" in path.name:
            lines = [line.rsplit(" ", 1)[0] + " 0" if line.startswith("7.png") else line for line in text.splitlines()]
            text = "\n".join(lines)
        (tmp_path / "meta" / path.name).write_text(text)
    with pytest.raises(ProtocolError, match="template 12 add up to no direction"):
        score_ijb(model, tmp_path, ModelScoring(), weigh_faces=True)
