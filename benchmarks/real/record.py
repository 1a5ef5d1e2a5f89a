"""Keeps the scores of a project's last `dvc repro` for docs/results.md, with what they came from.

python benchmarks/real/record.py --project . --out benchmarks/real/results/ck_plus_48.json
"""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml import YAML

from dwmtl.files import write_json
from dwmtl.stage import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from outcome import hardware

PACKAGES = ("torch", "numpy", "dvc")
DETAILS = ("folds", "scores", "best_on_validation", "start", "expression_pooled", "chance")


def main(
    project: Annotated[Path, typer.Option(help="folder of the run")],
    out: Annotated[Path, typer.Option(help="the record, a JSON file")],
) -> None:
    """Write the record: scores, params, commit, hardware, versions."""
    details = json.loads((project / "metrics/details.json").read_text())
    commit = ["git", "-C", str(project), "rev-parse", "--short", "HEAD"]
    record = {
        "commit": subprocess.run(commit, capture_output=True, text=True, check=True).stdout.strip(),
        "hardware": hardware(),
        "versions": {name: version(name) for name in PACKAGES},
        "params": YAML(typ="safe", pure=True).load(project / "params.yaml"),
        **{key: details[key] for key in DETAILS if key in details},
    }
    write_json(record, out)


if __name__ == "__main__":
    run(main)
