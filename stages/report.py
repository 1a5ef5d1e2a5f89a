"""Stage `report`: the outcome of all folds -> a summary, tables for `dvc plots`, and a page."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from dwmtl.evaluation.report import report_content, write_pages, write_plot_tables
from dwmtl.evaluation.summary import read_fold, summarize
from dwmtl.evaluation.this_run import MOST_EARLIER, SCORES, ThisRun, compare
from dwmtl.machine import commit, hardware
from dwmtl.params import Params, load_params
from dwmtl.stage import run, whole_folder, write_json
from dwmtl.tracking import Run, resume_experiment_run


def main(
    training: Path,
    evaluation: Path,
    aligned: Path,
    labels: Path,
    cards: Path,
    out: Path,
    summary: Path,
    plots: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Sum up the folds that params.yaml names."""
    values = load_params(params)
    folds = [read_fold(number, training, evaluation) for number in sorted(values.folds)]
    summed = summarize(folds)
    content = report_content(folds, values, aligned_dir=aligned, labels_dir=labels, cards_dir=cards)
    with whole_folder(plots) as folder:
        write_plot_tables(folds, folder)
    with whole_folder(out) as folder:
        write_pages(content, folder)
    write_json(summed, summary)
    with resume_experiment_run(values, folds[0].training["model_sha256"]) as tracked:
        if tracked.is_logged:
            log_report(
                tracked,
                values,
                {name: value["mean"] for name, value in summed.items() if value and "mean" in value},
                content,
            )


def log_report(tracked: Run, params: Params, scores: dict[str, float], content: dict[str, object]) -> None:
    """Scores, and the copy of the report that also tells what changes at equal results: none of it is a DVC output."""
    tracked.set_tag("dwmtl.folds", ", ".join(map(str, sorted(params.folds))))
    tracked.set_tag("dwmtl.evaluate", json.dumps(params.evaluate.model_dump(), sort_keys=True))
    tracked.set_tag("dwmtl.pairs", json.dumps(params.pairs.model_dump(), sort_keys=True))
    tracked.log_metrics(scores)
    own, checked_out = tracked.own(), commit()
    this_run = ThisRun(
        written=datetime.now(UTC),
        commit=checked_out.sha if checked_out else None,
        changed=checked_out.changed if checked_out else (),
        hardware=hardware(),
        times=tracked.fold_times(),
        earlier=compare(own, scores, tracked.earlier(next(iter(SCORES)), most=MOST_EARLIER)) if own else [],
    )
    with tempfile.TemporaryDirectory() as folder:
        write_pages(content, Path(folder), this_run=this_run)
        tracked.log_folder(Path(folder), "report")


if __name__ == "__main__":
    run(main)
