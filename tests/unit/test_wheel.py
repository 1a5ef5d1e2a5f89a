"""The wheel, outside the checkout and without the packages of any extra: what `pip install dwmtl` gives."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dwmtl
from dwmtl.cli.new import FILES
from dwmtl.errors import EXTRAS

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
BROUGHT_BY_THE_CORE = {"filelock", "jinja2", "packaging"}
"""Imports of extras that torch and timm install, too."""
CORE = ("cli", "crops", "datasets", "inference", "network", "scores")
"""Rooms whose every module is imported without an extra."""


@pytest.fixture(scope="module")
def elsewhere(unpacked_wheel, known, module_path):
    """Runs Python in a folder with a model and photos, where the unpacked wheel is imported, and no extra can be."""
    folder, blocker = module_path / "elsewhere", module_path / "blocker"
    blocker.mkdir()
    blocked = sorted(EXTRAS.keys() - BROUGHT_BY_THE_CORE)  # None: as if it were not installed
    (blocker / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({blocked}))\n")
    folder.mkdir()
    shutil.copytree(known.model, folder / "model")
    shutil.copy(known.photo("happiness"), folder / "ann_happy.jpg")
    shutil.copy(known.photo("neutral"), folder / "ann.jpg")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (blocker, unpacked_wheel)))}
    environment.pop("MLFLOW_TRACKING_URI", None)

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment | variables, capture_output=True, text=True, check=False
        )

    run.site = unpacked_wheel
    return run


def test_the_wheel_holds_every_file_of_the_package_and_of_a_project(unpacked_wheel):
    def files(folder: Path) -> set[str]:
        paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {path.relative_to(folder).as_posix() for path in paths}

    held, package = files(unpacked_wheel / "dwmtl"), files(REPOSITORY / "dwmtl")
    assert package <= held
    assert {"py.typed", "__init__.pyi", "report/templates/report.html.j2"} < package
    of_a_project = {path for pattern in FILES for path in REPOSITORY.glob(pattern)}
    assert held - package == {f"project_files/{path.relative_to(REPOSITORY).as_posix()}" for path in of_a_project}


def test_the_commands_are_listed_and_the_version_is_printed(elsewhere):
    done = elsewhere("-m", "dwmtl", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "analyze" in done.stdout
    assert elsewhere("-m", "dwmtl", "--version").stdout == f"dwmtl {dwmtl.__version__}\n"


def test_a_shell_completes_a_command(elsewhere):
    words = {"COMP_WORDS": "dwmtl ana", "COMP_CWORD": "1"}
    assert elsewhere("-m", "dwmtl", _DWMTL_COMPLETE="complete_bash", **words).stdout.split() == ["analyze"]


@pytest.mark.slow
def test_a_photo_is_analysed_by_a_model_outside_the_checkout(elsewhere):
    done = elsewhere("-m", "dwmtl", "analyze", "ann_happy.jpg", "--model", "model", "--annotate", "drawn.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ann_happy.jpg: 1 face\n  happiness" in done.stdout


@pytest.mark.slow
def test_the_core_is_imported_and_answers_without_any_extra(elsewhere):
    modules = sorted(
        path.relative_to(elsewhere.site).with_suffix("").as_posix().replace("/", ".")
        for room in CORE
        for path in (elsewhere.site / "dwmtl" / room).rglob("*.py")
    )
    assert len(modules) > 50
    done = elsewhere(
        "-c",
        "import importlib, dwmtl\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        "model = dwmtl.load_model('model', threshold=1.0)\n"
        "print(dwmtl.__file__, model.verify('ann_happy.jpg', 'ann.jpg').is_same)",
    )
    assert done.stdout.split() == [str(elsewhere.site / "dwmtl/__init__.py"), "True"], done.stderr


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("demo --model model", "error: starlette is not installed. Run: pip install 'dwmtl[demo]'"),
        ("compare", "does not answer: mlflow is not installed. Run: pip install 'dwmtl[pipeline]'"),
        (
            "check",
            "error: the stages need dvc, lightning_fabric, matplotlib, mlflow, psutil. "
            "Run: pip install 'dwmtl[pipeline]'",
        ),
    ],
)
def test_a_missing_extra_is_one_line_that_says_what_to_install(elsewhere, command, line):
    done = elsewhere("-m", "dwmtl", *command.split(), MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().splitlines()[-1].endswith(line)
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("stage", "package"), [("train", "lightning_fabric"), ("report", "matplotlib")])
def test_a_stage_without_its_extra_is_one_line_that_says_what_to_install(elsewhere, stage, package):
    done = elsewhere(str(REPOSITORY / "stages" / f"{stage}.py"))
    line = f"error: {package} is not installed. Run: pip install 'dwmtl[pipeline]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_each_import_of_an_extra_belongs_to_one_of_its_packages():
    extras = {name: lines for name, lines in PROJECT["optional-dependencies"].items() if name not in ("site", "test")}
    packages = {(extra, line.replace("-", "_")) for extra, lines in extras.items() for line in lines}
    brought = {
        (extra, package): [name for name in EXTRAS if EXTRAS[name] == extra and package.startswith(name)]
        for extra, package in packages
    }
    assert [key for key, names in brought.items() if not names] == []
    assert {name for names in brought.values() for name in names} == set(EXTRAS)
