"""How MLflow's page of an experiment shows our runs: the columns of the list, and the charts beside it.

MLflow keeps the state of a page for a link to it in a tag of the experiment; ours is written in the same form, and
`#/experiments/<id>/runs?viewStateShareKey=dwmtl` opens it. Knows no server.
"""

import json

COLUMNS = (
    "params.`train.weighting.name`",
    "tags.`dwmtl.folds`",
    "metrics.`expression_accuracy`",
    "metrics.`verification_accuracy`",
    "metrics.`authentication_accuracy`",
    "attributes.`Duration`",
)
_STEPS = "dwmtl-steps"
_OVER_STEPS = {
    "Task weights": ["weight/identity", "weight/expression"],
    "Task losses": ["loss/identity", "loss/expression"],
    "Weights and losses": ["weight/identity", "weight/expression", "loss/identity", "loss/expression"],
}


def view_tag() -> tuple[str, str]:
    """A tag of the experiment and its value, JSON: the runs with COLUMNS, the newest first; in the charts beside them
    the weights and losses over the steps, together and apart, come first."""
    view = {
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": COLUMNS,
        "isAccordionReordered": True,
        "compareRunSections": [_section(_STEPS, "Weights and losses, step by step")],
        "compareRunCharts": [_line(number, *each) for number, each in enumerate(_OVER_STEPS.items())],
    }
    return "mlflow.sharedViewState.dwmtl", json.dumps(view)


def _section(uuid: str, name: str) -> dict[str, object]:
    return {"uuid": uuid, "name": name, "display": True, "isReordered": False, "deleted": False, "isGenerated": False}


def _line(number: int, name: str, metrics: list[str]) -> dict[str, object]:
    return {
        "type": "LINE",
        "uuid": f"dwmtl-steps-{number}",
        "metricSectionId": _STEPS,
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": False,
        "metricKey": metrics[0],
        "selectedMetricKeys": metrics,
        "displayName": name,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "selectedXAxisMetricKey": "",
        "scaleType": "linear",
        "lineSmoothness": 30,
        "useGlobalLineSmoothing": False,
        "useGlobalXaxisKey": False,
        "range": {},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
    }
