"""`dwmtl new`: a project beside the installed package, which runs the pipeline without the repository."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from dwmtl.cli.check import check
from dwmtl.cli.new import new, project_map
from dwmtl.errors import DwmtlError

REPOSITORY = Path(__file__).resolve().parents[2]
pipeline = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_pipeline.py"))))


def stages(text: str) -> dict[str, dict]:
    return {name: stage.get("do", stage) for name, stage in yaml.safe_load(text)["stages"].items()}


def test_a_projects_stages_are_the_repositorys_with_the_pinned_version_in_place_of_the_code():
    text = (REPOSITORY / "dvc.yaml").read_text()
    ours, theirs = stages(text), stages(project_map(text))
    for stage in ours.values():
        script, *rest = stage["deps"]
        stage["deps"] = [script, "requirements.txt", *(dep for dep in rest if not dep.startswith("dwmtl/"))]
    assert theirs == ours
    assert yaml.safe_load(project_map(text)).keys() == yaml.safe_load(text).keys()
    assert "DVC follows no imports" not in project_map(text)


def test_a_project_of_another_version_is_not_run(tmp_path):
    new(tmp_path / "faces")
    check(tmp_path / "faces")
    (tmp_path / "faces/requirements.txt").write_text("dwmtl[pipeline]==0.0.7  # ours\n")
    with pytest.raises(DwmtlError, match=r"requirements\.txt: it pins dwmtl 0\.0\.7, and .* is installed"):
        check(tmp_path / "faces")


def test_a_folder_that_holds_something_becomes_no_project(tmp_path):
    (tmp_path / "mine").write_text("work of weeks")
    with pytest.raises(DwmtlError, match="it is there already, and not empty"):
        new(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.fixture
def programs(python, tmp_path) -> Path:
    """A folder with `python`: every stage runs in a plain Python once, and for further sets in forks of one."""
    program = tmp_path / "bin/python"
    program.parent.mkdir()
    forking, further = python.programs / "python", '*"--set verification"* | *"--set identity"*'
    program.write_text(f'#!/bin/sh\ncase "$*" in {further}) exec {forking} "$@" ;; esac\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    return program.parent


@pytest.mark.slow
def test_a_project_of_the_installed_package_runs_the_whole_pipeline(programs, python, unpacked_wheel, tmp_path):
    environment = pipeline.environment(programs) | {"PYTHONPATH": str(unpacked_wheel)}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path / "faces", env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "faces").mkdir()
    assert "git init && make repro" in run(sys.executable, "-m", "dwmtl", "new", ".")
    path = tmp_path / "faces/params.yaml"
    path.write_text(pipeline.small(path.read_text(), {"tracking.enabled": False}))
    run("git", "init", "--quiet")
    for program in ("python", str(python.programs / "python")):
        assert str(unpacked_wheel) in run(program, "-c", "import dwmtl; print(dwmtl.__file__)")
    run("make", "repro")
    assert 0 <= json.loads((tmp_path / "faces/metrics/summary.json").read_text())["expression_accuracy"] <= 1
    assert (tmp_path / "faces/metrics/report/report.html").is_file()
    run("git", "add", "--all")
    kept = set(run("git", "ls-files").split())
    assert {"README.md", "dvc.lock", "dvc.yaml", "metrics/summary.json", "requirements.txt", "stages/train.py"} < kept
    assert {"examples/ck_plus_48.yaml", "examples/yale.yaml"} < kept
    assert not any(name.startswith(("data/models", "metrics/report", ".dwmtl")) for name in kept)
