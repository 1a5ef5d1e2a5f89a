import math
import os

import pytest

from dwmtl.cores import cpu_quota, num_cores


def machine(root, groups: str, limits: dict[str, str]):
    """A folder with the files in which Linux names a process's control groups and their limits."""
    for name, text in {"proc/self/cgroup": groups, **limits}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def v1(folder: str, quota_us: int) -> dict[str, str]:
    """A limit of a group of version 1."""
    numbers = {"quota": quota_us, "period": 100_000}
    return {f"sys/fs/cgroup/{folder}/cpu.cfs_{name}_us": f"{number}\n" for name, number in numbers.items()}


def v2(folder: str, quota_us: int | str) -> dict[str, str]:
    """A limit of a group of version 2."""
    return {f"sys/fs/cgroup/{folder}/cpu.max": f"{quota_us} 100000\n"}


def test_the_cores_are_those_that_the_process_may_use(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 5}, raising=False)
    assert num_cores(str(tmp_path)) == 2
    monkeypatch.delattr(os, "sched_getaffinity")  # not on Linux
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert num_cores(str(tmp_path)) == 7


@pytest.mark.parametrize(("quota_us", "expected"), [(10_000, 1), (100_000, 1), (150_000, 2), (800_000, 4), ("max", 4)])
def test_a_quota_allows_a_part_of_the_cores_rounded_up(monkeypatch, tmp_path, quota_us, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    assert num_cores(machine(tmp_path, "0::/", v2("", quota_us))) == expected


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        pytest.param("0::/\n", v2("", 150_000), 1.5, id="a container"),
        pytest.param("0::/\n", v2("", "max"), math.inf, id="a container without a limit"),
        pytest.param(
            "0::/pod/box\n", {**v2("pod", 200_000), **v2("pod/box", "max")}, 2, id="a limit of the group above"
        ),
        pytest.param("0::/pod/box\n", {**v2("pod", 400_000), **v2("pod/box", 50_000)}, 0.5, id="the least of two"),
        pytest.param(
            "5:cpu,cpuacct:/docker/1f\n0::/\n",
            v1("cpu", 300_000),
            3,
            id="version 1, the group's folder not in the container",
        ),
        pytest.param("1:cpu:/\n", v1("cpu", -1), math.inf, id="version 1 without a limit"),
        pytest.param(
            "1:cpuacct,cpu:/a/b\n",
            {**v1("cpuacct,cpu/a", 400_000), **v1("cpuacct,cpu/a/b", 250_000)},
            2.5,
            id="version 1, the least of two below the root",
        ),
        pytest.param("2:cpu:/a\n0::/b\n", {**v1("cpu/a", 300_000), **v2("unified/b", 200_000)}, 2, id="both versions"),
        pytest.param("2:cpuset:/a\n", v1("cpu/a", 100_000), math.inf, id="another controller"),
        pytest.param("0::/\u00fc\n", v2("\u00fc", 100_000), 1, id="a name that is not ASCII"),
        pytest.param("", {}, math.inf, id="no groups"),
        pytest.param("0::/\n", {"sys/fs/cgroup/cpu.max": "1 0 7\n"}, math.inf, id="a limit of another form"),
        pytest.param("cpu\n0:\n\n0::/\u00fc\n", {}, math.inf, id="groups of another form"),
    ],
)
def test_the_quota_is_that_of_the_control_groups(tmp_path, groups, limits, expected):
    assert cpu_quota(machine(tmp_path, groups, limits)) == expected


def test_there_is_no_quota_where_the_system_has_no_control_groups(tmp_path):
    assert cpu_quota(str(tmp_path)) == math.inf
