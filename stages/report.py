"""Stage `report`: the results of all folds -> a summary and its details, tables for `dvc plots`, and the pages."""

from pathlib import Path

from dwmtl.stage import run  # first: then a missing extra of the other imports is one line

# isort: split
from dwmtl.files import whole_folder, write_json
from dwmtl.params import Params, load_params
from dwmtl.report.content import report_content
from dwmtl.report.embedding_map import EmbeddingMap, embedding_map, mapped_photos
from dwmtl.report.fold_results import FoldResult, read_fold, read_start
from dwmtl.report.page import write_pages
from dwmtl.report.plot_tables import write_plot_tables
from dwmtl.report.summary import compared_numbers
from dwmtl.results import write_result
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
    model: Path | None = None,
    params: Path = Path("params.yaml"),
) -> None:
    """Summarise the folds in params.yaml; of `model`, the first of them, map the embeddings of test photos."""
    values = load_params(params)
    folds = [read_fold(number, training, evaluation) for number in sorted(values.folds)]
    start = read_start(evaluation)
    content = report_content(
        folds,
        start,
        values,
        aligned_dir=aligned,
        labels_dir=labels,
        cards_dir=cards,
        verification_dir=verification,
        embeddings=_embedded(model, folds, aligned, values) if model else None,
    )
    with whole_folder(plots) as folder:
        write_plot_tables(folds, folder)
    with whole_folder(out) as folder:
        write_pages(content, folder)
    write_json(compared_numbers(content.summary) | content.verification.accuracies, summary)
    write_result(content.summary, details)
    with resume_experiment_run(values, folds[0].training.model_sha256) as tracked:
        log_report(tracked, values, content, plots=plots)


def _embedded(model: Path, folds: list[FoldResult], aligned: Path, params: Params) -> EmbeddingMap | None:
    from dwmtl.evaluation.predict import predict  # imports torch, which a report without a map does not need
    from dwmtl.network.model_file import load_model

    fold = next(fold for fold in folds if fold.number == params.folds[0])
    network, _ = load_model(model, weights=params.evaluate.weights)
    photos = mapped_photos(fold.predictions)
    answered = predict(network, photos["photo"], aligned / "expression", params)
    embeddings = answered.answers.embeddings[answered.rows(photos["photo"])]
    return embedding_map(fold.number, photos, embeddings)


if __name__ == "__main__":
    run(main)
