"""Expression, action units, and valence and arousal, partly labelled, trained together by params alone (as in ABAW)."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import f1_score, mean_absolute_error
from typer.testing import CliRunner

from dwmtl.cli import app
from dwmtl.datasets.oulu_casia import read
from dwmtl.evaluation.embedding import CropFiles, embed
from dwmtl.inference.model import load_model
from dwmtl.network.model_file import load_model as read_model
from dwmtl.report.further_tasks import FurtherTasks
from dwmtl.results import read_result
from dwmtl.tables import CROPS, EXPRESSION_LABELS, read_table, write_table

REPOSITORY = Path(__file__).resolve().parents[2]
with_every_set = runpy.run_path(str(REPOSITORY / "tests/stages/test_every_expression_set.py"))
frame = with_every_set["frame"]

AFFECT = {  # valence, arousal, and the action units of an expression
    "neutral": (0.0, 0.0, ""),
    "anger": (-0.6, 0.7, "AU4"),
    "disgust": (-0.7, 0.3, "AU4"),
    "fear": (-0.5, 0.8, "AU1"),
    "happiness": (0.8, 0.5, "AU12"),
    "sadness": (-0.8, -0.4, "AU1 AU4"),
    "surprise": (0.2, 0.9, "AU1"),
}
UNITS = ["AU1", "AU4", "AU12"]
TASKS = {
    "units": {"kind": "multi_label", "labels": UNITS},
    "affect": {"kind": "regression", "labels": ["valence", "arousal"], "range": [-1, 1]},
    "age": {"kind": "regression", "labels": ["age"], "range": [0, 100], "loss": {"name": "mae"}},
}


def partly_labelled(source: Path) -> pd.DataFrame:
    """Drawn faces, each with the labels of some tasks: a photo in three lacks its expression, units, or affect."""
    faces = read(source, num_peak_frames=2).photos
    faces = faces[faces["use"] != "unused"].reset_index(drop=True)
    shown = faces["expression"].mask(faces["use"] == "neutral", "neutral")
    values = pd.DataFrame([AFFECT[name] for name in shown], columns=["valence", "arousal", "units"])
    for unit in UNITS:
        faces[unit] = values["units"].str.contains(rf"\b{unit}\b").astype(int).astype(str)
    faces[["valence", "arousal"]] = values[["valence", "arousal"]].astype(str)
    faces["age"] = faces["subject"].map(lambda name: str(20 + 10 * int(name[1:])))
    number = np.arange(len(faces)) % 6
    faces.loc[(number == 1) & (faces["use"] == "peak"), ["expression", "use"]] = ["", "train"]
    faces.loc[number == 3, UNITS] = ""
    faces.loc[number == 4, "AU12"] = ""
    faces.loc[number == 5, ["valence", "arousal", "age"]] = ""
    faces["photo"] = "photos/" + faces["photo"]
    return faces


@pytest.fixture(scope="module")
def run(rendered, module_path) -> Path:
    """The outputs of all stages, by a params.yaml that differs from the default in values alone."""
    folder = module_path / "set"
    folder.mkdir()
    (folder / "photos").symlink_to(rendered / "oulu_casia")
    write_table(partly_labelled(rendered / "oulu_casia"), folder / "faces.csv")
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    changes = {
        **with_every_set["SMALL"],
        "network.trunk": values["network"]["trunk"],  # the default's is exported, too
        "train.num_epochs": 2,
        "train.batch_size": 8,
    }
    for dotted, value in changes.items():
        section, _, key = dotted.rpartition(".")
        (values[section] if section else values)[key] = value
    values["sets"]["expression"] |= {"adapter": "csv_table", "folder": str(folder)}
    values["sets"]["verification"]["folder"] = str(rendered / "lfw")
    values["sets"]["identity"]["folder"] = str(rendered / "identities")
    values["tasks"] |= TASKS
    (module_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with_every_set["chain"](module_path / "run", module_path / "params.yaml")
    return module_path / "run"


@pytest.fixture(scope="module")
def tested(run) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The labels of the fold's test photos, and the answers of the fold's network by task."""
    labels = read_table(run / "labels/expression.csv", EXPRESSION_LABELS, others_are_text=True)
    labels = labels[labels["fold"] == 0]
    crops = read_table(run / "aligned/expression/expression/crops.csv", CROPS).set_index("photo")["crop"]
    paths = [run / "aligned/expression/expression" / crops[photo.partition("/")[2]] for photo in labels["photo"]]
    network, _ = read_model(run / "model")
    answers = embed(
        network, CropFiles(paths), flip="none", batch_size=64, accelerator="cpu", num_workers=0, title="test"
    )
    return labels, answers.of_tasks


def scores_of(run: Path) -> dict:
    return json.loads((run / "evaluation/fold_0/metrics.json").read_text())["further_tasks"]


@pytest.mark.slow
def test_every_task_trains_with_the_labels_that_it_has(run):
    trajectory = pd.read_csv(run / "training/fold_0/trajectory.csv")
    for task in ("identity", "expression", *TASKS):
        assert np.isfinite(trajectory[f"loss_{task}"]).all()
        assert (trajectory[f"weight_{task}"] > 0).any()
    assert json.loads((run / "training/fold_0/training.json").read_text())["unseen_classes"] == {}


@pytest.mark.slow
def test_scores_of_units_are_those_of_scikit_learn(run, tested):
    labels, answers = tested
    scores = scores_of(run)["units"]
    assert scores["kind"] == "multi_label"
    f1 = {}
    for number, unit in enumerate(UNITS):
        has_label = (labels[unit] != "").to_numpy()
        assert scores["num_labels"][unit] == has_label.sum()
        actual, decided = labels[unit][has_label].astype(int), answers["units"][has_label, number] >= 0.5
        f1[unit] = f1_score(actual, decided, zero_division=0)
    assert 0 < scores["num_labels"]["AU12"] < scores["num_labels"]["AU1"] < len(labels)
    assert scores["scores"]["f1"]["per_column"] == pytest.approx(f1, abs=1e-6)
    assert scores["scores"]["f1"]["mean"] == pytest.approx(np.mean(list(f1.values())), abs=1e-6)


@pytest.mark.slow
def test_scores_of_affect_and_age_equal_plain_twins_in_the_unit_of_the_labels(run, tested):
    labels, answers = tested
    scores = scores_of(run)
    for number, column in enumerate(("valence", "arousal")):
        has_label = (labels[column] != "").to_numpy()
        x, y = labels[column][has_label].astype(float).to_numpy(), answers["affect"][has_label, number].astype(float)
        ccc = 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        assert scores["affect"]["scores"]["ccc"]["per_column"][column] == pytest.approx(ccc, abs=1e-5)
    has_label = (labels["age"] != "").to_numpy()
    years = mean_absolute_error(labels["age"][has_label].astype(float), answers["age"][has_label, 0])
    assert scores["age"]["scores"]["mae"]["mean"] == pytest.approx(years, abs=1e-4)
    assert 1 < years < 100


@pytest.mark.slow
def test_the_report_and_the_cards_have_a_row_for_every_score(run):
    further = read_result(FurtherTasks, run / "report/tasks.json").tasks
    assert list(further) == sorted(TASKS)
    assert list(further["affect"].scores) == ["ccc", "mae", "mse"]
    for page in ("report.md", "report.html", "model_card.md"):
        text = (run / "report" / page).read_text()
        assert "MAE (lower is better)" in text
        assert f"{further['affect'].scores['ccc'].score.mean:.3f}" in text
    card = json.loads((run / "cards/expression/card.json").read_text())
    assert set(card["labels"]["AU12"]) == {"0", "1"}


@pytest.mark.slow
def test_the_model_answers_each_column_by_its_name(run, rendered):
    photo = frame(rendered, 0, "Anger", 0)
    (face,) = load_model(run / "model", device="cpu").analyze(photo).faces
    assert list(face.probabilities) == ["expression"]
    assert {task: list(values) for task, values in face.values.items()} == {
        task: values["labels"] for task, values in TASKS.items()
    }
    assert all(0 <= value <= 1 for value in face.values["units"].values())
    assert 0 <= face.values["age"]["age"] <= 100
    assert set(face.as_json()["values"]) == set(TASKS)
    assert face.most_likely("units") is None
    printed = CliRunner().invoke(app, ["analyze", str(photo), "--model", str(run / "model"), "--device", "cpu"]).output
    assert f", AU1 {face.values['units']['AU1']:.2f}, AU4 " in printed
    assert f", age {face.values['age']['age']:.2f}, confidence" in printed


@pytest.mark.slow
def test_the_exported_network_answers_each_task_under_its_name(run, tmp_path):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    from dwmtl.inference.onnx_export import export_onnx

    exported = export_onnx(run / "model", tmp_path / "model.onnx")
    assert exported.outputs == ("embedding", "expression", *TASKS)
    session = runtime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    answers = session.run(None, {"crops": np.full((3, 80, 80, 3), 90, np.uint8)})
    assert [values.shape[1] for values in answers[2:]] == [len(values["labels"]) for values in TASKS.values()]
    assert ((answers[-1] >= 0) & (answers[-1] <= 100)).all()
