"""A killed `align` loses no finished shard, and what it makes in the end is what it would have made."""

import random
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

NUM_PHOTOS, PHOTOS_A_SHARD = 48, 2


@pytest.fixture
def faces(tmp_path) -> Path:
    """An identity set of rendered faces, indexed."""
    from dwmtl.params import load_params
    from dwmtl.rendered.sets import render_identities

    render = load_params().render.model_copy(update={"num_identity_people": 4, "num_photos_per_person": 12})
    render_identities(tmp_path / "faces", render)
    return tmp_path / "faces"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def finished(work: Path) -> dict[str, int]:
    """Finished shards, and when each was made."""
    shards = (path for path in work.glob("*/*") if path.suffix != ".partial")
    return {path.name: path.stat().st_mtime_ns for path in shards}


@pytest.mark.slow
@pytest.mark.parametrize(("num_workers", "num_kills"), [(0, 3), (2, 2)])
def test_killed_at_any_point_the_next_run_goes_on_and_ends_in_the_same_bytes(
    python, faces, write_params, tmp_path, num_workers, num_kills
):
    params = write_params(
        {
            "sets.identity.folder": faces,
            "align.crops_a_shard": PHOTOS_A_SHARD,
            "align.batch_size": 2,
            "compute.num_workers": num_workers,
        }
    )
    index = ("stages/index.py", "--set", "identity", "--out", tmp_path / "index", "--params", params)
    assert python(*index).returncode == 0
    common = ("stages/align.py", "--set", "identity", "--index", tmp_path / "index", "--params", params)
    assert python(*common, "--out", tmp_path / "whole", "--work", tmp_path / "whole_work").returncode == 0
    command = (*common, "--out", tmp_path / "out", "--work", tmp_path / "work")
    draw = random.Random(num_workers)
    before: dict[str, int] = {}
    for target in sorted(draw.sample(range(1, NUM_PHOTOS // PHOTOS_A_SHARD // 2), num_kills)):
        before = kill_after(python, command, tmp_path / "work", target, delay_s=draw.uniform(0, 0.05), before=before)
    last = python(*command)
    assert last.returncode == 0, last.stderr
    num_before = int(re.search(r"(\d+) of 24 shards are finished already", last.stderr)[1])
    assert num_before == len(before)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "out")) == NUM_PHOTOS // PHOTOS_A_SHARD + 2
    assert list((tmp_path / "work").iterdir()) == []  # nothing is kept of a run that ended


def kill_after(
    python, command: tuple[object, ...], work: Path, target: int, *, delay_s: float, before: dict[str, int]
) -> dict[str, int]:
    """Run until so many shards are finished, and a moment longer; SIGKILL. What is finished when its workers ended."""
    running = psutil.Process(python.start(*command))
    while running.is_running() and len(finished(work)) < target:
        time.sleep(0.01)
    time.sleep(delay_s)
    assert running.is_running(), "it ended before it was killed: more photos are needed"
    workers = running.children()
    running.kill()
    assert python.wait().returncode == -signal.SIGKILL
    now = finished(work)
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    later = finished(work)  # a shard that a worker was at the end of may still get finished
    assert len(later) >= target
    assert len(later) - len(now) <= 2
    assert before.items() <= later.items()  # not one was made again
    return later
