"""Commands about runs in MLflow: `resend`, `compare`."""

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

    The first experiment is the reference. Nothing is written.
    """
    import json
    from dataclasses import asdict

    from dwmtl.report.comparison import compare, comparison_markdown
    from dwmtl.tracking.experiments import find_experiments

    experiments = find_experiments(runs or [])
    rows = compare(experiments, experiments[0])
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(comparison_markdown(rows, experiments[0].name), end="")
