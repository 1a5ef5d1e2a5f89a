"""Scores of the comparison's rows, and paired differences between them, with intervals over people and trainings."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NUM_RESAMPLES = 10_000
SEED = 0


@dataclass(frozen=True)
class Counts:
    """Right answers of a row for one task, by unit of resampling and training.

    Attributes:
        right, size: (U, R), of each of U units (test subjects; blocks of pairs) in each of R trainings; a unit that a
            training was not tested on has size 0.
    """

    right: np.ndarray
    size: np.ndarray

    @property
    def mean(self) -> float:
        """Share of right answers, in [0, 1]."""
        return float(self.right.sum() / self.size.sum())


def validation(trainings: Sequence[Mapping]) -> tuple[float, float]:
    """Accuracy (higher is better) and loss (lower is better) on the validation subjects after the last epoch, mean of
    the trainings."""
    accuracy, loss = ([training["validation"][name][-1] for training in trainings] for name in ("accuracy", "loss"))
    return sum(accuracy) / len(accuracy), sum(loss) / len(loss)


def tuned(trainings: Sequence[Mapping]) -> list[Mapping]:
    """The trainings with the learning rate that is best on the validation subjects, by accuracy, then by loss."""
    by_rate: dict[float, list[Mapping]] = {}
    for training in trainings:
        by_rate.setdefault(training["learning_rate"], []).append(training)
    return min(by_rate.values(), key=by_validation)


def by_validation(trainings: Sequence[Mapping]) -> tuple[float, float]:
    """What orders trainings by their validation, the best first."""
    accuracy, loss = validation(trainings)
    return -accuracy, loss


def counts_of(trainings: Sequence[Mapping], task: str) -> Counts:
    """The counts of a row's trainings, in the order of seeds and folds.

    A subject is tested in one fold: its trainings are those of the seeds. Every training has each block of pairs.
    """
    ordered = sorted(trainings, key=lambda training: (training["seed"], training["fold"]))
    runs = [training["seed"] if task == "expression" else (training["seed"], training["fold"]) for training in ordered]
    units = sorted({unit for training in ordered for unit in training[task]})
    columns = list(dict.fromkeys(runs))
    right, size = np.zeros((2, len(units), len(columns)), int)
    for training, run in zip(ordered, runs, strict=True):
        for unit, (num_right, num_answers) in training[task].items():
            place = units.index(unit), columns.index(run)
            right[place], size[place] = num_right, num_answers
    return Counts(right, size)


def resampled_means(counts: Counts) -> np.ndarray:
    """(NUM_RESAMPLES,), means over units and trainings that are both drawn with replacement; the same draws for all
    rows of one shape, so that differences are paired.

    Source: the crossed ("pigeonhole") bootstrap, Owen 2007, arXiv:0712.1111.
    """
    times_unit, times_run = _draws(*counts.right.shape)
    right, size = (((times_unit @ of) * times_run).sum(axis=1) for of in (counts.right, counts.size))
    return right / np.maximum(size, 1)


@functools.cache
def _draws(num_units: int, num_runs: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each resample takes each unit, (NUM_RESAMPLES, U), and each training, (NUM_RESAMPLES, R)."""
    rng = np.random.default_rng(SEED)
    times_unit, times_run = (
        rng.multinomial(number, np.full(number, 1 / number), NUM_RESAMPLES) for number in (num_units, num_runs)
    )
    return times_unit, times_run


@dataclass(frozen=True)
class Difference:
    """A row's score less another's, in points; `low` and `high`: 95 % interval; `p`: two-sided, before correction."""

    mean: float
    low: float
    high: float
    p: float


def difference(ours: Counts, theirs: Counts) -> Difference:
    """The paired difference of two rows with the same units and trainings."""
    resampled = 100 * (resampled_means(ours) - resampled_means(theirs))
    low, high = np.percentile(resampled, [2.5, 97.5])
    beyond = min((resampled <= 0).mean(), (resampled >= 0).mean())
    p = min(1.0, 2 * max(beyond, 1 / NUM_RESAMPLES))
    return Difference(100 * (ours.mean - theirs.mean), float(low), float(high), float(p))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P values corrected for their number, by name.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return corrected


def delta_m(scores: Mapping[str, float], single: Mapping[str, float]) -> float:
    """Mean over the tasks of the relative change against training on the task alone, percent; higher is better.

    Source: Maninis et al. 2019, arXiv:1904.08918.
    """
    return float(np.mean([100 * (scores[task] - single[task]) / single[task] for task in single]))
