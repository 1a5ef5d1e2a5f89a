"""Commands about runs in MLflow: `resend`, `compare`, `promote`."""

from pathlib import Path
from typing import Annotated

import typer


def resend(
    root: Annotated[Path, typer.Argument(help="the checkout, with params.yaml, data/ and metrics/")] = Path("."),
) -> None:
    """Send MLflow what its server lacks of this checkout: trainings, evaluations, models and the report.

    The server is MLFLOW_TRACKING_URI, by default sqlite:///mlflow.db. Nothing is sent twice.
    """
    from dwmtl.tracking.resend import resend as send

    for line in send(root):
        print(f"sent: {line}")
    print("the server has everything")


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="experiments, by the names or ids of their runs; by default all, the newest first"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Compare experiments in MLflow: weighting, folds, accuracies with their 95 % intervals, and differences.

    The first experiment is the reference. Settings at the defaults of an experiment's own rule are no differences. Of
    experiments that differ in `train.seed` alone, a second table has mean and deviation over the seeds. Nothing is
    written.
    """
    import json
    from dataclasses import asdict

    from dwmtl.report.comparison import compare, over_seeds
    from dwmtl.report.comparison_text import comparison_markdown
    from dwmtl.tracking.experiments import find_experiments

    experiments = find_experiments(runs or [])
    rows = compare(experiments, experiments[0])
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(comparison_markdown(rows, experiments[0].name, over_seeds(experiments)), end="")


def promote(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="experiments to choose from, by the names or ids of their runs; by default all"),
    ] = None,
    name: Annotated[str, typer.Option(help="the registered model, tracking.register_as")] = "dwmtl",
    alias: Annotated[str, typer.Option(help="the alias to move")] = "champion",
    experiment: Annotated[
        str | None, typer.Option(help="the MLflow experiment to choose in; needed if the model has versions of several")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the choice, and move nothing")] = False,
) -> None:
    """Point an alias of the registered model at the best experiment's model.

    The best has the highest mean accuracy on its folds' validation subjects; of its folds' models, the one with the
    highest is named. No score of a test fold is read.
    """
    from dwmtl.tracking.promote import choose
    from dwmtl.tracking.promote import promote as move

    choice = choose(name, alias, runs=runs or [], experiment=experiment)
    print("| experiment | folds | mean accuracy on validation subjects | by fold |\n| --- | --- | --- | --- |")
    for each in choice.ranked:
        folds = ", ".join(str(fold.fold) for fold in each.folds)
        by_fold = ", ".join(f"{100 * fold.accuracy:.1f} %" for fold in each.folds)
        print(f"| {each.name} | {folds} | {100 * each.accuracy:.1f} % | {by_fold} |")
    best = choice.ranked[0]
    of_fold = f"fold {best.best.fold} of {best.name}, the best on its validation subjects"
    before = "none" if choice.before is None else f"version {choice.before}"
    if choice.version == choice.before:
        print(f"{name}@{alias} stays version {choice.version}: {of_fold}")
    elif dry_run:
        print(f"{name}@{alias} would become version {choice.version}: {of_fold}; it is {before}")
    else:
        move(name, alias, choice.version)
        print(f"{name}@{alias} is version {choice.version}: {of_fold}; it was {before}")
