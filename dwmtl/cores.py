"""The processor cores that this process may use. Imports next to nothing: every import of dwmtl asks for them."""

import math
import os


def num_cores() -> int:
    """The cores that this process may use, at least 1: those of `num_cores_by_affinity`, of which a container's quota
    may allow only a part, rounded up."""
    return max(1, math.ceil(min(num_cores_by_affinity(), quota())))


def num_cores_by_affinity() -> int:
    """The cores that the system runs this process on; a scheduler or a user (`taskset`) may leave it few."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def quota(root: str = "/") -> float:
    """How many cores' time the control groups of this process allow it, such as `docker run --cpus 1.5`; infinite where
    they set no limit.

    A process over its quota stands still for the rest of a tenth of a second. It still sees every core of the machine.

    Args:
        root: where `proc` and `sys` are.
    Source: Linux, cgroup-v2.rst (`cpu.max`), sched-bwc.rst (`cpu.cfs_quota_us`), cgroups(7) (`/proc/self/cgroup`).
    """
    limits = [math.inf]
    for line in _text(os.path.join(root, "proc/self/cgroup")).splitlines():
        rest = line.partition(":")[2]
        controllers, _, group = rest.partition(":")
        if not controllers:
            limits += [_limit(*_text(path).split()[:2]) for path in _in_groups(root, "", group, "cpu.max")]
        elif "cpu" in controllers.split(","):
            quotas, periods = (_in_groups(root, "cpu", group, f"cpu.cfs_{name}_us") for name in ("quota", "period"))
            limits += [_limit(_text(a).strip(), _text(b).strip()) for a, b in zip(quotas, periods, strict=True)]
    return min(limits)


def _in_groups(root: str, hierarchy: str, group: str, name: str) -> list[str]:
    """The paths of a file of a group and of all groups above it; in a container, only the topmost may be there."""
    parts = [part for part in group.split("/") if part]
    mount = os.path.join(root, "sys/fs/cgroup", hierarchy)
    return [os.path.join(mount, *parts[:depth], name) for depth in range(len(parts) + 1)]


def _limit(quota_us: str = "", period_us: str = "") -> float:
    """Cores' time of a quota in a period; a quota of `max`, -1 or nothing is none."""
    is_limit = quota_us.isdecimal() and period_us.isdecimal() and int(period_us) > 0
    return int(quota_us) / int(period_us) if is_limit else math.inf


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
