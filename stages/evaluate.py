"""Stage `evaluate`, a fold: its model, crops, labels and pairs -> what the model is worth on people it never saw."""

import json
from pathlib import Path

import pandas as pd

from dwmtl.datasets.crops import crop_paths
from dwmtl.errors import ProtocolError
from dwmtl.evaluation.embedding import embed
from dwmtl.evaluation.fold import Answered, evaluate_fold, write_evaluation
from dwmtl.network.model_file import load_model, model_sha256
from dwmtl.network.network import EXPRESSION, IDENTITY, FaceNetwork
from dwmtl.params import Params, load_params
from dwmtl.protocol.folds import split
from dwmtl.stage import run, whole_folder
from dwmtl.tables import EXPRESSION_LABELS, EXPRESSION_PAIRS, VERIFICATION_PAIRS, read_table
from dwmtl.tracking import resume_model_run


def main(
    fold: int, model: Path, labels: Path, pairs: Path, aligned: Path, out: Path, params: Path = Path("params.yaml")
) -> None:
    """Score a fold's model on the fold's subjects and on the verification set."""
    values = load_params(params)
    network, card = load_model(model, averaged=values.evaluate.weights == "ema")
    table = read_table(labels / "expression.csv", EXPRESSION_LABELS, others_are_text=True)
    _, table = split(table, fold)
    refuse_trained_subjects(model, card.classes(IDENTITY), table["subject"])
    own = read_table(pairs / f"fold_{fold}.csv", EXPRESSION_PAIRS)
    other = read_table(pairs / "verification.csv", VERIFICATION_PAIRS)
    named = {
        "expression": pd.concat([table["photo"], own["input"], own["reference"]]),
        "verification": pd.concat([other["photo_a"], other["photo_b"]]),
    }
    answered = {role: ask(network, photos, aligned / role, values) for role, photos in named.items()}
    evaluation = evaluate_fold(
        table,
        own,
        other,
        expression_set=answered["expression"],
        verification_set=answered["verification"],
        classes=card.classes(EXPRESSION),
        further_tasks={
            name: (task.labels, card.classes(name))
            for name, task in values.tasks.items()
            if name not in (IDENTITY, EXPRESSION)
        },
        params=values.evaluate,
    )
    with whole_folder(out) as folder:
        write_evaluation(evaluation, folder)
    with resume_model_run(values, model_sha256(model)) as tracked:
        tracked.set_tag("dwmtl.evaluate", json.dumps(values.evaluate.model_dump(), sort_keys=True))
        tracked.set_tag("dwmtl.pairs", json.dumps(values.pairs.model_dump(), sort_keys=True))
        tracked.log_metrics(evaluation.metrics)
        tracked.log_folder(out, "evaluation")


def refuse_trained_subjects(model: Path, trained: list[str], tested: pd.Series) -> None:
    """The network must never have seen whom it is tested on."""
    both = sorted(set(trained) & set(tested))
    if both:
        raise ProtocolError(f"{model} was trained on test subjects of this fold: {', '.join(both)}. Train it again.")


def ask(network: FaceNetwork, photos: pd.Series, aligned: Path, params: Params) -> Answered:
    """Run the network over the crops of photos, each once; photos without a crop are left to the scoring to refuse."""
    unique = pd.Series(sorted(photos.unique()))
    paths = crop_paths(aligned, unique, status=("aligned", "fallback"))
    faces = crop_paths(aligned, unique, status=("aligned",))
    has_crop = paths != ""
    answers = embed(
        network,
        [aligned / path for path in paths[has_crop]],
        flip=params.evaluate.flip,
        batch_size=params.evaluate.batch_size,
        accelerator=params.compute.accelerator,
        num_workers=params.compute.num_workers,
        title=f"embed {aligned.name}",
    )
    return Answered(pd.Index(unique[has_crop]), answers, (faces[has_crop] == "").to_numpy())


if __name__ == "__main__":
    run(main)
