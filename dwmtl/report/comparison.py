"""Experiments side by side: their scores, and in what else they differ. Does not know where runs are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dwmtl.report.template import render
from dwmtl.scores.headlines import COMPARED

_MOST_DIFFERENCES = 5
_OTHERWISE = {
    "dwmtl.data_sha256": "other photos, crops or labels",
    "dwmtl.pairs": "other pairs",
    "dwmtl.evaluate": "scored with other settings",
}
"""A tag of an experiment -> what another value of it means."""


@dataclass(frozen=True)
class Experiment:
    """An experiment as it was logged.

    Attributes:
        started: UTC.
        params: keys joined with `.`, values as text.
        metrics: the latest of each: a score, and with `_low` and `_high` the ends of its 95 % interval.
    """

    name: str
    started: datetime
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class ComparedScore:
    """A fraction; `low`, `high`: the ends of its 95 % interval; `lead`: how much more the reference has."""

    mean: float
    low: float | None
    high: float | None
    lead: float | None


@dataclass(frozen=True)
class ComparedExperiment:
    """An experiment beside the reference.

    Attributes:
        day: it started on, UTC.
        folds: their numbers.
        scores: by key of `headlines.COMPARED`; None where it has no such score.
        differences: what differs from the reference, as far as is known.
    """

    name: str
    day: str
    weighting: str
    folds: str
    scores: dict[str, ComparedScore | None]
    differences: list[str]


def compare(experiments: Sequence[Experiment], reference: Experiment) -> list[ComparedExperiment]:
    """Experiments beside a reference, in the order given."""
    return [
        ComparedExperiment(
            name=experiment.name,
            day=f"{experiment.started:%Y-%m-%d}",
            weighting=experiment.params.get("train.weighting.name", "?"),
            folds=experiment.tags.get("dwmtl.folds", "?"),
            scores={headline.key: _score(headline.key, experiment, reference) for headline in COMPARED},
            differences=_differences(experiment, reference),
        )
        for experiment in experiments
    ]


def comparison_markdown(rows: Sequence[ComparedExperiment], reference: str) -> str:
    """A table with a row per experiment.

    Args:
        reference: its name.
    """
    return render("comparison.md.j2", rows=rows, reference=reference, compared=COMPARED)


def _score(key: str, experiment: Experiment, reference: Experiment) -> ComparedScore | None:
    mean, there = experiment.metrics.get(key), reference.metrics.get(key)
    if mean is None:
        return None
    low, high = (experiment.metrics.get(f"{key}_{end}") for end in ("low", "high"))
    return ComparedScore(mean, low, high, None if there is None else there - mean)


def _differences(experiment: Experiment, reference: Experiment) -> list[str]:
    """`train.num_epochs 6 (not 12)`; what only one of them has is `-` in the other; beyond the first few a count."""
    theirs, ours = experiment.params, reference.params
    changed = [name for name in sorted({*theirs, *ours}) if theirs.get(name, "-") != ours.get(name, "-")]
    texts = [f"{name} {theirs.get(name, '-')} (not {ours.get(name, '-')})" for name in changed[:_MOST_DIFFERENCES]]
    if len(changed) > _MOST_DIFFERENCES:
        texts.append(f"{len(changed) - _MOST_DIFFERENCES} more params")
    if _has_other("dwmtl.folds", experiment, reference):
        texts.append(f"folds {experiment.tags['dwmtl.folds']} (not {reference.tags['dwmtl.folds']})")
    return texts + [text for tag, text in _OTHERWISE.items() if _has_other(tag, experiment, reference)]


def _has_other(tag: str, experiment: Experiment, reference: Experiment) -> bool:
    """Whether both have the tag, with different values."""
    values = experiment.tags.get(tag), reference.tags.get(tag)
    return None not in values and values[0] != values[1]
