"""The whole chain from the authors' files: a label file and a pair file of an Oulu-like tree, named in params.yaml."""

import runpy
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dwmtl.rendered.expression import NUM_MOVEMENTS, express
from dwmtl.rendered.face import draw_photo
from dwmtl.rendered.person import draw_person
from dwmtl.rendered.scene import draw_scene
from dwmtl.tables import EVALUATED_PAIRS, EXPRESSION_PAIRS, FOLDS, read_table

every_set = runpy.run_path(str(Path(__file__).with_name("test_every_expression_set.py")))

FOLD = 4
TESTED = [f"P{number:03d}" for number in (18, 19, 22, 30, 43, 55, 69, 78)]
"""The test subjects of the authors' fold, of 80 subjects in ten folds."""
EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
"""In the order of the authors' numbers, from 0."""
REQUIRED = ("Happiness", "Surprise")
THEIRS = "/data/zming/Oulu-Casia/VL/Strong"
SIDE_PX = 80


def draw(path: Path, subject: int, expression: str, intensity: float) -> None:
    rng = np.random.default_rng(subject)
    person = draw_person(rng, NUM_MOVEMENTS)
    scene = draw_scene(rng, height=SIDE_PX, width=SIDE_PX, difficulty=0.2)
    face = express(expression, intensity, person.gains, np.zeros(NUM_MOVEMENTS))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_photo(person, face, scene, rng, height=SIDE_PX, width=SIDE_PX)).save(path)


def label_lines() -> list[str]:
    """First and last frame of each sequence: six of a tested subject, two of the others, which are trained on."""
    frames = [
        f"{subject} {shown} {0 if shown == 'Neutral' else 1 + EXPRESSIONS.index(expression)} "
        f"{THEIRS}/{subject}/{expression}/{number}.jpeg"
        for subject in (f"P{number:03d}" for number in range(1, 81))
        for expression in (EXPRESSIONS if subject in TESTED else REQUIRED)
        for shown, number in (("Neutral", "000"), (expression, "009"))
    ]
    return ["No subject expression label image_path", *(f"{number} {line}" for number, line in enumerate(frames))]


def pair_lines() -> list[str]:
    """Four pairs for each of a subject's six neutral frames and each required expression, blocked by kind: 384."""
    rows = []
    for is_same, is_required in ((True, True), (True, False), (False, True), (False, False)):
        for (place, subject), sequence, required in product(enumerate(TESTED), EXPRESSIONS, REQUIRED):
            person = subject if is_same else TESTED[(place + 1) % len(TESTED)]
            shown = required if is_required else EXPRESSIONS[(EXPRESSIONS.index(required) + 1) % len(EXPRESSIONS)]
            photos = f"{THEIRS}/{person}/{shown}/009.jpeg  {THEIRS}/{subject}/{sequence}/000.jpeg"
            numbers = f"{EXPRESSIONS.index(shown)}  {EXPRESSIONS.index(required)}  -1"
            rows.append(f"{photos}  {is_same}  {numbers}  {is_required}")
    header = "No.  Input_img  Ref_img  IdentityIssame  Expression_actual  Expression_require  Expression_ref  "
    return [header + "ExpressionIsrequire", *(f"{number}  {row}" for number, row in enumerate(rows))]


@pytest.fixture
def oulu(tmp_path) -> Path:
    """Small drawn photos below `VL/Strong`, a frame that no file names, and the two files."""
    folder = tmp_path / "oulu"
    for line in label_lines()[1:]:
        _, subject, _, _, path = line.split()
        here = folder / path.removeprefix("/data/zming/Oulu-Casia/")
        draw(here, int(subject[1:]), here.parent.name, 1.0 if here.stem == "009" else 0.0)
    draw(folder / "VL/Strong/P001/Happiness/004.jpeg", 1, "Happiness", 0.5)
    (folder / "labels.txt").write_text("\n".join(label_lines()) + "\n")
    (folder / "pairs_fold_4.txt").write_text("\n".join(pair_lines()) + "\n")
    return folder


@pytest.mark.slow
def test_every_pair_of_the_authors_file_is_scored_by_a_model_that_never_saw_its_subjects(
    oulu, rendered, write_params, tmp_path
):
    theirs = {
        "role": "expression",
        "adapter": "authors_labels",
        "folder": str(oulu),
        "is_aligned": True,
        "labels_file": "labels.txt",
        "remap": {"/data/zming/Oulu-Casia": ""},
    }
    changes = {
        **every_set["SMALL"],
        "folds": [FOLD],
        "labels.num_folds": 10,
        "labels.folds": {FOLD: TESTED},
        "pairs.file": oulu / "pairs_fold_4.txt",
        "pairs.num_blocks": 10,
        "train.batch_size": 16,
        "sets.expression": theirs,
        "sets.verification.folder": rendered / "lfw",
        "sets.identity.folder": rendered / "identities",
    }
    run = tmp_path / "run"
    metrics = every_set["chain"](run, write_params(changes), fold=FOLD)

    folds = read_table(run / "labels/folds.csv", FOLDS)
    assert set(folds.loc[folds["fold"] == FOLD, "subject"]) == {f"expression/{subject}" for subject in TESTED}
    assert folds.groupby("fold").size().tolist() == [8] * 10

    theirs = pd.DataFrame([line.split() for line in pair_lines()[1:]]).astype({4: int, 5: int})
    named = (theirs[[1, 2]].replace("/data/zming/Oulu-Casia/", "expression/", regex=True)).apply(tuple, axis=1)
    pairs = read_table(run / f"pairs/fold_{FOLD}.csv", EXPRESSION_PAIRS)
    assert len(pairs) == 384
    assert sorted(zip(pairs["input"], pairs["reference"], strict=True)) == sorted(named)
    assert pairs.groupby("fold")["is_same_identity"].mean().between(0.45, 0.55).all()
    assert set(pairs["expression_required"]) == {"happiness", "surprise"}

    evaluated = read_table(run / f"evaluation/fold_{FOLD}/pairs.csv", EVALUATED_PAIRS)
    scored = evaluated[evaluated["set"] == "expression"]
    assert sorted(zip(scored["input"], scored["reference"], strict=True)) == sorted(named)
    assert scored["distance"].notna().all()
    assert scored["is_same_identity"].sum() == scored["is_required_expression"].sum() == 192
    assert metrics["expression_pairs"]["num_pairs"] == 384
    assert metrics["expression"]["num_photos"] == 8 * 6 * 2
    assert (run / "report/report.html").exists()
