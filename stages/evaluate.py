"""Stage `evaluate`, per fold: its model, crops, labels and pairs -> scores on people that the model never saw."""

from pathlib import Path

from dwmtl.evaluation.evaluate import evaluate_model_folder, write_model_evaluation
from dwmtl.files import whole_folder
from dwmtl.network.model_file import model_sha256
from dwmtl.params import load_params
from dwmtl.stage import run
from dwmtl.tracking.data_sets import evaluation_data_sets
from dwmtl.tracking.experiments import resume_model_run
from dwmtl.tracking.log_evaluation import log_evaluation


def main(
    fold: int, model: Path, labels: Path, pairs: Path, aligned: Path, out: Path, params: Path = Path("params.yaml")
) -> None:
    """Score a fold's model on the fold's subjects and on the verification sets."""
    values = load_params(params)
    evaluation = evaluate_model_folder(
        model, values, fold=fold, labels_dir=labels, pairs_dir=pairs, aligned_dir=aligned
    )
    with whole_folder(out) as folder:
        write_model_evaluation(evaluation, folder)
    with resume_model_run(values, model_sha256(model)) as tracked:
        data = evaluation_data_sets(values, fold, labels=labels, pairs=pairs, aligned=aligned)
        log_evaluation(tracked, values, fold=fold, model=model, out=out, data=data)


if __name__ == "__main__":
    run(main)
