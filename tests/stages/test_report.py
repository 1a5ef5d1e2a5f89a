import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from dwmtl.files import write_json
from dwmtl.params import load_params
from dwmtl.tables import CROPS, DUPLICATES, EVALUATED_PAIRS, read_table, write_table
from dwmtl.weighting.params import weighting_params

REPOSITORY = Path(__file__).resolve().parents[2]
RATES = {"accuracy_std": 0.0, "auc": 0.8, "eer": 0.2, "num_pairs": 2, "val_at_far": {}, "tar_at_far": {}}
METRICS = {
    "expression": {
        "accuracy": 0.5,
        "balanced_accuracy": 0.5,
        "macro_f1": 0.5,
        "majority": 0.5,
        "num_photos": 2,
        "per_class": {"anger": 1.0, "happiness": 0.0},
    },
    "further_tasks": {},
    "verification": {"accuracy_mean": 0.75, **RATES},
    "expression_pairs": {"accuracy_mean": 0.75, **RATES},
    "authentication": {"accuracy": 0.8, "far": 0.1, "frr": 0.3, "product": 0.6, "always_reject": 0.75},
    "num_fallback_crops": {"expression": 0, "verification": 0},
    "settings": {"distance": "squared_euclidean", "flip": "none", "subtract_mean": False},
}
MODEL = "ab" * 32
PHOTOS = {
    "expression": ["expression/P1/anger.jpg", "expression/P1/happy.jpg"],
    "verification": ["verification/A/1.jpg", "verification/B/1.jpg"],
    "identity": ["identity/C/1.jpg"],
}


def _write_fold(folder: Path, number: int, accuracy: float) -> None:
    """What the stages `train` and `evaluate` leave of a fold: one photo and one pair of each set are wrong."""
    training, evaluation = folder / f"training/fold_{number}", folder / f"evaluation/fold_{number}"
    losses = {"loss_identity": [2.0, 1.0, 0.5], "loss_expression": [1.5, 1.5, 1.4]}
    weights = {"weight_identity": [0.6, 0.4, 0.3], "weight_expression": [0.4, 0.6, 0.7]}
    write_table(pd.DataFrame({"step": [0, 1, 2], "epoch": 0, **losses, **weights}), training / "trajectory.csv")
    write_table(pd.DataFrame(columns=["epoch", "accuracy", "loss"]), training / "validation.csv")
    facts = {"num_subjects": 4, "num_photos": 16, "num_steps": 3, "num_parameters": 9, "model_sha256": MODEL}
    write_json(facts, training / "training.json")
    write_json({**METRICS, "expression": {**METRICS["expression"], "accuracy": accuracy}}, evaluation / "metrics.json")
    predictions = {"photo": PHOTOS["expression"], "subject": "P1", "expression": ["anger", "happiness"]}
    write_table(
        pd.DataFrame({**predictions, "predicted": "anger", "confidence": [0.9, 0.8]}), evaluation / "predictions.csv"
    )
    own = {"is_required_expression": True, "is_accepted": True}
    pairs = [
        {"set": name, "input": PHOTOS[name][0], "reference": PHOTOS[name][1], "is_same_identity": is_same, **known}
        for name, known in (("expression", own), ("verification", {}))
        for is_same in (True, False)
    ]
    decisions = {"distance": 0.4, "threshold": 0.5, "is_verified": True, "fold": 0}
    people = {"input_subject": "P1", "reference_subject": "P2"}
    write_table(pd.DataFrame(pairs).assign(**decisions, **people), evaluation / "pairs.csv", EVALUATED_PAIRS)
    roc = {"far": [0.0, 0.2, 1.0], "tar": [0.0, 0.8, 1.0]}
    curves = [pd.DataFrame({"set": name, **roc}) for name in ("expression", "verification")]
    write_table(pd.concat(curves), evaluation / "roc.csv")


def _write_start(folder: Path, pairs: Path) -> None:
    """What the stage `evaluate_start` leaves: the decisions of a fold, without a gain."""
    write_json(METRICS["verification"], folder / "metrics.json")
    table = read_table(pairs, EVALUATED_PAIRS)
    write_table(table[table["set"] == "verification"], folder / "pairs.csv", EVALUATED_PAIRS)


def _card(role: str) -> dict[str, object]:
    """A data card as the stage `data_card` writes it."""
    return {
        "source": {
            "name": role,
            "role": role,
            "adapter": "folders",
            "folder": f"data/raw/{role}",
            "is_drawn": role == "identity",
            "terms": f"The terms of the {role} set.",
        },
        "photos": {"num": 2, "num_used": 2, "by_use": {"train": 2}},
        "subjects": {
            "num": 2,
            "num_photos_without": 0,
            "num_with_one_photo": 2,
            "photos_each": {"min": 1, "median": 1.0, "max": 1},
            "counts": {"P1": 1, "P2": 1},
        },
        "expressions": {"num_photos_without": 2, "counts": {}},
        "labels": {},
        "folds": None,
        "pairs": None,
        "alignment": {
            "num_photos": 2,
            "num_by_status": {"aligned": 2, "fallback": 0, "unreadable": 0},
            "num_several_faces": 0,
            "confidence": None,
            "face_side_px": None,
            "failed_by_expression": {},
            "failures": [],
        },
        "sizes": None,
        "duplicates": None,
        "lacks": [],
        "cautions": [f"The {role} set is small."],
    }


@pytest.fixture
def run(python, tmp_path, write_params):
    """Runs the stage on two folds of three crops' worth of outcome in tmp_path."""
    for number, accuracy in ((0, 0.5), (1, 0.7)):
        _write_fold(tmp_path, number, accuracy)
    _write_start(tmp_path / "evaluation/start", tmp_path / "evaluation/fold_0/pairs.csv")
    for role, photos in PHOTOS.items():
        names = [photo.removeprefix(f"{role}/") for photo in photos]
        crops = pd.DataFrame({"photo": names, "num_faces": 1, "status": "aligned"}).reindex(columns=list(CROPS))
        crops["crop"] = [f"photos/{index}.png" for index in range(len(photos))]
        write_table(crops, tmp_path / "aligned" / role / role / "crops.csv", CROPS)
        (tmp_path / "aligned" / role / role / "photos").mkdir()
        for crop in crops["crop"]:
            Image.new("RGB", (112, 112), (90, 120, 150)).save(tmp_path / "aligned" / role / role / crop)
        write_json(_card(role), tmp_path / "cards" / role / "card.json")
    write_table(pd.DataFrame(columns=list(DUPLICATES)), tmp_path / "labels/duplicates.csv", DUPLICATES)
    write_table(pd.DataFrame({"subject": ["P1", "P2"], "fold": [0, 1]}), tmp_path / "labels/folds.csv")
    write_table(pd.DataFrame({"photo": PHOTOS["expression"], "subject": "P1"}), tmp_path / "labels/expression.csv")

    def run(out: str = "out", **changes: object) -> subprocess.CompletedProcess:
        params = write_params({"tracking.enabled": False, "folds": [0, 1], **changes})
        options = [f"--{name}={tmp_path / name}" for name in ("training", "evaluation", "aligned", "labels", "cards")]
        options.append(f"--verification={tmp_path / 'index'}")
        outputs = {"out": "report", "summary": "summary.json", "details": "details.json", "plots": "plots"}
        options += [f"--{option}={tmp_path / out / name}" for option, name in outputs.items()]
        return python("stages/report.py", *options, f"--params={params}")

    return run


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_outcome_gives_the_same_bytes_and_nothing_else(run, tmp_path):
    first, second = run("first"), run("second")
    assert (first.returncode, first.stderr) == (0, "")
    assert second.returncode == 0
    files = _files(tmp_path / "first")
    assert files == _files(tmp_path / "second")
    tables = {f"plots/{name}.csv" for name in ("task_weights", "task_losses", "roc", "confusion")}
    assert {
        "summary.json",
        "details.json",
        "report/report.html",
        "report/report.md",
        "report/model_card.md",
        *tables,
    } <= set(files)


def test_the_terms_and_whether_a_set_is_drawn_are_its_cards(run, tmp_path):
    assert run().returncode == 0
    card, report = ((tmp_path / "out/report" / name).read_text() for name in ("model_card.md", "report.md"))
    assert "- expression: The terms of the expression set.\n" in card
    assert "Drawn by this project, no photographs: identity set." in report


def test_only_the_folds_of_the_params_are_summed_up(run, tmp_path):
    assert run(folds=[1]).returncode == 0  # fold 0 stays behind from an earlier experiment
    details = json.loads((tmp_path / "out/details.json").read_text())
    assert details["folds"] == [1]
    assert details["scores"]["expression_accuracy"] == {"mean": 0.7, "std": 0.0, "per_fold": [0.7], "interval": None}
    assert json.loads((tmp_path / "out/summary.json").read_text())["expression_accuracy"] == 0.7


def test_a_fold_that_was_not_evaluated_is_named_and_nothing_is_written(run, tmp_path):
    done = run(folds=[0, 3])
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "fold_3" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_start_that_was_not_scored_is_named(run, tmp_path):
    (tmp_path / "evaluation/start/metrics.json").unlink()
    done = run()
    assert done.returncode == 1
    assert "evaluation/start/metrics.json: no such file. Run `dvc repro` to make it." in done.stderr


def test_a_set_without_a_card_is_named(run, tmp_path):
    (tmp_path / "cards/identity/card.json").unlink()
    done = run()
    assert done.returncode == 1
    assert "cards/identity/card.json: no such file" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An MLflow database in tmp_path, with the experiment that the report is of and an earlier one."""
    from dwmtl.tracking.experiments import resume_experiment_run, start_fold_run

    monkeypatch.chdir(tmp_path)  # where MLflow puts the artifacts
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    params = load_params(REPOSITORY / "params.yaml")
    train = params.train.model_copy(update={"weighting": weighting_params("equal")})
    other = params.model_copy(update={"train": train})
    for values, model in ((other, "other"), (params, MODEL)):
        with start_fold_run(values, 0, data_sha256="d") as fold:
            fold.set_tag("dwmtl.model_sha256", model)
    with resume_experiment_run(other, "other") as earlier:
        earlier.log_metrics({"expression_accuracy": 0.52, "verification_accuracy": 0.7})
    with resume_experiment_run(params, MODEL) as own:
        return own


def _copy(server, folder: Path) -> Path:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    return Path(client.download_artifacts(server.run_id, "report"))


def test_the_copy_in_mlflow_tells_when_on_what_and_against_which_experiments(run, server, tmp_path):
    done = run(**{"tracking.enabled": True})
    assert done.returncode == 0, done.stderr
    logged = _copy(server, tmp_path)
    for name in ("report.html", "report.md"):
        copy, output = ((folder / name).read_text() for folder in (logged, tmp_path / "out/report"))
        for text in (
            "written 20" if name.endswith("md") else "<td>written</td>",
            "commit",
            "processor",
            "time of fold 0",
        ):
            assert text in copy
        assert "Compared with earlier experiments" in copy
        assert "equal on oulu_casia" in copy
        assert "train.weighting.name equal (not dynamic)" in copy
        assert "52.0 %" in copy
        assert "(+8.0)" in copy
        for text in ("written", "commit", "processor", "time of", "earlier experiments"):
            assert text not in output


def test_the_output_is_the_same_with_and_without_a_server(run, server, tmp_path):
    assert run("with", **{"tracking.enabled": True}).returncode == 0
    assert run("without").returncode == 0
    assert _files(tmp_path / "with") == _files(tmp_path / "without")


def test_a_server_that_is_down_costs_a_warning(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = run(**{"tracking.enabled": True})
    assert done.returncode == 0
    assert "This run is not logged" in done.stderr
    assert (tmp_path / "out/report/report.html").is_file()
