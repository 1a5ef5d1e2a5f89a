"""The whole pipeline in small, by DVC, in a copy of the repository: photos to report, and only what changed again."""

import copy
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import timm
import torch
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
pipeline = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_pipeline.py"))))


def commands(page: str) -> list[str]:
    """The lines of a page's blocks of bash."""
    blocks = re.findall(r"```bash\n(.*?)```", (REPOSITORY / "docs" / page).read_text(), flags=re.DOTALL)
    return "".join(blocks).replace("\\\n", " ").splitlines()


@pytest.fixture(scope="module")
def project(python, module_path):
    """DVC and its stages run in forks of Pythons that have imported much; in test_new_project.py in plain ones."""
    python.fork_dvc()
    project = pipeline.Project(module_path, programs=(python.programs,))
    project.first_run = project.reproduce()
    return project


@pytest.mark.slow
def test_every_stage_runs_from_photos_to_a_report(project):
    per_set = [
        f"{stage}@{role}"
        for stage in ("index", "align", "facts", "data_card")
        for role in ("expression", "verification", "identity")
    ]
    once = ["render", "labels", "pairs", "pretrain", "train@0", "evaluate@0", "evaluate_start", "report"]
    assert sorted(project.first_run) == sorted(per_set + once)
    summary = json.loads((project.folder / "metrics/summary.json").read_text())
    assert 0 <= summary["expression_accuracy"] <= 1
    assert (project.folder / "metrics/report/report.html").is_file()
    trajectory = pd.read_csv(project.folder / "metrics/training/fold_0/trajectory.csv")
    assert {"loss_identity", "loss_expression", "center_loss", "loss_weighting", "weight_identity"} <= set(trajectory)


@pytest.mark.slow
def test_the_folds_evaluation_and_the_report_land_in_their_runs(project):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{project.folder}/mlflow.db")
    runs = {
        run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("dwmtl").experiment_id])
    }
    fold, parent = runs["fold 0"], runs["dynamic on oulu_casia"]
    assert fold.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {"weight/identity", "loss/expression", "expression/accuracy", "verification/accuracy_mean"} <= set(
        fold.data.metrics
    )
    assert parent.data.metrics["expression_accuracy"] == fold.data.metrics["expression/accuracy"]
    assert fold.data.tags["dwmtl.data_sha256"]
    assert parent.data.metrics["weight/identity"] == pytest.approx(fold.data.metrics["weight/identity"], abs=1e-6)
    (version,) = client.search_model_versions("name='dwmtl'")
    assert version.run_id == fold.info.run_id
    assert version.tags["weighting"] == "dynamic"
    data = {each.dataset.name: json.loads(each.dataset.profile) for each in fold.inputs.dataset_inputs}
    assert data["expression (oulu_casia)"]["num_photos"] > 0
    assert data["expression (oulu_casia), test subjects"].keys() == {"num_photos", "num_pairs"}
    assert data["verification (lfw)"]["num_pairs"] > 0
    assert "identity (folders)" in data
    assert fold.data.metrics["validation_accuracy"] == parent.data.metrics["validation_accuracy"]


@pytest.mark.slow
def test_nothing_runs_again_until_a_fold_is_added_and_then_only_that_fold(project):
    assert project.reproduce() == []
    project.set_params({"folds": [0, 1]})
    assert project.reproduce() == ["train@1", "evaluate@1", "report"]
    details = json.loads((project.folder / "metrics/details.json").read_text())
    assert details["folds"] == [0, 1]
    project.set_params({"folds": [0]})


@pytest.mark.slow
def test_a_change_of_tracking_runs_nothing_and_one_of_an_adapter_runs_index_alone(project):
    project.reproduce()
    for changed, stages in {
        "tracking/run.py": [],
        "datasets/yale.py": ["index@expression", "index@identity", "index@verification"],
    }.items():
        with (project.folder / "dwmtl" / changed).open("a") as file:
            file.write("\n# changed\n")
        assert sorted(project.reproduce()) == stages


@pytest.mark.slow
def test_outputs_are_the_same_bytes_without_tracking(project):
    lock = project.folder / "dvc.lock"
    with_tracking = lock.read_bytes()  # the digests of every output
    assert yaml.safe_load((project.folder / "params.yaml").read_text())["tracking"]["enabled"]
    project.set_params({"tracking.enabled": False})
    tracked = ["pretrain", "train@0", "evaluate@0", "report"]
    assert project.reproduce("--force", "--single-item", *tracked) == tracked
    assert lock.read_bytes() == with_tracking
    project.set_params({"tracking.enabled": True})


@pytest.mark.slow
@pytest.mark.parametrize(("kill", "stage"), [("dvc alone", "train@0"), ("dvc and stage", "pretrain")])
def test_after_a_kill_the_next_repro_succeeds_with_the_same_bytes(project, kill, stage):
    """DVC killed alone leaves its stage running, and the next one starts it a second time."""
    project.reproduce()
    lock = project.folder / "dvc.lock"
    whole = lock.read_bytes()  # the digests of every output
    running = project.folder / ".dwmtl/running"
    for file in running.glob("*.pid"):
        file.unlink()
    options = ("--force", "--single-item", stage)
    command = [sys.executable, "-m", "dvc", "repro", *options]  # no fork in its place, which would survive it
    with subprocess.Popen(command, cwd=project.folder, env=project.environment, start_new_session=True) as dvc:
        while not list(running.glob("*.pid")):
            assert dvc.poll() is None
            time.sleep(0.05)
        if kill == "dvc alone":
            dvc.kill()
        else:
            os.killpg(dvc.pid, signal.SIGTERM)
    assert project.reproduce(*options) == [stage]
    assert lock.read_bytes() == whole


@pytest.mark.slow
def test_a_deleted_lock_file_is_rebuilt_from_the_cache(project):
    project.reproduce()
    lock = project.folder / "dvc.lock"
    whole = yaml.safe_load(lock.read_text())["stages"]  # with those of a fold that is not run any more
    lock.write_text("<<<<<<< HEAD\n" + lock.read_text())  # of a merge
    project.run("dvc", "repro", codes=(255,))
    lock.unlink()
    assert project.reproduce() == ["report"]  # its metrics are not in the cache
    rebuilt = yaml.safe_load(lock.read_text())["stages"]
    assert rebuilt == {name: whole[name] for name in rebuilt}
    assert "train@0" in rebuilt


@pytest.mark.slow
def test_metrics_and_plots_are_shown(project):
    shown = json.loads(project.run("dvc", "metrics", "show", "--json"))
    (shown_files,) = (of_revision["data"] for of_revision in shown.values())
    assert list(shown_files) == ["metrics/summary.json"]
    assert len(shown_files["metrics/summary.json"]["data"]) <= 12
    project.run("dvc", "plots", "show", "--out", "plots")
    page = (project.folder / "plots/index.html").read_text()
    for title in ("Task weights, mean over the folds", "Task losses", "Verification, mean", "Expressions, all folds"):
        assert title in page


@pytest.mark.slow
def test_every_command_of_the_first_run_works(project):
    for line in commands("first_run.md"):
        project.follow(line)
    assert (project.folder / "annotated.png").is_file()


@pytest.fixture
def remotes(project, tmp_path) -> Path:
    """A git remote `origin` and a DVC remote for the outputs, in the returned folder."""
    project.run("git", "init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    project.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    project.run("dvc", "remote", "add", "--local", "--default", "outputs", str(tmp_path / "outputs"))
    yield tmp_path
    project.run("git", "remote", "remove", "origin")
    project.run("dvc", "remote", "remove", "--local", "outputs")


@pytest.mark.slow
def test_a_checkout_that_ran_the_pipeline_and_a_clone_that_pulled_it_are_clean_for_dvc(project, remotes):
    """The comparison of the weightings, which nobody ran there, is a project of its own."""
    weightings = project.folder / "benchmarks/weightings"
    shutil.copytree(REPOSITORY / "benchmarks/weightings", weightings, ignore=shutil.ignore_patterns("results"))
    for leftover in project.folder.glob("metrics/*/fold_1"):  # of a fold that is no longer in `folds`
        shutil.rmtree(leftover)
    project.reproduce()
    project.run("dvc", "push")
    project.commit("run")
    project.run("git", "clone", "--quiet", ".", str(remotes / "clone"))
    clone = copy.copy(project)
    clone.folder = remotes / "clone"
    clone.run("dvc", "remote", "add", "--local", "--default", "outputs", str(remotes / "outputs"))
    for checkout, commands in {project: ("checkout", "pull"), clone: ("pull", "checkout")}.items():
        for command in commands:
            assert "weightings" not in checkout.run("dvc", command)
        assert checkout.run("dvc", "status").strip() == "Data and pipelines are up to date."
    shutil.rmtree(project.folder / "benchmarks")


@pytest.mark.slow
def test_every_command_of_the_page_on_experiments_works(project, remotes):
    project.commit("baseline")
    said = {}
    for line in commands("experiments.md"):
        said[line] = project.follow(line)
        if line.startswith("dvc queue start"):
            project.wait_for_queue()
        if line.startswith("dvc exp run --name uncertainty"):
            changed = json.loads(project.run("dvc", "params", "diff", "--json"))["params.yaml"]
            assert changed["train.weighting.name"] == {"old": "dynamic", "new": "uncertainty"}
            assert "verification_accuracy" in project.run("dvc", "metrics", "diff", "--all")
    assert re.search(r"train.weighting.name +equal +uncertainty", said["dvc params diff equal uncertainty"])
    (baselines,) = [told for line, told in said.items() if line.startswith('dwmtl compare "dynamic on oulu_casia"')]
    assert "- expression-alone: train.weighting.name single_task (not dynamic)\n" in baselines
    assert "(not dynamic); train.weighting.task identity (not -)" in baselines
    page = (project.folder / "dvc_plots/index.html").read_text()
    assert '"rev": "equal"' in page
    assert '"rev": "uncertainty"' in page
    assert yaml.safe_load((project.folder / "params.yaml").read_text())["train"]["weighting"]["name"] == "equal"
    assert "uncertainty" not in project.run("dvc", "exp", "list")
    assert "equal-weights" in project.run("git", "branch", "--list")
    assert "equal" in project.run("dvc", "exp", "list", "origin", "--all-commits")
    assert list((remotes / "outputs").rglob("*.dir"))
    assert all(len(line) < 80 for line in said["dvc dag --mermaid --collapse-foreach-matrix"].splitlines())
    table = said["make experiments"]  # after the queue
    assert all(len(line) < 160 for line in table.splitlines())
    assert re.search("n_accuracy .*train.seed +train.weighting.name", table)  # of the scores those that differ


@pytest.mark.slow
def test_queued_experiments_are_in_dvc_and_in_the_checkouts_mlflow_with_their_models(project):
    """Those of the page: `-S 'train.seed=0,1,2'`; seed 0 was run before."""
    from mlflow import MlflowClient

    rows = json.loads(project.run("dvc", "exp", "show", "--json"))
    names = {e["name"]: e["revs"][0]["data"] for row in rows for e in row["experiments"] or []}
    seeds = {name: data["params"]["params.yaml"]["data"]["train"]["seed"] for name, data in names.items()}
    client = MlflowClient(tracking_uri=f"sqlite:///{project.folder}/mlflow.db")
    (tracked,) = client.search_experiments(filter_string="name = 'dwmtl'")
    runs = {run.info.run_name: run for run in client.search_runs([tracked.experiment_id])}
    versions = {version.run_id for version in client.search_model_versions("name='dwmtl'")}
    queued = [name for name, seed in seeds.items() if seed in (1, 2)]
    assert len(queued) == 2
    for name in queued:
        folds = client.search_runs([tracked.experiment_id], f"tags.mlflow.parentRunId = '{runs[name].info.run_id}'")
        assert [fold.data.params["train.seed"] for fold in folds] == [str(seeds[name])]
        assert {fold.info.run_id for fold in folds} <= versions
        assert "expression_accuracy" in runs[name].data.metrics
    assert len(list((project.folder / ".dwmtl/experiments").glob("*/running/train-*.pid"))) == 4  # with the baselines


@pytest.mark.slow
def test_every_command_of_the_page_on_mlflow_works_and_its_server_answers_as_its_code_says(
    project, monkeypatch, capsys
):
    _, _, _, *reading, promote, _, serve, resend = commands("mlflow.md")  # `make ui` is of the first run's page too
    *compared, would = [project.follow(line) for line in reading]
    assert "dwmtl@champion would become version" in would
    assert "dwmtl@champion is version" in project.follow(promote)
    assert "uncertainty" in compared[0]
    names = [row["name"] for row in json.loads(compared[1])]
    assert names.index("uncertainty") < names.index("equal")  # the newest first
    shutil.copy(
        project.folder / "data/raw/rendered/oulu_casia/VL/Strong/P001/Happiness/003.jpeg",
        project.folder / "ann_happy.jpg",
    )
    rank, load, post = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/mlflow.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.folder}/mlflow.db")
    exec(rank, {})
    accuracies = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(accuracies) > 1
    assert accuracies == sorted(accuracies, reverse=True)
    exec(load, {})
    (expression,) = capsys.readouterr().out.split()
    monkeypatch.setenv("PATH", pipeline.environment()["PATH"])
    with project.served(shlex.split(serve)) as address:
        exec(post.replace("http://127.0.0.1:5001", address), {})
    assert expression in capsys.readouterr().out
    assert project.follow(resend).strip() == "the server has everything"


@pytest.mark.slow
def test_a_training_of_several_processes_is_started_by_the_line_of_the_page_and_taken_over(project):
    start, take_over = commands("training.md")
    for theirs, ours in (
        ("--nnodes 2 --nproc-per-node 4", "--nnodes 1 --nproc-per-node 2"),
        ("first-node:29500", "localhost:0"),
    ):
        assert theirs in start
        start = start.replace(theirs, ours)
    project.set_params({"compute.num_devices": 2})
    project.follow(start)
    project.follow(take_over)
    assert "train@0" not in project.run("dvc", "status")


@pytest.mark.slow
def test_a_training_starts_from_a_checkpoint_by_the_lines_of_the_page(project):
    """Those of a small network of timm, which is named; the page's weights are of a network that is known by them."""
    torch.save(timm.create_model("test_efficientnet").state_dict(), project.folder / "weights.pt")
    lines = commands("starting_points.md")
    (start,) = [number for number, line in enumerate(lines) if line.startswith("dwmtl start-from weights.pt")]
    network = "--trunk timm:test_efficientnet --crop-px 80"  # the crops that are there
    assert "align.crop_px" not in project.follow(f"{lines[start]} {network}")
    before = (project.folder / "params.yaml").read_text()
    (project.folder / "params.yaml").write_text(before.replace("crop_px: 80", "crop_px: 96"))
    stopped = project.run("dvc", "repro", "--force", "--single-item", "labels", codes=(255,))
    assert "train.start is vggface2, which needs align.crop_px 80 (not 96)" in stopped
    (project.folder / "params.yaml").write_text(before)
    project.follow(lines[start + 1])
    assert not list((project.folder / "data/models/pretrain").iterdir())  # nothing was pretrained
    details = json.loads((project.folder / "metrics/details.json").read_text())
    gain = details["scores"]["verification_accuracy"]["mean"] - details["start"]["verification_accuracy"]
    assert details["start"]["verification_gain"]["mean"] == pytest.approx(gain, abs=1e-5)
    card = json.loads((project.folder / "data/models/fold_0/model.json").read_text())
    assert card["network"]["trunk"] == "timm:test_efficientnet"


@pytest.mark.slow
def test_outputs_go_to_a_remote_by_the_lines_of_the_page_on_scaling(project, tmp_path):
    name, push = commands("scaling.md")
    project.follow(name.replace("s3://bucket/dwmtl", str(tmp_path / "store")))
    project.follow(push)
    assert list((tmp_path / "store").rglob("*.dir"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted(path.name for path in (REPOSITORY / "examples").glob("*.py")))
def test_every_notebook_runs_in_a_checkout_that_ran_the_pipeline(project, notebook):
    told = subprocess.run(
        ["python", str(REPOSITORY / "examples" / notebook)],
        cwd=project.folder,
        env=project.environment | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    expected = {"quick_start.py": "happiness", "compare_weightings.py": "dynamic", "your_own_data.py": "P001"}
    assert expected[notebook] in told.stdout
