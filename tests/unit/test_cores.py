import math
import os

import pytest

from dwmtl import cores


def machine(root, groups: str, files: dict[str, str]):
    """A folder with the files in which Linux names a process's control groups and their limits."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_the_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(cores, "quota", lambda: math.inf)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 5}, raising=False)
    assert cores.num_cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")  # not on Linux
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cores.num_cores() == 7


@pytest.mark.parametrize(("quota", "expected"), [(0.1, 1), (1.0, 1), (1.5, 2), (8.0, 4), (math.inf, 4)])
def test_a_quota_allows_a_part_of_the_cores_rounded_up(monkeypatch, quota, expected):
    monkeypatch.setattr(cores, "quota", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    assert cores.num_cores() == expected


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5, id="a container"),
        pytest.param("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf, id="a container without a limit"),
        pytest.param(
            "0::/pod/box\n",
            {"sys/fs/cgroup/pod/cpu.max": "200000 100000\n", "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n"},
            2,
            id="a limit of the group above",
        ),
        pytest.param(
            "0::/pod/box\n",
            {"sys/fs/cgroup/pod/cpu.max": "400000 100000\n", "sys/fs/cgroup/pod/box/cpu.max": "50000 100000\n"},
            0.5,
            id="the least of two",
        ),
        pytest.param(
            "5:cpu,cpuacct:/docker/1f\n0::/\n",
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            3,
            id="version 1, the group's folder not in the container",
        ),
        pytest.param(
            "1:cpu:/\n",
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            math.inf,
            id="version 1 without a limit",
        ),
        pytest.param("2:cpuset:/a\n", {"sys/fs/cgroup/a/cpu.max": "100000 100000\n"}, math.inf, id="no CPU"),
        pytest.param("", {}, math.inf, id="no groups"),
        pytest.param("0::/\n", {"sys/fs/cgroup/cpu.max": "1 0 7\n"}, math.inf, id="a limit of another form"),
        pytest.param("cpu\n0:\n\n0::/\u00fc\n", {}, math.inf, id="groups of another form"),
    ],
)
def test_the_quota_is_that_of_the_control_groups(tmp_path, groups, files, expected):
    assert cores.quota(machine(tmp_path, groups, files)) == expected


def test_there_is_no_quota_where_the_system_has_no_control_groups(tmp_path):
    assert cores.quota(str(tmp_path)) == math.inf
