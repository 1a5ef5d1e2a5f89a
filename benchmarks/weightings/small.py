"""The comparison at its smallest size, a DVC project in a new folder: `make compare SMALL=1`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from grid import REPOSITORY, read_yaml
from ruamel.yaml import YAML

from dwmtl.stage import run

HERE = Path(__file__).resolve().parent


def main(out: Path) -> None:
    """Create the project and run it."""
    (out / ".dvc").mkdir(parents=True)
    (out / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n")
    shutil.copy(HERE / "dvc.yaml", out)
    YAML().dump({"root": os.path.relpath(REPOSITORY, out), **read_yaml(HERE / "small.yaml")}, out / "grid.yaml")
    subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=out, check=True)


if __name__ == "__main__":
    run(main)
