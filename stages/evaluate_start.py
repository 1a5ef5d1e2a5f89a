"""Stage `evaluate_start`: the model that the folds start from, crops, pairs -> its scores on the verification sets."""

from pathlib import Path

from dwmtl.evaluation.start import evaluate_start, write_start_evaluation
from dwmtl.files import whole_folder
from dwmtl.params import load_params
from dwmtl.stage import run


def main(model: Path, pairs: Path, aligned: Path, out: Path, params: Path = Path("params.yaml")) -> None:
    """Score the start on the verification sets, on the pairs that every fold is scored on."""
    evaluation = evaluate_start(model, load_params(params), pairs_dir=pairs, aligned_dir=aligned)
    with whole_folder(out) as folder:
        write_start_evaluation(evaluation, folder)


if __name__ == "__main__":
    run(main)
