"""What a run ran on: commit, hardware, versions. Read on demand, and never part of a DVC output.

Contains no name of a host or user and no path outside the repository.
"""

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dwmtl.cores import num_cores

_RESULTS = ("dvc.lock", "metrics")
"""Paths that a run itself writes into the checkout; changes there do not count."""
_EXPERIMENT_REFS_IN_USE = ("refs/exps/exec/", "refs/exps/stash", "refs/exps/celery/", "refs/exps/tasks/")
"""DVC's own references below `refs/exps`; the others are experiments, `refs/exps/<commit>/<name>`."""


@dataclass(frozen=True)
class Commit:
    """The checked-out commit, in hexadecimal, and the files that differ from it, without results."""

    sha: str
    changed: tuple[str, ...]


def commit() -> Commit | None:
    """The checked-out commit; None outside a git checkout, or without git."""
    sha = _git("rev-parse", "HEAD")
    if sha is None:
        return None
    status = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{name}" for name in _RESULTS)) or ""
    return Commit(sha.strip(), tuple(line[3:] for line in status.splitlines()))


def experiment_name(root: Path) -> str | None:
    """Name of DVC's newest experiment whose results are those of a checkout, as after `dvc exp apply`; None without
    one."""
    listed = _git("-C", str(root), "for-each-ref", "--sort=-creatordate", "--format=%(refname)", "refs/exps") or ""
    lock = _git("-C", str(root), "hash-object", "dvc.lock")
    for ref in listed.splitlines():
        if ref.startswith(_EXPERIMENT_REFS_IN_USE):
            continue
        if lock is not None and _git("-C", str(root), "rev-parse", "--verify", "--quiet", f"{ref}:./dvc.lock") == lock:
            return ref.rpartition("/")[2]
    return None


def hardware() -> dict[str, str]:
    """Part -> description, in the order to show; unknown parts are left out."""
    facts = {
        "processor": _processor(),
        "cores": str(num_cores()),
        "memory": _memory(),
        "GPU": _gpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "torch": _version("torch"),
    }
    return {name: value for name, value in facts.items() if value}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _processor() -> str:
    """Name of the processor's model: from a file on Linux, else from `platform`."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return ""


def _gpus() -> str:
    import torch  # slow to import

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(names) or "none"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
