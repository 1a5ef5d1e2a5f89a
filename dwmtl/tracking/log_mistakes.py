"""Logs a fold's most confident mistakes as tables that MLflow shows and compares."""

import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from dwmtl.tables import EVALUATED_PAIRS, read_table
from dwmtl.tracking.run import Run

_MOST = 100
_PREDICTIONS = ("photo", "subject", "expression", "predicted", "confidence")


def log_mistakes(run: Run, out: Path) -> None:
    """Log `worst_pairs.json` and `wrong_expressions.json`, of at most 100 rows; `out`: of the stage `evaluate`."""
    tables = {
        "worst_pairs.json": worst_pairs(read_table(out / "pairs.csv", EVALUATED_PAIRS)),
        "wrong_expressions.json": wrong_expressions(read_table(out / "predictions.csv", _PREDICTIONS)),
    }
    for name, table in tables.items():
        run.ask(lambda client, run_id, name=name, table=table: _log_table(client, run_id, name, table))


def worst_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """The wrong verification decisions, the farthest from their threshold first."""
    wrong = pairs[pairs["is_verified"] != pairs["is_same_identity"]]
    wrong = wrong.assign(from_threshold=(wrong["distance"] - wrong["threshold"]).abs().round(6))
    columns = ["set", "input", "reference", "is_same_identity", "distance", "threshold", "from_threshold"]
    return wrong.sort_values("from_threshold", ascending=False, kind="stable")[columns].head(_MOST)


def wrong_expressions(predictions: pd.DataFrame) -> pd.DataFrame:
    """The photos with a wrong expression, the most confident first."""
    wrong = predictions[predictions["expression"] != predictions["predicted"]]
    return wrong.sort_values("confidence", ascending=False, kind="stable")[list(_PREDICTIONS)].head(_MOST)


def _log_table(client: Any, run_id: str, name: str, table: pd.DataFrame) -> None:
    """Log a table in place of the run's earlier one, to which MLflow would append."""
    if name in {artifact.path for artifact in client.list_artifacts(run_id)}:
        client.log_text(run_id, table.to_json(orient="split", index=False), name)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of how MLflow looks for pictures in a table
        client.log_table(run_id, table, name)
