"""What an interrupted stage left behind is thrown away where code changed that can change it, and nowhere else."""

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
KEYS_AFTER_CHANGES = """
import sys
from pathlib import Path
from dwmtl.crops.shards import shards_of
from dwmtl.training.checkpoint import training_key

for changed in sys.argv[1:]:
    with open(changed, "a") as file:
        file.write("# changed")
    (shard,) = shards_of(["a.png"], Path("work"), photos_per_shard=1, settings={}, stamp=lambda photo: "")
    print(shard.folder.name, training_key({"seed": 0}, {}, []))
"""


def test_only_code_that_can_change_a_shard_or_a_training_renames_it(tmp_path):
    shutil.copytree(REPOSITORY / "dwmtl", tmp_path / "dwmtl", ignore=shutil.ignore_patterns("__pycache__"))
    changes = {  # whether alignment's shards and a training's checkpoint are another's after it
        "dwmtl/cli/runs.py": (False, False),
        "dwmtl/datasets/yale.py": (False, False),
        "dwmtl/tracking/run.py": (False, False),
        "dwmtl/report/figures.py": (False, False),
        "dwmtl/training/losses.py": (False, True),
        "dwmtl/datasets/packs/files.py": (True, False),
        "dwmtl/crops/crop.py": (True, True),
        "dwmtl/tables.py": (True, True),
    }
    done = subprocess.run(
        [sys.executable, "-c", KEYS_AFTER_CHANGES, "dwmtl/cli/faces.py", *changes],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    keys = [line.split() for line in done.stdout.splitlines()]
    renamed = [tuple(a != b for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(keys)]
    assert dict(zip(changes, renamed, strict=True)) == changes
