"""The whole chain, from photos to metrics, with each kind of expression set: trees built from rendered faces."""

import json
import runpy
import shutil
from pathlib import Path

import pytest

from dwmtl.datasets.packs.bin_pack import write_bin_pack
from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.inference.threshold_file import read_threshold
from dwmtl.network.model_file import model_sha256
from dwmtl.params import load_params
from dwmtl.protocol.folds import NO_FOLD
from dwmtl.tables import EXPRESSION_LABELS, read_table

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_SUBJECTS, NUM_FRAMES = 4, 4
CK_PLUS = {"Anger": 1, "Disgust": 3, "Fear": 4, "Happiness": 5, "Sadness": 6, "Surprise": 7}
JAFFE = {"Anger": "AN", "Disgust": "DI", "Fear": "FE", "Happiness": "HA", "Sadness": "SA", "Surprise": "SU"}
YALE = {"Happiness": "happy", "Sadness": "sad", "Surprise": "surprised"}


SMALL = {
    "folds": [0],
    "labels.num_folds": 2,
    "pairs.num_blocks": 2,
    "align.crop_px": 80,
    "network.trunk": "timm:test_resnet",  # of 370,000 parameters: nothing here asks how good it is
    "train.validation_fraction": 0.0,
    "pretrain.num_epochs": 0,
    "train.num_epochs": 1,
    "train.batch_size": 4,
    "tracking.enabled": False,
}


def frame(rendered: Path, subject: int, expression: str, number: int) -> Path:
    return rendered / f"oulu_casia/VL/Strong/P{subject + 1:03d}/{expression}/{number:03d}.jpeg"


def put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def ck_plus(rendered: Path, folder: Path) -> None:
    for subject in range(NUM_SUBJECTS):
        for sequence, (expression, label) in enumerate(CK_PLUS.items(), start=1):
            place = f"S{subject:03d}/{sequence:03d}/S{subject:03d}_{sequence:03d}_"
            for number in range(NUM_FRAMES):
                source = frame(rendered, subject, expression, number)
                put(source, folder / f"cohn-kanade-images/{place}{number + 1:08d}.png")
            file = folder / f"Emotion/{place}{NUM_FRAMES:08d}_emotion.txt"
            file.parent.mkdir(parents=True)
            file.write_text(f"   {label}.0000000e+00\n")


def jaffe(rendered: Path, folder: Path) -> None:
    for subject in range(NUM_SUBJECTS):
        name = "ABCD"[subject] * 2
        put(frame(rendered, subject, "Anger", 0), folder / f"{name}.NE1.1.tiff")
        for number, (expression, code) in enumerate(JAFFE.items(), start=2):
            put(frame(rendered, subject, expression, NUM_FRAMES - 1), folder / f"{name}.{code}1.{number}.tiff")


def yale(rendered: Path, folder: Path) -> None:
    for subject in range(NUM_SUBJECTS):
        put(frame(rendered, subject, "Anger", 0), folder / f"subject{subject + 1:02d}.normal")
        for expression, condition in YALE.items():
            put(frame(rendered, subject, expression, NUM_FRAMES - 1), folder / f"subject{subject + 1:02d}.{condition}")


def oulu_casia(rendered: Path, folder: Path) -> None:
    shutil.copytree(rendered / "oulu_casia", folder)


def stage(name: str):
    """A stage's `main`, as the script has it."""
    return runpy.run_path(str(REPOSITORY / "stages" / f"{name}.py"))["main"]


def chain(folder: Path, params: Path, *, fold: int = 0) -> dict:
    """Every stage from the index to the report of a fold; its metrics."""
    sets = load_params(params).sets
    for name, values in sets.items():
        place = Path(values.role) / name
        stage("index")(name, folder / "index" / place, params)
        stage("align")(name, folder / "index" / place, folder / "aligned" / place, params)
        stage("facts")(name, folder / "index" / place, folder / "facts" / place, params)
    stage("labels")(folder / "index/expression", folder / "index/identity", folder / "facts", folder / "labels", params)
    index = folder / "index"
    stage("pairs")(folder / "labels", index / "expression", index / "verification", folder / "pairs", params)
    stage("pretrain")(
        folder / "labels", folder / "aligned/identity", folder / "start", folder / "m0", folder / "c0", params
    )
    stage("train")(
        fold,
        folder / "labels",
        folder / "aligned",
        folder / "start",
        folder / "model",
        folder / f"training/fold_{fold}",
        folder / "c1",
        params,
    )
    stage("evaluate")(
        fold,
        folder / "model",
        folder / "labels",
        folder / "pairs",
        folder / "aligned",
        folder / f"evaluation/fold_{fold}",
        params,
    )
    stage("evaluate_start")(folder / "start", folder / "pairs", folder / "aligned", folder / "evaluation/start", params)
    for name, values in sets.items():
        tables = [folder / table / values.role / name for table in ("index", "facts", "aligned")]
        stage("data_card")(name, *tables, folder / "labels", folder / "cards" / name, params)
    stage("report")(
        folder / "training",
        folder / "evaluation",
        folder / "aligned",
        folder / "labels",
        folder / "cards",
        index / "verification",
        folder / "report",
        folder / "summary.json",
        folder / "details.json",
        folder / "plots",
        folder / "model",
        params,
    )
    return json.loads((folder / f"evaluation/fold_{fold}/metrics.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adapter", "make", "num_classes"),
    [("oulu_casia", oulu_casia, 7), ("ck_plus", ck_plus, 7), ("jaffe", jaffe, 7), ("yale", yale, 4)],
)
def test_the_whole_chain_runs(rendered, write_params, tmp_path, adapter, make, num_classes):
    make(rendered, tmp_path / "set")
    params = write_params(
        {
            **SMALL,
            "sets.expression.adapter": adapter,
            "sets.expression.folder": tmp_path / "set",
            "sets.verification.folder": rendered / "lfw",
            "sets.identity.folder": rendered / "identities",
        }
    )
    metrics = chain(tmp_path / "run", params)
    assert len(metrics["expression"]["per_class"]) == num_classes
    assert metrics["verification"]["num_pairs"] == 20
    assert 0 <= metrics["authentication"]["accuracy"] <= 1
    threshold = tmp_path / "run/evaluation/fold_0/threshold.json"
    assert 0 <= read_threshold(threshold, model_sha256=model_sha256(tmp_path / "run/model")).value < 4


def packs(rendered: Path, folder: Path) -> None:
    """Six people in a RecordIO pack, a verification pack of twenty pairs, and a table of faces of nobody known."""
    faces = [frame(rendered, subject, "Anger", 0) for subject in range(NUM_SUBJECTS)]
    people = [(number, faces[number % NUM_SUBJECTS].read_bytes()) for number in range(6) for _ in range(2)]
    write_record_pack(folder / "rec", people, height_px=112, width_px=112)
    pictures = [faces[(number + pair * (number % 2)) % 4].read_bytes() for pair in range(20) for number in (0, 1)]
    (folder / "bin").mkdir()
    write_bin_pack(folder / "bin/faces.bin", pictures, [pair % 2 == 0 for pair in range(20)])
    lines = ["photo,subject,expression"]
    for expression in ("Anger", "Surprise", "Happiness"):
        put(frame(rendered, 0, expression, NUM_FRAMES - 1), folder / f"nobody/{expression}.jpeg")
        lines.append(f"{expression}.jpeg,,{'joy' if expression == 'Happiness' else expression.lower()}")
    (folder / "nobody/faces.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_sets_of_one_role_are_joined_and_packs_are_read_as_they_are(rendered, write_params, tmp_path):
    packs(rendered, tmp_path)
    source = {"role": "expression", "adapter": "oulu_casia"}
    names = {"anger": "anger", "surprise": None, "joy": "happiness"}
    sets = {
        "nobody": source | {"adapter": "csv_table", "folder": str(tmp_path / "nobody"), "expressions": names},
        "oulu": source | {"folder": str(rendered / "oulu_casia")},
        "pairs": source | {"role": "verification", "adapter": "bin_pack", "folder": str(tmp_path / "bin")},
        "people": source | {"role": "identity", "adapter": "record_pack", "folder": str(tmp_path / "rec")},
    }
    for name in ("pairs", "people", "nobody"):
        sets[name] |= {"is_aligned": True}
    metrics = chain(
        tmp_path / "run",
        write_params({**SMALL, "sets": sets, "train.sets": ["expression", "identity"], "align.crops_a_shard": 10}),
    )
    assert metrics["verification"]["num_pairs"] == 20
    assert metrics["verification"]["auc_interval"] is None
    assert metrics["verification"]["accuracy_interval"] is None  # the pack does not say who is on it
    labels = read_table(tmp_path / "run/labels/expression.csv", EXPRESSION_LABELS)
    nobody = labels[labels["subject"] == ""].set_index("photo")
    assert nobody["expression"].to_dict() == {"nobody/Anger.jpeg": "anger", "nobody/Happiness.jpeg": "happiness"}
    assert (nobody["fold"] == NO_FOLD).all()
    training = json.loads((tmp_path / "run/training/fold_0/training.json").read_text())
    assert training["num_photos"] == 2 * 6 * NUM_FRAMES + 2 + 12
    assert training["num_subjects"] == 2 + 6
    page = (tmp_path / "run/report/report.md").read_text()
    assert "expressions: csv_table, oulu_casia; verification: bin_pack; identities: record_pack" in page
    assert "# Data card: nobody, a set of the role expression" in (tmp_path / "run/cards/nobody/card.md").read_text()
