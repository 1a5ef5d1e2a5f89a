"""The outcome of every benchmark as rows of a table: printed, and appended to docs/benchmarks.md on request."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "benchmarks.md"
HEADER = "| what | ours | the other | ratio | wanted |\n| --- | --- | --- | --- | --- |"


@dataclass(frozen=True)
class Outcome:
    """One comparison, both sides measured in the same run.

    Attributes:
        what: what is compared with what.
        ours, other: the two results as text, with their unit.
        ratio: higher is better; None where there is nothing to compare with.
        wanted: smallest ratio that is required; None: no requirement.
    """

    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    wanted: float | None = None

    def row(self) -> str:
        """The outcome as a row of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        wanted = "" if self.wanted is None else f">= {self.wanted:g}"
        return f"| {self.what} | {self.ours} | {self.other} | {ratio} | {wanted} |"


def report(outcomes: list[Outcome], *, record: bool) -> None:
    """Print the table; with `record` append it to docs/benchmarks.md, with hardware and commit."""
    table = "\n".join([HEADER, *(outcome.row() for outcome in outcomes)])
    print(table)
    if record:
        with PAGE.open("a") as page:
            page.write(f"\n{hardware()}, commit {commit()}\n\n{table}\n")


def hardware() -> str:
    """The GPU or processor, and the version of torch."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    names = [line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")]
    return f"{os.cpu_count()} cores {names[0] if names else platform.processor()}, torch {torch.__version__}"


def commit() -> str:
    """Short hash, with `+` where the tree has changes."""
    hash_ = _git("rev-parse", "--short", "HEAD") or "unknown"
    return hash_ + ("+" if _git("status", "--porcelain", "--untracked-files=no", ":!docs/benchmarks.md") else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
