"""What docs/privacy.md and docs/libraries.md state of statistics, places and licences."""

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OPT_OUTS = ("MLFLOW_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS", "DO_NOT_TRACK", "CI")
UNSET = {name: value for name, value in os.environ.items() if name not in OPT_OUTS and not name.startswith("PYTEST")}


@pytest.mark.parametrize("config", [".dvc/config", "benchmarks/weightings/.dvc/config"])
def test_dvc_sends_no_statistics_and_looks_for_no_update(config):
    values = ConfigParser()
    values.read_string(re.sub(r"^\s+", "", (REPOSITORY / config).read_text(), flags=re.MULTILINE))
    assert not values.getboolean("core", "analytics")
    assert not values.getboolean("core", "check_update")


def test_every_target_of_make_runs_without_statistics():
    shown = subprocess.run(
        ["make", "--eval", "show: ; @env", "show"],
        cwd=REPOSITORY,
        env=UNSET,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"MLFLOW_DISABLE_TELEMETRY=true", "DVC_NO_ANALYTICS=true"} <= set(shown.stdout.splitlines())


IMPORTERS = sorted(
    f"dwmtl.tracking.{path.stem}"
    for path in (REPOSITORY / "dwmtl/tracking").glob("*.py")
    if path.stem != "served_model" and re.search(r"^\s*(import|from) mlflow", path.read_text(), flags=re.MULTILINE)
)
"""Modules that import MLflow; nothing else of dwmtl does (test_architecture.py), and MLflow itself runs the served
model."""


def test_whatever_of_dwmtl_imports_mlflow_turns_its_statistics_off_before():
    assert len(IMPORTERS) > 2
    code = (
        "import importlib, os, sys\n"
        "for name in sys.argv[1:]:\n"
        "    os.environ.pop('MLFLOW_DISABLE_TELEMETRY', None)\n"
        "    [sys.modules.pop(loaded) for loaded in [*sys.modules] if loaded.startswith('dwmtl')]\n"
        "    importlib.import_module(name)\n"
        "    assert 'mlflow' not in sys.modules, name\n"
        "    assert os.environ['MLFLOW_DISABLE_TELEMETRY'] == 'true', name\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "assert is_telemetry_disabled()\n"
    )
    subprocess.run([sys.executable, "-c", code, *IMPORTERS], cwd=REPOSITORY, env=UNSET, check=True)


NOT_PERMISSIVE = re.compile(r"GPL|EPL|MPL|Mozilla|GNU|Proprietary|^$")


def licence_of(package: str) -> str:
    """The expression in the metadata, or else the classifiers, or else the first line of the text; or empty."""
    about = metadata(package)
    classifiers = (line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if "License :: " in line)
    names = ", ".join(name for name in classifiers if name != "OSI Approved")
    told = [about.get("License-Expression"), names, about.get("License", "").partition("\n")[0]]
    return next(filter(None, told), "")


def test_every_dependency_whose_licence_is_not_permissive_is_named():
    section = (REPOSITORY / "docs/libraries.md").read_text().partition("## Licences")[2]
    cells = re.findall(r"^\| [^|]* \| ([^|]*) \|$", section, flags=re.MULTILINE)
    named = set(re.findall(r"[A-Za-z][\w-]*\*?", re.sub(r"\(.*?\)", "", " ".join(cells))))
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines():
        package, is_pinned, _ = line.partition("==")
        if not is_pinned:
            continue
        try:
            licence = licence_of(package)
        except PackageNotFoundError:  # another platform's, or an extra's
            continue
        is_named = package in named or (package.startswith("nvidia-") and "nvidia-*" in named)
        assert is_named == bool(NOT_PERMISSIVE.search(licence)), f"{package}: {licence or 'no licence'}"
