"""A fold's model, asked about every photo that its labels and pairs name, and scored."""

from pathlib import Path

import pandas as pd

from dwmtl.crops.aligned import crop_paths
from dwmtl.errors import ProtocolError
from dwmtl.evaluation.embedding import CropFiles, embed
from dwmtl.evaluation.fold import Answered, FoldEvaluation, evaluate_fold
from dwmtl.network.model_file import ModelCard
from dwmtl.network.network import EXPRESSION, IDENTITY, FaceNetwork
from dwmtl.params import Params
from dwmtl.protocol.folds import split
from dwmtl.tables import EXPRESSION_LABELS, EXPRESSION_PAIRS, VERIFICATION_PAIRS, read_table


def evaluate_model(
    network: FaceNetwork,
    card: ModelCard,
    params: Params,
    *,
    fold: int,
    labels_dir: Path,
    pairs_dir: Path,
    aligned_dir: Path,
) -> FoldEvaluation:
    """Score a fold's model on the fold's subjects and on the verification set.

    Args:
        labels_dir, pairs_dir: outputs of the stages of these names.
        aligned_dir: the folder with the sets' folders of the stage `align`.
    Raises:
        ProtocolError: the model was trained on a subject of the fold, or something cannot be scored.
    """
    labels = read_table(labels_dir / "expression.csv", EXPRESSION_LABELS, others_are_text=True)
    _, labels = split(labels, fold)
    _refuse_trained_subjects(fold, card.people_seen(), labels["subject"])
    own = read_table(pairs_dir / f"fold_{fold}.csv", EXPRESSION_PAIRS)
    other = read_table(pairs_dir / "verification.csv", VERIFICATION_PAIRS)
    named = {
        "expression": pd.concat([labels["photo"], own["input"], own["reference"]]),
        "verification": pd.concat([other["photo_a"], other["photo_b"]]),
    }
    answered = {role: _ask(network, photos, aligned_dir / role, params) for role, photos in named.items()}
    return evaluate_fold(
        labels,
        own,
        other,
        expression_set=answered["expression"],
        verification_set=answered["verification"],
        verification_subjects=_people_by_folder(other),
        classes=card.classes(EXPRESSION),
        further_tasks={
            name: (task.labels, card.classes(name))
            for name, task in params.tasks.items()
            if name not in (IDENTITY, EXPRESSION)
        },
        params=params.evaluate,
    )


def _people_by_folder(pairs: pd.DataFrame) -> dict[str, str]:
    """A photo of the verification set -> who is on it: the folder it lies in, as in LFW's `Aaron_Eckhart/...jpg`.

    Empty where folders are no people, as in a pack's: a genuine pair across two folders, or an impostor pair in one.
    """
    a, b = (pairs[side].str.rpartition("/")[0] for side in ("photo_a", "photo_b"))
    if not ((a == b) == pairs["is_same_identity"].astype(bool)).all():
        return {}
    return dict(zip([*pairs["photo_a"], *pairs["photo_b"]], [*a, *b], strict=True))


def _refuse_trained_subjects(fold: int, trained: list[str], tested: pd.Series) -> None:
    """The network must never have seen whom it is tested on."""
    both = sorted(set(trained) & set(tested))
    if both:
        raise ProtocolError(
            f"the model was trained on test subjects of fold {fold}: {', '.join(both)}. Train it again."
        )


def _ask(network: FaceNetwork, photos: pd.Series, aligned: Path, params: Params) -> Answered:
    """Run the network over the crops of photos, each once; photos without a crop are left to the scoring to refuse."""
    unique = pd.Series(sorted(photos.unique()))
    paths = crop_paths(aligned, unique, status=("aligned", "fallback"))
    faces = crop_paths(aligned, unique, status=("aligned",))
    has_crop = paths != ""
    answers = embed(
        network,
        CropFiles([aligned / path for path in paths[has_crop]]),
        flip=params.evaluate.flip,
        batch_size=params.evaluate.batch_size,
        accelerator=params.compute.accelerator,
        num_workers=params.compute.num_workers,
        title=f"embed {aligned.name}",
    )
    return Answered(pd.Index(unique[has_crop]), answers, (faces[has_crop] == "").to_numpy())
