"""Logs the scores over the folds to MLflow, and a copy of the report with the facts of this run."""

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dwmtl.params import Params
from dwmtl.report.comparison import Experiment, compare
from dwmtl.report.content import ReportContent
from dwmtl.report.page import write_pages
from dwmtl.report.summary import Summary, flat_scores
from dwmtl.report.this_run import ThisRun
from dwmtl.report.verification_sets import VerificationSets
from dwmtl.results import read_result
from dwmtl.scores.headlines import COMPARED
from dwmtl.tables import read_table
from dwmtl.tracking.experiments import MODEL_ID, VALIDATED, experiment_of, log_scoring, search
from dwmtl.tracking.machine import commit, hardware
from dwmtl.tracking.run import Run

REPORTED = "dwmtl.summary_sha256"
"""Tag of an experiment's run with all scores and the report; its value is `summary_sha256`."""

_MOST_EARLIER = 10
_MOST_OF_A_DESCRIPTION = 5000  # MLflow's limit


def log_report(run: Run, params: Params, content: ReportContent, *, plots: Path) -> None:
    """Log the scores and the copy to the experiment's run. Does nothing where the run is not logged.

    Args:
        plots: the folder `metrics/plots`.
    """
    if not run.is_logged:
        return
    log_summary(run, params, content.summary, plots)
    with TemporaryDirectory(prefix="dwmtl-report-") as folder:
        write_pages(content, Path(folder), this_run=_this_run(run))
        log_pages(run, content.summary, Path(folder))


def log_summary(run: Run, params: Params, summary: Summary, plots: Path) -> None:
    """Log the scores of `metrics/details.json`, and the weights and losses over the steps.

    Args:
        plots: the folder `metrics/plots`, whose tables are means over the folds.
    """
    log_scoring(run, params)
    run.set_tag("dwmtl.folds", ", ".join(map(str, summary.folds)))
    run.log_metrics(flat_scores({**summary.scores, "verification_gain": summary.start.verification_gain}))
    run.ask(lambda client, run_id: _log_to_folds(client, run_id, summary))
    for kind, file in (("weight", "task_weights.csv"), ("loss", "task_losses.csv")):
        for row in read_table(plots / file, ("step",)).to_dict("records"):
            step = int(row.pop("step"))
            run.log_row({"step": step, **{f"{kind}_{task}": float(value) for task, value in row.items()}})


def log_pages(run: Run, summary: Summary, pages: Path) -> None:
    """Log the folder of the report's pages, as the last files of the run, with the accuracy on each of several
    verification sets, and mark the run as whole."""
    run.log_metrics(read_result(VerificationSets, pages / "verification.json").accuracies)
    run.log_folder(pages, "report")
    card = (pages / "model_card.md").read_text(encoding="utf-8")
    run.ask(lambda client, run_id: _describe_models(client, run_id, summary, card[:_MOST_OF_A_DESCRIPTION]))
    run.set_tag(REPORTED, summary_sha256(summary))


def summary_sha256(summary: Summary) -> str:
    """Digest of a summary's content."""
    return hashlib.sha256(json.dumps(asdict(summary), sort_keys=True).encode()).hexdigest()


def _this_run(run: Run) -> ThisRun:
    checked_out = commit()
    this = run.ask(lambda client, run_id: experiment_of(client.get_run(run_id)))
    earlier = run.ask(earlier_experiments)
    return ThisRun(
        run_id=run.run_id,
        written=datetime.now(UTC),
        commit=checked_out.sha if checked_out else None,
        changed=checked_out.changed if checked_out else (),
        hardware=hardware(),
        times=run.ask(fold_times) or {},
        earlier=compare(earlier, this) if this and earlier else [],
    )


def earlier_experiments(client: Any, run_id: str) -> list[Experiment]:
    """The other experiments with results in the same MLflow experiment, the newest first."""
    runs = client.search_runs(
        [client.get_run(run_id).info.experiment_id],
        filter_string=f'tags."dwmtl.kind" = \'experiment\' and metrics."{COMPARED[0].key}" >= 0',
        order_by=["attributes.start_time DESC"],
        max_results=_MOST_EARLIER + 1,
    )
    return [experiment_of(run) for run in runs if run.info.run_id != run_id][:_MOST_EARLIER]


def fold_times(client: Any, run_id: str) -> dict[str, dict[str, float]]:
    """Name of a fold's run -> stage -> seconds that it took."""
    return {
        run.info.run_name: {
            key.removeprefix("time/").removesuffix("_s"): seconds
            for key, seconds in run.data.metrics.items()
            if key.startswith("time/")
        }
        for run in _fold_runs(client, run_id)
    }


def _log_to_folds(client: Any, run_id: str, summary: Summary) -> None:
    """Log what makes an experiment's run and its folds' runs and models rank together.

    The experiment's run gets the folds' data sets and the mean validation accuracy; a fold's run and model get the
    experiment's scores as `experiment/...`.
    """
    folds = _runs_of(client, run_id, summary)
    client.log_inputs(run_id, [each for run in folds for each in run.inputs.dataset_inputs])
    scores = {
        headline.key: summary.scores[headline.key].mean for headline in COMPARED if headline.key in summary.scores
    }
    validated = [run.data.metrics[VALIDATED] for run in folds if VALIDATED in run.data.metrics]
    if len(validated) == len(summary.folds):
        scores[VALIDATED] = sum(validated) / len(validated)
        client.log_metric(run_id, VALIDATED, scores[VALIDATED])
    for run in folds:
        Run(client, run.info.run_id).log_metrics({"experiment": scores}, model_id=run.data.tags.get(MODEL_ID))


def _describe_models(client: Any, run_id: str, summary: Summary, card: str) -> None:
    """Log the model card as the description of the folds' logged models and of their registered versions."""
    for run in _runs_of(client, run_id, summary):
        if model_id := run.data.tags.get(MODEL_ID):
            client.set_logged_model_tags(model_id, {"mlflow.note.content": card})
        for version in client.search_model_versions(f"run_id='{run.info.run_id}'"):
            client.update_model_version(version.name, version.version, description=card)


def _runs_of(client: Any, run_id: str, summary: Summary) -> list[Any]:
    names = {f"fold {fold}" for fold in summary.folds}
    return [run for run in _fold_runs(client, run_id) if run.info.run_name in names]


def _fold_runs(client: Any, run_id: str) -> list[Any]:
    """The latest run of each fold of an experiment, sorted by name."""
    runs = search(client, [client.get_run(run_id).info.experiment_id], {"mlflow.parentRunId": run_id})
    latest = {run.info.run_name: run for run in reversed(runs)}
    return [latest[name] for name in sorted(latest)]
