"""Experiments in a git submodule, in a worktree and below a monorepo's folder; with folders outside the checkout."""

import copy
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

pipeline = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_pipeline.py"))))
pipeline.SMALL["render.num_expression_subjects"] = 1  # nothing is trained


def in_a_monorepo(tmp_path: Path):
    folder = tmp_path / "monorepo/faces"
    folder.mkdir(parents=True)
    project = pipeline.Project(folder, git_root=folder.parent)
    project.commit("project")
    return project


def in_a_repository(folder: Path):
    folder.mkdir()
    project = pipeline.Project(folder)
    project.commit("project")
    return project


def moved(project, folder: Path):
    """The same project in another checkout."""
    other = copy.copy(project)
    other.folder = folder
    return other


def in_a_submodule(tmp_path: Path):
    project = in_a_repository(tmp_path / "origin")
    whole = tmp_path / "whole"
    add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(project.folder), "faces"]
    project.run("git", "init", "--quiet", str(whole))
    project.run("git", "-C", str(whole), *add)
    return moved(project, whole / "faces")


def in_a_worktree(tmp_path: Path):
    project = in_a_repository(tmp_path / "origin")
    project.run("git", "worktree", "add", "--quiet", str(tmp_path / "worktree"))
    return moved(project, tmp_path / "worktree")


@pytest.mark.slow
@pytest.mark.parametrize("make", [in_a_monorepo, in_a_submodule, in_a_worktree])
def test_an_experiment_in_a_copy_is_kept_and_leaves_its_state_in_the_checkout(make, tmp_path):
    project = make(tmp_path)
    project.run("dvc", "exp", "run", "--temp", "--name", "more", "--set-param", "render.num_frames=5", "render")
    (row,) = [row for row in json.loads(project.run("dvc", "exp", "show", "--json")) if row["experiments"]]
    assert [experiment["name"] for experiment in row["experiments"]] == ["more"]
    assert len(list((project.folder / ".dwmtl/experiments").glob("*/running/render-*.pid"))) == 1


@pytest.mark.slow
def test_a_set_outside_the_checkout_is_read_from_a_copy(tmp_path):
    (tmp_path / "work").mkdir()
    project = in_a_repository(tmp_path / "work/checkout")
    project.run("dvc", "repro", "render")
    (project.folder / "data/raw/rendered/identities").rename(tmp_path / "work/identities")
    project.set_params({"sets.identity.folder": "../identities"})
    project.run("dwmtl", "check")
    project.commit("a folder of one's own")
    project.run("dvc", "exp", "run", "--temp", "--name", "own", "index@identity")
    project.run("dvc", "exp", "branch", "own", "own-branch")
    stages = yaml.safe_load(project.run("git", "show", "own-branch:dvc.lock"))["stages"]
    assert "../identities" in [dep["path"] for dep in stages["index@identity"]["deps"]]
