"""Stage `evaluate`, a fold: its model, crops, labels and pairs -> what the model is worth on people it never saw."""

from pathlib import Path

from dwmtl.evaluation.evaluate import evaluate_model
from dwmtl.evaluation.fold import write_evaluation
from dwmtl.network.model_file import has_best, load_model, model_sha256
from dwmtl.params import load_params
from dwmtl.scores.threshold import THRESHOLD_FILE, threshold_record
from dwmtl.stage import run, whole_folder, write_json
from dwmtl.tables import BEST_DIR
from dwmtl.tracking.experiments import resume_model_run
from dwmtl.tracking.log_evaluation import log_evaluation


def main(
    fold: int, model: Path, labels: Path, pairs: Path, aligned: Path, out: Path, params: Path = Path("params.yaml")
) -> None:
    """Score a fold's model on the fold's subjects and on the verification set: its last weights, and the epoch's that
    was best on the validation subjects, where there were any."""
    values = load_params(params)
    folders = {"labels_dir": labels, "pairs_dir": pairs, "aligned_dir": aligned}
    network, card = load_model(model, weights=values.evaluate.weights)
    evaluation = evaluate_model(network, card, values, fold=fold, **folders)
    best = None
    if has_best(card):
        best = evaluate_model(*load_model(model, weights="best"), values, fold=fold, **folders)
    threshold = threshold_record(
        evaluation.pairs, values.evaluate, model_sha256=card.sha256_of(values.evaluate.weights)
    )
    with whole_folder(out) as folder:
        write_evaluation(evaluation, folder)
        write_json(threshold, folder / THRESHOLD_FILE)
        (folder / BEST_DIR).mkdir()
        if best is not None:
            write_evaluation(best, folder / BEST_DIR)
    with resume_model_run(values, model_sha256(model)) as tracked:
        log_evaluation(tracked, values, fold=fold, model=model, out=out)


if __name__ == "__main__":
    run(main)
