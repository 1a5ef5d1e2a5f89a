"""What the report's copy in MLflow shows beside the results: when, on what, and against which earlier experiments.

All of it may differ at equal results, so none of it is ever in an output of DVC.
"""

from dataclasses import dataclass
from datetime import datetime

from dwmtl.report.comparison import ComparedExperiment


@dataclass(frozen=True)
class ThisRun:
    """What may change at equal results.

    Attributes:
        written: day and time of the report, UTC.
        commit: hexadecimal, None outside a git checkout.
        changed: files that differ from the commit.
        hardware: what -> which.
        times: a fold's run -> a stage -> seconds.
        earlier: other experiments beside this one, the newest first.
    """

    written: datetime
    commit: str | None
    changed: tuple[str, ...]
    hardware: dict[str, str]
    times: dict[str, dict[str, float]]
    earlier: list[ComparedExperiment]
