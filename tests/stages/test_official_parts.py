"""The official protocol through the whole chain: RAF-DB, AffectNet and FER2013 with FER+, trees from rendered faces."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from dwmtl.datasets import affect_net, fer_plus, raf_db
from dwmtl.datasets.packs import fer2013_table
from dwmtl.tables import DROPPED_PHOTOS, EXPRESSION_LABELS, read_table

REPOSITORY = Path(__file__).resolve().parents[2]
with_every_set = runpy.run_path(str(REPOSITORY / "tests/stages/test_every_expression_set.py"))
EXPRESSIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
SETS = {"affect": "affect_net", "fer": "fer2013", "raf": "raf_db"}
SEEN_AS = {**{name: name for name in EXPRESSIONS}, "contempt": None}


def face(rendered: Path, subject: int, expression: str) -> Path:
    """The first frame of a sequence is neutral, the last shows its expression."""
    sequence, number = ("Anger", 0) if expression == "neutral" else (expression.capitalize(), 3)
    return with_every_set["frame"](rendered, subject, sequence, number)


def write_raf_db(rendered: Path, folder: Path) -> None:
    """Two people to train on, one to test on; the last training photo is a test photo under another label."""
    numbers = {expression: number for number, expression in raf_db.EXPRESSIONS.items()}
    lines = []
    for part, subjects in (("train", (0, 1)), ("test", (2,))):
        for subject in subjects:
            for number, expression in enumerate(EXPRESSIONS):
                name = f"{part}_{subject}{number}"
                with_every_set["put"](
                    face(rendered, subject, expression), folder / f"{raf_db.IMAGES}/{name}_aligned.jpg"
                )
                lines.append(f"{name}.jpg {numbers[expression]}")
    with_every_set["put"](face(rendered, 2, "fear"), folder / f"{raf_db.IMAGES}/train_99_aligned.jpg")
    (folder / "EmoLabel").mkdir()
    (folder / raf_db.LABELS).write_text("\n".join([*lines, "train_99.jpg 4"]) + "\n")


def write_affect_net(rendered: Path, folder: Path) -> None:
    """One person to train on, another one to test on, each also shown as contempt."""
    for part, subject in (("train_set", 1), ("val_set", 3)):
        (folder / part / "annotations").mkdir(parents=True)
        for number, expression in enumerate(affect_net.EXPRESSIONS):
            shown = "surprise" if expression == "contempt" else expression
            with_every_set["put"](face(rendered, subject, shown), folder / f"{part}/images/{number}.jpg")
            np.save(folder / part / "annotations" / f"{number}_exp.npy", np.array(str(number)))


def write_fer_plus(rendered: Path, folder: Path) -> None:
    """Labels of FER2013 that are all wrong, and votes that are right; nobody agrees on the first face of each part."""
    folder.mkdir()
    faces, votes = [",".join(fer2013_table.COLUMNS)], [",".join(fer_plus.COLUMNS)]
    for usage, subject in zip(fer2013_table.USAGES, (0, 1, 3), strict=True):
        for expression in EXPRESSIONS:
            picture = Image.open(face(rendered, subject, expression)).convert("L").resize((48, 48))
            faces.append(f"0,{' '.join(map(str, np.array(picture).ravel()))},{usage}")
            of = dict.fromkeys(fer_plus.COLUMNS[2:], 0) | {expression: 8, "contempt": 1, "unknown": 1}
            if expression == "neutral":
                of = dict.fromkeys(of, 1)
            votes.append(",".join([usage, "fer0000000.png", *map(str, of.values())]))
    (folder / fer2013_table.TABLE).write_text("\n".join(faces) + "\n")
    (folder / fer_plus.TABLE).write_text("\n".join(votes) + "\n")


@pytest.fixture(scope="module")
def run(rendered, module_path) -> Path:
    """The outputs of all stages, trained on the training parts of three sets at once; identities are another set's."""
    writers = {"affect": write_affect_net, "fer": write_fer_plus, "raf": write_raf_db}
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    sets = {
        "verification": values["sets"]["verification"] | {"folder": str(rendered / "lfw")},
        "identity": values["sets"]["identity"] | {"folder": str(rendered / "identities")},
    }
    for name, adapter in SETS.items():
        writers[name](rendered, module_path / name)
        sets[name] = {"role": "expression", "adapter": adapter, "folder": str(module_path / name)}
        sets[name] |= {"expressions": SEEN_AS if name != "raf" else None}
    sets["fer"]["fer_plus_labels"] = "majority"
    changes = {
        **with_every_set["SMALL"],
        "labels.protocol": "official",
        "train.sets": ["expression", "identity"],
    }
    for dotted, value in changes.items():
        section, _, key = dotted.rpartition(".")
        (values[section] if section else values)[key] = value
    values["sets"] = {name: of_set | {"is_aligned": True} for name, of_set in sets.items()}
    (module_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with_every_set["chain"](module_path / "run", module_path / "params.yaml")
    return module_path / "run"


@pytest.mark.slow
def test_every_photo_is_used_by_its_official_part_and_copies_of_test_photos_train_nothing(run):
    labels = read_table(run / "labels/expression.csv", EXPRESSION_LABELS, others_are_text=True)
    assert set(labels["subject"]) == {""}
    assert dict(labels.groupby("part")["fold"].unique().map(list)) == {"train": [-1], "validation": [-2], "test": [0]}
    assert dict(labels.groupby("part").size()) == {"train": 14 + 7 + 6, "validation": 6, "test": 7 + 7 + 6}
    dropped = read_table(run / "labels/dropped_expression.csv", DROPPED_PHOTOS).iloc[0]
    assert (dropped["photo"], dropped["kept"]) == (
        "raf/Image/aligned/train_99_aligned.jpg",
        "raf/Image/aligned/test_23_aligned.jpg",
    )
    training = json.loads((run / "training/fold_0/training.json").read_text())
    assert training["num_photos"] == 27 + 6  # and the identity set's
    assert training["num_subjects"] == 3
    assert training["best_epoch"] == 0  # by the official validation part
    card = json.loads((run / "cards/raf/card.json").read_text())
    assert "1 picture is in several official parts: the test part keeps its photos" in " ".join(card["cautions"])
    assert "Official parts, photos: 15 to train on, 0 to validate on, 7 to test on." in card["cautions"]
    assert card["labels"]["part"] == {"test": 7, "train": 15}


@pytest.mark.slow
def test_scores_of_the_test_part_are_those_of_scikit_learn_and_intervals_draw_photos(run):
    metrics = json.loads((run / "evaluation/fold_0/metrics.json").read_text())
    of = pd.read_csv(run / "evaluation/fold_0/predictions.csv", keep_default_na=False)
    scores = metrics["expression"]
    actual, predicted = of["expression"], of["predicted"]
    assert scores["num_photos"] == len(of) == 20
    assert scores["accuracy"] == pytest.approx(accuracy_score(actual, predicted), abs=1e-6)
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(actual, predicted), abs=1e-6)
    f1 = f1_score(actual, predicted, average="macro", labels=sorted(set(actual)), zero_division=0)
    assert scores["macro_f1"] == pytest.approx(f1, abs=1e-6)
    rng = np.random.default_rng(1)
    right = (actual == predicted).to_numpy()
    low, high = np.quantile([right[rng.integers(20, size=20)].mean() for _ in range(4000)], [0.025, 0.975])
    assert scores["accuracy_interval"] == pytest.approx([low, high], abs=0.051)  # a photo is 0.05
    details = json.loads((run / "details.json").read_text())
    classes = sorted({*actual, *predicted})
    assert details["expression_pooled"]["confusion"] == confusion_matrix(actual, predicted, labels=classes).tolist()


@pytest.mark.slow
def test_without_subjects_there_are_no_pairs_of_test_subjects_and_nobody_is_authenticated(run):
    metrics = json.loads((run / "evaluation/fold_0/metrics.json").read_text())
    assert metrics["expression_pairs"] == metrics["authentication"] == {"num_pairs": 0}
    assert metrics["verification"]["num_pairs"] == 20
    summary = json.loads((run / "summary.json").read_text())
    assert {"expression_accuracy", "verification_accuracy", "best_expression_accuracy"} <= set(summary)
    assert not [key for key in summary if "authentication" in key]
    for page in ("report.md", "report.html", "model_card.md"):
        text = (run / "report" / page).read_text()
        assert "Expression: accuracy" in text
        assert "Authentication: " not in text
        assert "1 photo was left out of the training: the same picture as a test photo." in text
        assert "never seen in training" not in text
