"""DVC follows no imports: the packages that a stage depends on in dvc.yaml are those that its script imports."""

import ast
import os
import runpy
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from dwmtl.crops import shards
from dwmtl.training import checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]
imports = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("imports.py"))))
STAGES = {
    name: stage.get("do", stage)
    for name, stage in yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"].items()
}

NO_DEPS = (
    "__init__.py",  # of a package: its docstring alone
    "params.py",  # DVC compares the values, and a room's own params.py is part of the room
    "dwmtl/section.py",
    "dwmtl/tracking/*.py",  # no output holds any of it
    "dwmtl/checkout.py",
    "dwmtl/errors.py",
    "dwmtl/device.py",
    "dwmtl/cores.py",  # a number of threads, as `compute` has
    "dwmtl/progress.py",
    "dwmtl/stage.py",  # the command line of a script
)
"""Files that no stage depends on for being imported, and whose imports are not followed."""


def listed(stage: str) -> set[str]:
    """The code that a stage depends on in dvc.yaml."""
    return {dep for dep in STAGES[stage]["deps"] if dep.startswith(("dwmtl/", "stages/"))}


def imported(stage: str) -> set[str]:
    """The script, the top-level files of dwmtl, and the packages in its import closure: of each room the smallest
    package that holds all that is imported, so `dwmtl/datasets/packs` where no adapter is."""
    script = REPOSITORY / "stages" / f"{stage}.py"
    deps, rooms = set(), defaultdict(set)
    for file in imports.import_closure(script, ends_at=NO_DEPS):
        name = file.relative_to(REPOSITORY)
        if len(name.parts) == 2:
            deps.add(name.as_posix())
        else:
            rooms[name.parts[1]].add(name.parent)
    return deps | {Path(os.path.commonpath(folders)).as_posix() for folders in rooms.values()}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_what_its_script_imports(stage):
    missing, unneeded = imported(stage) - listed(stage), listed(stage) - imported(stage)
    assert (missing, unneeded) == (set(), set()), f"correct deps of {stage} in dvc.yaml: (missing, unneeded)"


def test_every_script_of_stages_is_run_by_the_stage_of_its_name():
    scripts = {file.stem for file in (REPOSITORY / "stages").glob("*.py")}
    assert scripts == set(STAGES)
    assert all(f"python stages/{name}.py " in stage["cmd"] for name, stage in STAGES.items())


def test_adapters_are_a_dep_of_index_alone():
    assert [stage for stage in STAGES if "dwmtl/datasets" in listed(stage)] == ["index"]


def test_importing_a_package_runs_nothing():
    """A package's `__init__.py` is no dep of a stage that depends on a package inside it."""
    packages = [file for file in (REPOSITORY / "dwmtl").glob("*/**/__init__.py") if file.parent.name != "cli"]
    assert [file for file in packages if len(ast.parse(file.read_text()).body) != 1] == []


def test_what_an_interrupted_stage_left_is_keyed_by_the_code_that_the_stage_depends_on():
    code = {
        stage: {dep.removeprefix("dwmtl/") for dep in listed(stage) if dep.startswith("dwmtl/")} for stage in STAGES
    }
    assert set(shards.CODE) == code["align"]
    assert set(checkpoint.CODE) == code["train"] >= code["pretrain"]


def test_the_closure_follows_what_is_imported_and_ends_where_it_is_told():
    files = imports.import_closure(
        REPOSITORY / "stages/train.py", ends_at=("dwmtl/tracking/*.py", "dwmtl/report/params.py")
    )
    closure = {file.relative_to(REPOSITORY).as_posix() for file in files}
    assert "dwmtl/tables.py" in closure  # imported by the script
    assert "dwmtl/weighting/gradnorm.py" in closure  # by weighting/by_name.py, by training/train.py
    assert "dwmtl/crops/params.py" in closure  # by dwmtl/params.py
    assert not any(name.startswith(("dwmtl/tracking/", "dwmtl/report/", "dwmtl/inference/")) for name in closure)


def test_an_import_inside_a_function_counts_and_one_for_who_asks_by_name_does_not(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("def load():\n    from dwmtl import tables\n\n\ndef __getattr__(name):\n    import dwmtl.stage\n")
    assert imports.imported_names(file) == {"dwmtl", "dwmtl.tables"}
    assert REPOSITORY / "dwmtl/tables.py" in imports.imported_files(file)
