"""What the report's copy in MLflow tells beside the results: when, on what, and against which earlier experiments.

All of it may differ at equal results, so none of it is ever in an output of DVC. Asks nobody: what it tells is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dwmtl.scores.headlines import COMPARED

MOST_EARLIER = 10
_MOST_DIFFERENCES = 5
_OTHERWISE = {
    "dwmtl.data_sha256": "other photos, crops or labels",
    "dwmtl.pairs": "other pairs",
    "dwmtl.evaluate": "scored with other settings",
}
"""A tag of an experiment -> what it means that another has another value."""


class Experiment(Protocol):
    """An experiment as MLflow has it; params, metrics and tags by name."""

    name: str
    started: datetime
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class EarlierExperiment:
    """An earlier experiment beside this one.

    Attributes:
        name, day: its name and the day it began, UTC.
        differences: what was other there; empty where nothing is known to be.
        scores: of `headlines.COMPARED`, fractions, and how much more this run has; None where it has no such score.
    """

    name: str
    day: str
    differences: list[str]
    scores: list[tuple[float, float] | None]


@dataclass(frozen=True)
class ThisRun:
    """What may change at equal results.

    Attributes:
        written: day and time of the report, UTC.
        commit: hexadecimal, None outside a git checkout.
        changed: files that differ from the commit.
        hardware: what -> which.
        times: a fold's run -> a stage -> seconds.
        earlier: the newest first.
    """

    written: datetime
    commit: str | None
    changed: tuple[str, ...]
    hardware: dict[str, str]
    times: dict[str, dict[str, float]]
    earlier: list[EarlierExperiment]


def compare(own: Experiment, own_scores: Mapping[str, float], earlier: list[Experiment]) -> list[EarlierExperiment]:
    """Earlier experiments beside this one, in the order given.

    Args:
        own_scores: of `headlines.COMPARED`, fractions.
    """
    return [
        EarlierExperiment(
            name=other.name,
            day=f"{other.started:%Y-%m-%d}",
            differences=_differences(own, other),
            scores=[
                (other.metrics[key], own_scores[key] - other.metrics[key]) if key in other.metrics else None
                for key in (headline.key for headline in COMPARED)
            ],
        )
        for other in earlier
    ]


def _differences(own: Experiment, other: Experiment) -> list[str]:
    """`train.num_epochs 6 (here 12)`; what only one of them has is `-` in the other; the rest is counted."""
    names = sorted({*own.params, *other.params})
    pairs = [(name, other.params.get(name, "-"), own.params.get(name, "-")) for name in names]
    found = [f"{name} {there} (here {here})" for name, there, here in pairs if there != here]
    more = len(found) - _MOST_DIFFERENCES
    shown = [*found[:_MOST_DIFFERENCES], f"{more} more params"] if more > 0 else found
    folds = other.tags.get("dwmtl.folds"), own.tags.get("dwmtl.folds")
    shown += [f"folds {folds[0]} (here {folds[1]})"] if _differ(*folds) else []
    return shown + [text for tag, text in _OTHERWISE.items() if _differ(other.tags.get(tag), own.tags.get(tag))]


def _differ(there: str | None, here: str | None) -> bool:
    """Whether both are known and not alike."""
    return None not in (there, here) and there != here
