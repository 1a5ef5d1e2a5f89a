import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from dwmtl.errors import TableError, TrackingError
from dwmtl.params import load_params
from dwmtl.tracking.data_sets import fold_data_sets, fold_data_sha256
from dwmtl.tracking.experiments import start_fold_run
from dwmtl.tracking.log_training import log_training
from dwmtl.tracking.machine import experiment_name
from dwmtl.tracking.resend import resend

STEPS = 5


def runs_by_name(client) -> dict[str, object]:
    experiment = client.get_experiment_by_name("dwmtl")
    found = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def test_a_server_that_knows_nothing_gets_everything(checkout, server):
    assert resend(checkout) == [
        "pretrain: training",
        "fold 0: training",
        "fold 0: evaluation, model",
        "fold 1: training",
        "fold 1: evaluation, model",
        "scores over the folds, report",
    ]
    runs = runs_by_name(server)
    parent, fold = runs["dynamic on oulu_casia"], runs["fold 1"]
    assert fold.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert fold.data.tags["dwmtl.resent"] == "true"
    assert {run.info.status for name, run in runs.items()} <= {"FINISHED"}
    assert [point.step for point in server.get_metric_history(fold.info.run_id, "weight/identity")] == [*range(STEPS)]
    assert fold.data.metrics["verification_accuracy"] == fold.data.metrics["verification/accuracy_mean"] == 0.7
    assert parent.data.metrics["expression_accuracy_low"] == 0.5
    assert parent.data.metrics["weight/expression"] == 0.4
    assert [point.value for point in server.get_metric_history(parent.info.run_id, "loss/identity")] == [1.5] * STEPS
    assert "verification_accuracy_low" not in parent.data.metrics
    assert [artifact.path for artifact in server.list_artifacts(parent.info.run_id)] == ["report"]
    assert not any(name.startswith("time/") for name in fold.data.metrics)
    versions = server.search_model_versions("name='dwmtl'")
    assert [version.description for version in versions] == ["# Model card\n"] * 2
    models = server.search_logged_models([parent.info.experiment_id])
    assert [model.tags["mlflow.note.content"] for model in models] == ["# Model card\n"] * 2


def test_a_server_that_has_everything_gets_nothing(checkout, server):
    resend(checkout)
    before = runs_by_name(server)
    assert resend(checkout) == []
    assert runs_by_name(server).keys() == before.keys()


def test_a_server_that_died_half_way_gets_the_rest(checkout, server):
    params = load_params(checkout / "params.yaml")
    tables = {"labels": checkout / "data/labels", "aligned": checkout / "data/aligned"}
    folders = {"model": checkout / "data/models/fold_0", "metrics": checkout / "metrics/training/fold_0"}
    with start_fold_run(params, 0, data_sha256=fold_data_sha256(params, **tables)) as run:
        log_training(run, fold_data_sets(params, 0, **tables), **folders)
    sent = resend(checkout)
    assert "fold 0: training" not in sent
    assert "fold 0: evaluation, model" in sent
    assert runs_by_name(server)["fold 0"].info.run_id == run.run_id


def test_another_evaluation_of_the_same_model_is_sent_to_its_run(checkout, server):
    resend(checkout)
    metrics = checkout / "metrics/evaluation/fold_0/metrics.json"
    metrics.write_text(metrics.read_text().replace("0.6", "0.65"))
    assert resend(checkout) == ["fold 0: evaluation, model"]
    run = runs_by_name(server)["fold 0"]
    assert run.data.metrics["expression/accuracy"] == 0.65
    for table, column, worst in (
        ("worst_pairs.json", "input", ["far.jpg", "near.jpg"]),
        ("wrong_expressions.json", "photo", ["sure.jpg", "unsure.jpg"]),
    ):  # once each, although sent twice
        rows = server.load_table(run.info.experiment_id, table, run_ids=[run.info.run_id])
        assert rows[column].tolist() == worst


def test_a_server_that_is_down_is_an_error(checkout, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"MLflow \(http://127.0.0.1:9\) does not answer"):
        resend(checkout)


def test_params_that_changed_since_the_training_are_refused(checkout, server):
    ran = yaml.safe_load((checkout / "params.yaml").read_text())
    lock = {"stages": {"train@1": {"params": {"params.yaml": {"train": ran["train"] | {"seed": 7}}}}}}
    (checkout / "dvc.lock").write_text(yaml.safe_dump(lock))
    with pytest.raises(TrackingError, match="train changed since stage train@1 ran"):
        resend(checkout)


@pytest.mark.parametrize(
    "lock",
    [
        "stages:\n<<<<<<< HEAD\n  train@0:\n    cmd: a\n=======\n  train@0:\n    cmd: b\n>>>>>>> b\n",
        "schema: '2.0'\nstages:\n  train@0: {cmd: a",
        "stages: {a: 1, a: 2}",
        "stages: {train@0: {params: {params.yaml: [train]}}}",
        "stages: [train@0]",
        "- stages",
        "schema: '2.0'",
        "stages: \0",
        "stages: 2001-13-01",
        "[" * 5000,
        "",
        b"stages: \xff",
    ],
)
def test_a_damaged_lock_is_one_line_with_the_cure(checkout, call_dwmtl, lock):
    (checkout / "dvc.lock").write_bytes(lock if isinstance(lock, bytes) else lock.encode())
    code, _, told = call_dwmtl("resend", checkout)
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith(
        f"error: {checkout}/dvc.lock: damaged, as by a merge or a kill. Restore it with `git restore"
    )


def test_a_lock_with_a_param_below_a_value_is_of_other_params(checkout, server):
    (checkout / "dvc.lock").write_text("stages: {train@0: {params: {params.yaml: {train.seed.x: 7, folds.0: 1}}}}")
    with pytest.raises(TrackingError, match=r"train\.seed\.x, folds\.0 changed since stage train@0 ran"):
        resend(checkout)


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("training/pretrain/training.json", "[]"),
        ("training/pretrain/training.json", '{"num_photos": 1'),
        ("evaluation/fold_0/metrics.json", '{"expression": 1}'),
    ],
)
def test_a_damaged_result_is_named(checkout, server, name, damaged):
    (checkout / "metrics" / name).write_text(damaged)
    with pytest.raises(TableError, match=f"{name}: .*Run `dvc repro` to make it again"):
        resend(checkout)


def test_the_pages_commands_run(checkout, server, call_dwmtl, monkeypatch):
    page = (Path(__file__).resolve().parents[3] / "docs/mlflow.md").read_text()
    lines = re.findall(r"^dwmtl .*$", "".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)), re.MULTILINE)
    assert {line.split()[1] for line in lines} == {"compare", "promote", "resend"}
    monkeypatch.setenv("DVC_EXP_NAME", "equal")
    resend(checkout)
    params = load_params(checkout / "params.yaml")
    monkeypatch.setenv("DVC_EXP_NAME", "uncertainty")
    with start_fold_run(params, 0, data_sha256="other"):
        pass
    monkeypatch.chdir(checkout)
    told = ""
    for line in lines:
        code, printed, _ = call_dwmtl(*shlex.split(line)[1:])
        assert code == 0, line
        told += printed
    assert "| equal       | dynamic   | 0, 1  | 70.0 (50.0 to 90.0) |" in told
    assert "the server has everything" in told


def test_a_folds_run_has_the_data_sets_of_all_roles_and_the_experiments_those_of_its_folds(checkout, server):
    resend(checkout)
    runs = runs_by_name(server)
    used = {
        (each.dataset.name, *(tag.value for tag in each.tags)): each.dataset
        for each in runs["fold 0"].inputs.dataset_inputs
    }
    assert set(used) == {
        ("expression (oulu_casia)", "training"),
        ("expression (oulu_casia), validation subjects", "validation"),
        ("expression (oulu_casia), test subjects", "testing"),
        ("identity (folders)", "pretraining"),
        ("verification (lfw)", "testing"),
    }
    tested = used["expression (oulu_casia), test subjects", "testing"]
    assert json.loads(tested.profile) == {"num_photos": 8}
    digests = {name: digests_of(runs[name]) for name in ("fold 0", "fold 1", "dynamic on oulu_casia")}
    assert digests["fold 0"] != digests["fold 1"]
    assert digests["dynamic on oulu_casia"] == digests["fold 0"] | digests["fold 1"]
    assert len(digests["fold 0"] & digests["fold 1"]) == 2  # identities and verification pairs, whichever the fold


def digests_of(run) -> set[tuple[str, str]]:
    return {(each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs}


def test_scores_on_validation_subjects_lie_at_the_last_step_of_their_epoch(checkout, server):
    resend(checkout)
    fold = runs_by_name(server)["fold 0"]
    history = server.get_metric_history(fold.info.run_id, "validation/accuracy")
    assert [(point.step, point.value) for point in history] == [(2, 0.5), (4, 0.55)]
    assert fold.data.metrics["validation_accuracy"] == 0.55


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def applied(checkout) -> Path:
    """A checkout with the results of DVC's experiment `s1`, after those of `s0` were committed."""
    git(checkout, "init", "--quiet")
    for name in ("s0", "s1"):
        (checkout / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{}}\n# {name}\n")
        git(checkout, "add", "dvc.lock")
        git(checkout, "commit", "--quiet", "--message", name)
        git(checkout, "update-ref", f"refs/exps/ab/{'cd' * 19}/{name}", "HEAD")
    git(checkout, "update-ref", "refs/exps/exec/EXEC_APPLY", "HEAD")
    return checkout


def test_an_applied_experiment_is_sent_under_its_name(applied, server):
    resend(applied)
    assert "s1" in runs_by_name(server)


def test_results_are_of_an_experiment_only_while_they_are_its_own(applied):
    assert experiment_name(applied) == "s1"
    (applied / "dvc.lock").write_text(git(applied, "show", "HEAD~:dvc.lock") + "\n")
    assert experiment_name(applied) == "s0"
    (applied / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert experiment_name(applied) is None
    (applied / "dvc.lock").unlink()
    assert experiment_name(applied) is None


def test_a_folder_without_git_is_of_no_experiment(checkout):
    assert experiment_name(checkout) is None
