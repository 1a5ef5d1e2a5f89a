"""The outcome of every benchmark as rows of a table: printed, and appended to docs/benchmarks.md on request."""

import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dwmtl.cores import num_cores

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "benchmarks.md"
HEADER = "| what | ours | the other | ratio | wanted |\n| --- | --- | --- | --- | --- |"


MOST_DISAGREEMENT = 1.1
"""Largest quotient of the median ratio of the rounds and the ratio of the two medians; above, the rounds are noise."""
MOST_ROUNDS = 3
"""Rounds at most, as a multiple of those asked for, until the two ratios agree."""


@dataclass(frozen=True)
class Outcome:
    """One comparison, both sides measured in the same run.

    Attributes:
        what: what is compared with what.
        ours, other: the two results as text, with their unit.
        ratio: higher is better; None where there is nothing to compare with.
        wanted: smallest ratio that is required; None: no requirement.
        noise: smallest and largest ratio of rounds that contradict each other, in place of `ratio`.
    """

    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    wanted: float | None = None
    noise: tuple[float, float] | None = None

    def row(self) -> str:
        """The outcome as a row of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        if self.noise is not None:
            ratio = f"noise: {self.noise[0]:.2f} to {self.noise[1]:.2f}"
        wanted = "" if self.wanted is None else f">= {self.wanted:g}"
        return f"| {self.what} | {self.ours} | {self.other} | {ratio} | {wanted} |"


@dataclass(frozen=True)
class Rounds:
    """Two sides measured in the same rounds, in turn.

    Attributes:
        ours, other: a number per round.
        is_rate: whether more is better, as of photos per second; else less is, as of seconds.
    """

    ours: Sequence[float]
    other: Sequence[float]
    is_rate: bool

    @property
    def ratios(self) -> list[float]:
        """Of each round; above 1 ours is better."""
        return [self._ratio(*of_round) for of_round in zip(self.ours, self.other, strict=True)]

    @property
    def agrees(self) -> bool:
        """Whether the median ratio is the ratio of the medians, which are shown beside it."""
        of_medians = self._ratio(median(self.ours), median(self.other))
        return max(quotient := median(self.ratios) / of_medians, 1 / quotient) <= MOST_DISAGREEMENT

    def outcome(self, what: str, shown: Callable[[float], str], *, wanted: float | None = None) -> Outcome:
        """Both medians, and the median ratio where the medians do not contradict it."""
        texts = shown(median(self.ours)), shown(median(self.other))
        if self.agrees:
            return Outcome(what, *texts, median(self.ratios), wanted)
        return Outcome(what, *texts, wanted=wanted, noise=(min(self.ratios), max(self.ratios)))

    def _ratio(self, ours: float, other: float) -> float:
        return ours / other if self.is_rate else other / ours


def rounds_until(agree: Callable[[], bool], least: int) -> Iterator[int]:
    """Numbers of rounds: `least`, and up to MOST_ROUNDS times as many until they agree."""
    for number in range(MOST_ROUNDS * least):
        if number >= least and agree():
            return
        yield number


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
    return f"{num_cores()} cores {names[0] if names else platform.processor()}, torch {torch.__version__}"


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
