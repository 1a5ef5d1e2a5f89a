"""Chooses the model of the best experiment among the versions of a registered model, and points an alias at it.

The scores are those on validation subjects; no score of a test fold is read.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dwmtl.errors import TrackingError
from dwmtl.tracking.experiments import VALIDATED, connect_to_runs
from dwmtl.tracking.server import first_line, server_name


@dataclass(frozen=True)
class FoldVersion:
    """A version of the registered model: a fold's model.

    Attributes:
        accuracy: of the fold's validation subjects, see `VALIDATED`.
    """

    version: int
    fold: int
    accuracy: float


@dataclass(frozen=True)
class RankedExperiment:
    """An experiment with the newest version of each of its folds, by fold."""

    name: str
    run_id: str
    place: str
    start_ms: int
    folds: list[FoldVersion]

    @property
    def accuracy(self) -> float:
        """Mean over the folds."""
        return fmean(fold.accuracy for fold in self.folds)

    @property
    def best(self) -> FoldVersion:
        """The fold with the highest accuracy; of equal folds the first."""
        return max(self.folds, key=lambda fold: fold.accuracy)


@dataclass(frozen=True)
class Choice:
    """Attributes:
    ranked: the experiments, the best first; of equal ones the older first.
    before: the version that the alias names; None: none.
    """

    ranked: list[RankedExperiment]
    before: int | None

    @property
    def version(self) -> int:
        """The version to name: of the best experiment the fold that is best on its validation subjects."""
        return self.ranked[0].best.version


def choose(name: str, alias: str, *, runs: list[str], experiment: str | None) -> Choice:
    """Rank the experiments whose folds' models are versions of a registered model.

    Args:
        name: of the registered model.
        runs: names or ids of the runs of experiments to choose from; empty: all.
        experiment: the MLflow experiment to choose in; None: the only one.
    Raises:
        TrackingError: the server does not answer; or there is nothing to choose from, or not by one measure.
    """
    client = connect_to_runs()
    try:
        versions = client.search_model_versions(f"name='{name}'")
        ranked = _ranked(client, versions)
        places = {client.get_experiment(each.place).name: each.place for each in ranked}
        before = client.get_registered_model(name).aliases.get(alias) if versions else None
    except Exception as error:
        raise TrackingError(f"MLflow ({server_name()}): {first_line(error)}") from None
    if not ranked:
        raise TrackingError(
            f"MLflow ({server_name()}) has no version of {name} with an accuracy on validation subjects, which `dvc "
            "repro` logs where tracking.register_as is that name and train.validation_fraction is not 0."
        )
    ranked = _in_one_experiment(ranked, places, experiment)
    if unknown := set(runs) - {key for each in ranked for key in (each.name, each.run_id)}:
        raise TrackingError(
            f"{name} has no version of an experiment {', '.join(sorted(unknown))}. It has versions of: "
            f"{', '.join(sorted({each.name for each in ranked}))}."
        )
    chosen = [each for each in ranked if not runs or {each.name, each.run_id} & set(runs)]
    return Choice(chosen, None if before is None else int(before))


def promote(name: str, alias: str, version: int) -> None:
    """Point an alias of a registered model at a version.

    Raises:
        TrackingError: the server does not answer, or refuses the alias.
    """
    try:
        connect_to_runs().set_registered_model_alias(name, alias, str(version))
    except Exception as error:
        raise TrackingError(f"MLflow ({server_name()}): {first_line(error)}") from None


def _ranked(client: Any, versions: list[Any]) -> list[RankedExperiment]:
    """The experiments of versions with a validation accuracy."""
    folds: dict[str, dict[int, FoldVersion]] = {}
    for version in sorted(versions, key=lambda version: int(version.version)):
        run = client.get_run(version.run_id)
        if run.info.lifecycle_stage == "active" and VALIDATED in run.data.metrics:
            fold = int(run.data.tags["dwmtl.folds"])
            of_fold = FoldVersion(int(version.version), fold, run.data.metrics[VALIDATED])
            folds.setdefault(run.data.tags["mlflow.parentRunId"], {})[fold] = of_fold  # the newest stays
    experiments = []
    for run_id, by_fold in folds.items():
        info = client.get_run(run_id).info
        of_experiment = [by_fold[fold] for fold in sorted(by_fold)]
        experiments.append(RankedExperiment(info.run_name, run_id, info.experiment_id, info.start_time, of_experiment))
    return sorted(experiments, key=lambda each: (-each.accuracy, each.start_ms))


def _in_one_experiment(
    ranked: list[RankedExperiment], places: dict[str, str], experiment: str | None
) -> list[RankedExperiment]:
    """Those of one MLflow experiment: accuracies on other people do not rank models."""
    if experiment is None and len(places) > 1:
        raise TrackingError(
            f"the versions are of several MLflow experiments, which do not rank together: {', '.join(sorted(places))}. "
            "Choose one with --experiment."
        )
    if experiment is not None and experiment not in places:
        raise TrackingError(
            f"no version is of the MLflow experiment {experiment}. There are versions of: {', '.join(sorted(places))}."
        )
    return [each for each in ranked if experiment is None or each.place == places[experiment]]
