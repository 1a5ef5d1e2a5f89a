"""What the report's copy in MLflow adds to the results: when and on what they were computed, and earlier experiments.

All of it may differ between runs with equal results, so none of it is in an output of DVC.
"""

from dataclasses import dataclass
from datetime import datetime

from dwmtl.report.comparison import ComparedExperiment


@dataclass(frozen=True)
class ThisRun:
    """Facts that may differ between runs with equal results.

    Attributes:
        run_id: of the experiment's run in MLflow.
        written: day and time of the report, UTC.
        commit: hexadecimal; None outside a git checkout.
        changed: files that differ from the commit.
        hardware: a part, such as `GPU` -> its name.
        times: a fold's run -> a stage -> seconds.
        earlier: other experiments compared with this one, the newest first.
    """

    run_id: str
    written: datetime
    commit: str | None
    changed: tuple[str, ...]
    hardware: dict[str, str]
    times: dict[str, dict[str, float]]
    earlier: list[ComparedExperiment]
