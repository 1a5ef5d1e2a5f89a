"""Stage `report`: the outcome of all folds -> a summary, tables for `dvc plots`, and a page."""

from pathlib import Path

from dwmtl.evaluation.report import write_plot_tables, write_report
from dwmtl.evaluation.summary import read_fold, summarize
from dwmtl.params import load_params
from dwmtl.stage import run, whole_folder, write_json
from dwmtl.tracking import resume_experiment_run


def main(
    training: Path,
    evaluation: Path,
    aligned: Path,
    labels: Path,
    out: Path,
    summary: Path,
    plots: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Sum up the folds that params.yaml names."""
    values = load_params(params)
    folds = [read_fold(number, training, evaluation) for number in sorted(values.folds)]
    summed = summarize(folds)
    with whole_folder(plots) as folder:
        write_plot_tables(folds, folder)
    with whole_folder(out) as folder:
        write_report(folds, values, aligned_dir=aligned, labels_dir=labels, folder=folder)
    write_json(summed, summary)
    with resume_experiment_run(values, folds[0].training["model_sha256"]) as tracked:
        tracked.log_metrics({name: value["mean"] for name, value in summed.items() if "mean" in value})
        tracked.log_folder(out, "report")


if __name__ == "__main__":
    run(main)
