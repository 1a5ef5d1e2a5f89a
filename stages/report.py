"""Stage `report`: the results of all folds -> a summary and its details, tables for `dvc plots`, and the pages."""

from pathlib import Path

from dwmtl.files import whole_folder, write_json
from dwmtl.params import load_params
from dwmtl.report.content import report_content
from dwmtl.report.fold_results import read_fold, read_start
from dwmtl.report.page import write_pages
from dwmtl.report.plot_tables import write_plot_tables
from dwmtl.report.summary import compared_numbers
from dwmtl.results import write_result
from dwmtl.stage import run
from dwmtl.tracking.experiments import resume_experiment_run
from dwmtl.tracking.log_report import log_report


def main(
    training: Path,
    evaluation: Path,
    aligned: Path,
    labels: Path,
    cards: Path,
    verification: Path,
    out: Path,
    summary: Path,
    details: Path,
    plots: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Summarise the folds in params.yaml."""
    values = load_params(params)
    folds = [read_fold(number, training, evaluation) for number in sorted(values.folds)]
    start = read_start(evaluation)
    content = report_content(
        folds, start, values, aligned_dir=aligned, labels_dir=labels, cards_dir=cards, verification_dir=verification
    )
    with whole_folder(plots) as folder:
        write_plot_tables(folds, folder)
    with whole_folder(out) as folder:
        write_pages(content, folder)
    write_json(compared_numbers(content.summary) | content.verification.accuracies, summary)
    write_result(content.summary, details)
    with resume_experiment_run(values, folds[0].training.model_sha256) as tracked:
        log_report(tracked, values, content, plots=plots)


if __name__ == "__main__":
    run(main)
