"""The processor cores that this process may use, and OpenMP's threads on them. Imports next to nothing: every import of
dwmtl asks for them."""

import math
import os

_CHOSEN = "DWMTL_NUM_THREADS"
"""The environment variable that tells a process and its children which OMP_NUM_THREADS is dwmtl's, not the user's."""


def num_cores(root: str = "/") -> int:
    """The cores that this process may use, at least 1: those of `num_cores_by_affinity`, of which a container's quota
    may allow only a part, rounded up.

    Args:
        root: where `proc` and `sys` are.
    """
    return max(1, math.ceil(min(num_cores_by_affinity(), cpu_quota(root))))


def num_cores_by_affinity() -> int:
    """The cores that the system runs this process on; a scheduler or a user (`taskset`) may allow fewer than the
    machine has."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def cpu_quota(root: str = "/") -> float:
    """How many cores' time the control groups of this process allow it, such as `docker run --cpus 1.5`; infinite where
    they set no limit.

    When a group has used its quota, all its threads stand still until the period ends, by default 0.1 s. Groups are
    looked for where systemd and containers mount them.

    Args:
        root: where `proc` and `sys` are.
    Source: Linux, cgroup-v2.rst (`cpu.max`), sched-bwc.rst (`cpu.cfs_quota_us`), cgroups(7) (`/proc/self/cgroup`).
    """
    limits = [math.inf]
    for line in _text(os.path.join(root, "proc/self/cgroup")).splitlines():
        controllers, _, group = line.partition(":")[2].partition(":")
        if not controllers:
            for folder in _folders(root, ("", "unified"), group):
                limits.append(_limit(*_text(os.path.join(folder, "cpu.max")).split()[:2]))
        elif "cpu" in controllers.split(","):
            for folder in _folders(root, ("cpu", controllers), group):
                quota, period = (_text(os.path.join(folder, f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
                limits.append(_limit(quota.strip(), period.strip()))
    return min(limits)


def limit_threads(num_processes: int = 1) -> int | None:
    """Have OpenMP start a thread for each core that a quota allows, of which this process has its share.

    Without it OpenMP starts one for each core of the machine. What the user has set stays.

    Args:
        num_processes: those that share the cores with this one, itself included.
    Returns:
        The number of threads, for a torch that is loaded already; None where there is no quota, or the user has set it.
    """
    is_users = os.environ.get("OMP_NUM_THREADS") not in (None, os.environ.get(_CHOSEN))
    if is_users or num_cores() >= num_cores_by_affinity():
        return None
    num_threads = max(1, num_cores() // num_processes)
    os.environ["OMP_NUM_THREADS"] = os.environ[_CHOSEN] = str(num_threads)
    return num_threads


def _folders(root: str, mounts: tuple[str, ...], group: str) -> list[str]:
    """The folders of a group and of all groups above it; in a container, only the topmost may be there."""
    parts = [part for part in group.split("/") if part]
    return [
        os.path.join(root, "sys/fs/cgroup", mount, *parts[:depth])
        for mount in mounts
        for depth in range(len(parts) + 1)
    ]


def _limit(quota_us: str = "", period_us: str = "") -> float:
    """Cores' time of a quota in a period; a quota of `max`, -1 or nothing is none."""
    is_limit = quota_us.isdecimal() and period_us.isdecimal() and int(period_us) > 0
    return int(quota_us) / int(period_us) if is_limit else math.inf


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except OSError:
        return ""
