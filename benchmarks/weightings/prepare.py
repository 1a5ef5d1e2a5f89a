"""Prepares a data set of the comparison once for all rows: the stages of the repository's dvc.yaml up to `pretrain`,
and the checkpoint that trainings start from.

They run in a copy of the project whose params.yaml has the changes of the grid, so that the commands are those of
dvc.yaml.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from grid import REPOSITORY, from_repository, params_of, read_yaml
from ruamel.yaml import YAML

from dwmtl.files import whole_folder
from dwmtl.params import load_params
from dwmtl.stage import run

CODE = ("dwmtl", "stages")
STAGES = ("align", "pairs", "pretrain")
"""The last stages that a training and its evaluation need; those before them run, too."""


def main(data_set: str, out: Path) -> None:
    """Write params.yaml and the project's folder `data` without the photos."""
    grid = read_yaml(Path("grid.yaml"))
    start = grid["data_sets"][data_set]["start"]
    with whole_folder(out) as folder:
        YAML().dump(params_of(grid, data_set), folder / "params.yaml")
        open_project(folder)
        if start is not None:
            name = load_params(folder / "params.yaml").train.start
            command = ["dwmtl", "start-from", str(from_repository(start)), "--name", name]
            subprocess.run(command, cwd=folder, check=True)
        subprocess.run([sys.executable, "-m", "dvc", "repro", *STAGES], cwd=folder, check=True)
        close_project(folder)


def open_project(folder: Path) -> None:
    """Make a folder with a params.yaml a DVC project with the repository's dvc.yaml and code."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n")
    for name in (".dvcignore", "dvc.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    for name in CODE:
        (folder / name).symlink_to(REPOSITORY / name)


def close_project(folder: Path) -> None:
    """Remove all but the params and the results."""
    for name in CODE:
        (folder / name).unlink()
    for name in (".dvc", ".dwmtl", "data/raw"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (".dvcignore", "dvc.yaml", "dvc.lock"):
        (folder / name).unlink()


if __name__ == "__main__":
    run(main)
