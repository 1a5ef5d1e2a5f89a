"""Stage `report`: the outcome of all folds -> a summary, tables for `dvc plots`, and a page."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from dwmtl.params import Params, load_params
from dwmtl.report.report import report_content, write_pages, write_plot_tables
from dwmtl.report.summary import read_fold, summarize
from dwmtl.report.this_run import MOST_EARLIER, SCORES, ThisRun, compare
from dwmtl.stage import run, whole_folder, write_json
from dwmtl.tracking.experiments import resume_experiment_run
from dwmtl.tracking.log_summary import SUMMARIZED, log_summary, scores, summary_sha256
from dwmtl.tracking.machine import commit, hardware
from dwmtl.tracking.run import Run


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
            log_report(tracked, values, summed, plots, content)


def log_report(
    tracked: Run, params: Params, summary: dict[str, object], plots: Path, content: dict[str, object]
) -> None:
    """Scores, and the copy of the report that also tells what changes at equal results: none of it is a DVC output."""
    log_summary(tracked, params, summary, plots)
    own, checked_out = tracked.own(), commit()
    this_run = ThisRun(
        written=datetime.now(UTC),
        commit=checked_out.sha if checked_out else None,
        changed=checked_out.changed if checked_out else (),
        hardware=hardware(),
        times=tracked.fold_times(),
        earlier=compare(own, scores(summary), tracked.earlier(next(iter(SCORES)), most=MOST_EARLIER)) if own else [],
    )
    with tempfile.TemporaryDirectory() as folder:
        write_pages(content, Path(folder), this_run=this_run)
        tracked.log_folder(Path(folder), "report")
    tracked.set_tag(SUMMARIZED, summary_sha256(summary))


if __name__ == "__main__":
    run(main)
