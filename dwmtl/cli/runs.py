"""Commands about runs in MLflow: `resend`, `compare`."""

from pathlib import Path
from typing import Annotated

import typer


def resend(
    root: Annotated[Path, typer.Argument(help="the checkout: params.yaml, data/ and metrics/ are in it")] = Path("."),
) -> None:
    """Send MLflow what its server missed: trainings, evaluations, models and the report of this checkout.

    The server is MLFLOW_TRACKING_URI, by default sqlite:///mlflow.db. What is there already is not sent again.
    """
    from dwmtl.tracking.resend import resend as send

    for line in send(root):
        print(f"sent: {line}")
    print("the server has everything")


def compare(
    runs: Annotated[list[str], typer.Argument(help="experiments: a run's id or name, as DVC's or in MLflow's list")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON in place of a table")] = False,
) -> None:
    """Put experiments of MLflow side by side: weighting, folds, and accuracies with their 95 % intervals."""
    import json

    from dwmtl.tracking.comparison import as_markdown, compared

    rows = compared(runs)
    print(json.dumps(rows, indent=2) if as_json else as_markdown(rows))
