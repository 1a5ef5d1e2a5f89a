"""Experiments side by side: their scores and other differences. Does not know where runs are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, pstdev

from dwmtl.scores.headlines import COMPARED

_MOST_DIFFERENCES = 5
_SEED = "train.seed"
_OTHERWISE = {
    "dwmtl.data_sha256": "other photos, crops or labels",
    "dwmtl.pairs": "other pairs",
    "dwmtl.evaluate": "scored with other settings",
}
"""A tag of an experiment -> what a different value means."""


@dataclass(frozen=True)
class Experiment:
    """An experiment as it was logged.

    Attributes:
        started: UTC.
        params: keys joined with `.`, values as text.
        metrics: latest values: scores, and with `_low` and `_high` appended the ends of their 95 % intervals.
        defaults: values that params have by default under this experiment's rule and heads; those known.
    """

    name: str
    started: datetime
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparedScore:
    """A fraction; `low`, `high`: the ends of its 95 % interval; `lead`: the reference's score minus this one."""

    mean: float
    low: float | None
    high: float | None
    lead: float | None


@dataclass(frozen=True)
class ComparedExperiment:
    """An experiment beside the reference.

    Attributes:
        day: day on which it started, UTC.
        folds: numbers of its folds.
        scores: by key of `headlines.COMPARED`; None where the experiment has no such score.
        differences: known differences from the reference.
    """

    name: str
    day: str
    weighting: str
    folds: str
    scores: dict[str, ComparedScore | None]
    differences: list[str]


@dataclass(frozen=True)
class OverSeeds:
    """Experiments that differ in nothing but their seeds.

    Attributes:
        experiments: their names.
        seeds: `train.seed` of each.
        scores: by key of `headlines.COMPARED`: mean and population standard deviation over the seeds; None where an
            experiment has no such score.
    """

    experiments: list[str]
    seeds: list[str]
    scores: dict[str, tuple[float, float] | None]


def over_seeds(experiments: Sequence[Experiment]) -> list[OverSeeds]:
    """Sum up experiments that share folds, data and params apart from `train.seed`, two seeds or more, in their order.

    Of a seed that was run several times the first counts.
    """
    groups: dict[object, dict[str, Experiment]] = {}
    for experiment in experiments:
        params = {key: value for key, value in experiment.params.items() if key != _SEED}
        tags = {tag: experiment.tags.get(tag) for tag in ("dwmtl.folds", *_OTHERWISE)}
        alike = groups.setdefault((frozenset(params.items()), frozenset(tags.items())), {})
        alike.setdefault(experiment.params.get(_SEED, "-"), experiment)
    return [_over_seeds(by_seed) for by_seed in groups.values() if len(by_seed) > 1]


def _over_seeds(by_seed: Mapping[str, Experiment]) -> OverSeeds:
    scores: dict[str, tuple[float, float] | None] = {}
    for key in (headline.key for headline in COMPARED):
        values = [experiment.metrics[key] for experiment in by_seed.values() if key in experiment.metrics]
        scores[key] = (fmean(values), pstdev(values)) if len(values) == len(by_seed) else None
    return OverSeeds([experiment.name for experiment in by_seed.values()], list(by_seed), scores)


def compare(experiments: Sequence[Experiment], reference: Experiment) -> list[ComparedExperiment]:
    """Compare experiments with a reference; the order is kept."""
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


def _score(key: str, experiment: Experiment, reference: Experiment) -> ComparedScore | None:
    mean, reference_mean = experiment.metrics.get(key), reference.metrics.get(key)
    if mean is None:
        return None
    low, high = (experiment.metrics.get(f"{key}_{end}") for end in ("low", "high"))
    return ComparedScore(mean, low, high, None if reference_mean is None else reference_mean - mean)


def _differences(experiment: Experiment, reference: Experiment) -> list[str]:
    """`train.num_epochs 6 (not 12)`; a missing value is `-`; only the first few params are listed, the rest counted."""
    theirs, ours = experiment.params, reference.params
    texts: dict[str, None] = {}  # in order, each once
    for name in sorted({*theirs, *ours}):
        if _is_different(name, experiment, reference):
            texts[_entry(name, theirs, ours) or f"{name} {theirs.get(name, '-')} (not {ours.get(name, '-')})"] = None
    listed = list(texts)[:_MOST_DIFFERENCES]
    if len(texts) > _MOST_DIFFERENCES:
        listed.append(f"{len(texts) - _MOST_DIFFERENCES} more params")
    if _has_other("dwmtl.folds", experiment, reference):
        listed.append(f"folds {experiment.tags['dwmtl.folds']} (not {reference.tags['dwmtl.folds']})")
    return listed + [text for tag, text in _OTHERWISE.items() if _has_other(tag, experiment, reference)]


def _is_different(name: str, *experiments: Experiment) -> bool:
    """Whether a param differs by more than what follows from other params.

    A rule has settings of its own: at their defaults they follow from the rule's name, as does their absence.
    """
    values = [experiment.params.get(name) for experiment in experiments]
    at_defaults = all(
        value in (None, experiment.defaults.get(name)) for value, experiment in zip(values, experiments, strict=True)
    )
    return values[0] != values[1] and not at_defaults


def _entry(name: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """How a param of a whole set or task is listed that one of two experiments lacks; else None."""
    section, *keys = name.split(".")
    if section not in ("sets", "tasks") or not keys:
        return None
    entry = f"{section}.{keys[0]}"
    if not any(other.startswith(f"{entry}.") for other in ours):
        return f"{entry} added"
    return None if any(other.startswith(f"{entry}.") for other in theirs) else f"no {entry}"


def _has_other(tag: str, experiment: Experiment, reference: Experiment) -> bool:
    """Whether both have the tag and its values differ."""
    values = experiment.tags.get(tag), reference.tags.get(tag)
    return None not in values and values[0] != values[1]
