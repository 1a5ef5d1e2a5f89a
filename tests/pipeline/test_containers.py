"""The Dockerfile, the development container and GitHub's workflow, as far as they are right without their programs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PINNED_PYTHON = re.findall(r"Python (3\.\d+)", (REPOSITORY / "constraints.txt").read_text())[0]
"""Of the tested set in constraints.txt."""
VERBS = re.findall(r"^([\w./-]+):", "\n".join((REPOSITORY / m).read_text() for m in ("Makefile", "project.mk")), re.M)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's: name and arguments, a continued line as one."""
    lines = [line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole if line)]


def kept_by_dockerignore() -> list[str]:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"  # all else is left out
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_the_image_has_the_pinned_python_and_extras_that_exist():
    assert {name for name, _ in instructions()} == {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "CMD"}
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert {re.match(r"python:(3\.\d+)-slim", image)[1] for image in images} == {PINNED_PYTHON}
    (install,) = [rest for name, rest in instructions() if "pip install" in rest]
    (extras,) = re.findall(r"\$\{wheel\}\[([\w,]+)\]", install)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_an_argument_names_the_index_of_torch_and_no_file_names_one():
    assert [rest for name, rest in instructions() if name == "ARG"] == ["TORCH_INDEX="]
    assert any("${TORCH_INDEX:+--extra-index-url" in rest for name, rest in instructions() if name == "RUN")
    for name in ("Dockerfile", ".github/workflows/ci.yml", ".devcontainer/devcontainer.json"):
        assert "://" not in (REPOSITORY / name).read_text()


def test_the_images_context_gives_the_same_wheel(unpacked_wheel, tmp_path):
    for name in kept_by_dockerignore():
        source, target = REPOSITORY / name, tmp_path / "context" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    subprocess.run(build, cwd=tmp_path / "context", capture_output=True, check=True)
    shutil.unpack_archive(next((tmp_path / "dist").glob("*.whl")), tmp_path / "site", "zip")

    def files(folder: Path) -> dict[str, bytes]:
        paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    assert files(tmp_path / "site") == files(unpacked_wheel)
    copied = [rest.split()[-2] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    assert [path for path in copied if path != "." and path not in kept_by_dockerignore()] == []


def test_the_development_container_installs_the_repositorys_environment():
    container = json.loads((REPOSITORY / ".devcontainer/devcontainer.json").read_text())
    make, verb = container["postCreateCommand"].split()
    assert make == "make"
    assert verb in VERBS
    assert f"python:{PINNED_PYTHON}-" in container["image"]
    settings = container["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == ".venv/bin/python"


def test_the_workflow_runs_ci_and_the_wheel_on_every_python_that_is_declared():
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())["jobs"]
    assert jobs["checkout"]["steps"][-1] == {"run": ".ci/run"}
    declared = [line.rpartition(" :: ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert jobs["wheel"]["strategy"]["matrix"]["python"] == declared
    assert PROJECT["requires-python"] == f">={declared[0]}"
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    for program, *arguments in map(str.split, lines):
        if program == "make":
            assert set(arguments) <= set(VERBS)
        paths = [word for word in (program, *arguments) if re.fullmatch(r"[\w.]+(/[\w.]+)+", word)]
        assert [path for path in paths if not (REPOSITORY / path).is_file()] == []
