"""The cautions of the report: what limits its results, in plain sentences. Pure; opens no file.

Defects of a set itself are in its data card.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from dwmtl.params import Params
from dwmtl.report.data_card.card import DataCard
from dwmtl.report.fold_results import FoldResult
from dwmtl.report.summary import Summary
from dwmtl.scores.headlines import COMPARED

_NUM_SMALL = {"expression": 200, "verification": 600}
"""Numbers of test photos, or pairs, below which there is a caution."""

_WIDE = 0.1
"""Width of an interval above which there is a caution."""


def cautions(
    folds: Sequence[FoldResult],
    summary: Summary,
    params: Params,
    *,
    drawn: list[str],
    subjects: pd.DataFrame,
    duplicates: pd.DataFrame,
    num_copies: int = 0,
) -> list[str]:
    """The cautions, the gravest first.

    Args:
        drawn: names of the sets whose faces dwmtl drew.
        subjects: columns `tables.FOLDS`.
        duplicates: columns `tables.DUPLICATES`.
        num_copies: photos outside the official test part that were dropped as copies of a test photo.
    """
    return [
        *_drawn(drawn, params),
        *(_official_parts(num_copies) if params.labels.protocol == "official" else _folds(folds, params)),
        *_unseen(folds),
        *_widths(summary),
        *_small(folds),
        *_duplicates(duplicates, params),
        *_fallbacks(folds),
        *_subjects(subjects, params),
    ]


def card_cautions(cards: Mapping[str, DataCard]) -> list[tuple[str, str]]:
    """The cautions of the data cards: names of the sets and a sentence, each sentence once.

    Args:
        cards: a set's name -> its card.
    """
    sets: dict[str, list[str]] = {}
    for name, card in cards.items():
        for sentence in card.cautions:
            sets.setdefault(sentence, []).append(name)
    return [(", ".join(names), sentence) for sentence, names in sets.items()]


def _drawn(drawn: list[str], params: Params) -> list[str]:
    """Without the identity sets where nothing is trained on them."""
    if params.train.start_is_imported and "identity" not in params.train.sets:
        drawn = [name for name in drawn if name not in params.sets_of("identity")]
    if not drawn:
        return []
    return [
        f"Drawn by this project, no photographs: {', '.join(drawn)} set. Numbers on drawn faces say that the "
        "pipeline works, not how well it would do on photographs."
    ]


def _folds(folds: Sequence[FoldResult], params: Params) -> list[str]:
    if len(folds) == params.labels.num_folds:
        return []
    return [f"{len(folds)} of {params.labels.num_folds} folds were run: the others' subjects were never tested."]


def _official_parts(num_copies: int) -> list[str]:
    sentences = [
        "Trained and tested by the official parts: where a set does not name its subjects, people of the test part may "
        "be in the training part, too, and intervals are over photos, so too narrow if several are of one person."
    ]
    if num_copies:
        verb = "photo was" if num_copies == 1 else "photos were"
        sentences.append(f"{num_copies} {verb} left out of the training: the same picture as a test photo.")
    return sentences


def _unseen(folds: Sequence[FoldResult]) -> list[str]:
    return [
        f"Fold {fold.number} is trained on no photo of {', '.join(names)}{_of_further(task)}: it cannot predict it, "
        "and every test photo of it is wrong."
        for fold in folds
        for task, names in fold.training.unseen_classes.items()
    ]


def _of_further(task: str) -> str:
    return "" if task == "expression" else f" ({task})"


def _widths(summary: Summary) -> list[str]:
    scores = {headline.column: summary.scores.get(headline.key) for headline in COMPARED}
    intervals = {column: score.interval for column, score in scores.items() if score}
    widths = {column: ends[1] - ends[0] for column, ends in intervals.items() if ends}
    wide = [f"{column} accuracy {100 * width:.0f}" for column, width in widths.items() if width > _WIDE]
    if not wide:
        return []
    return [
        f"Wide intervals, in points: {', '.join(wide)}. Another run that differs by less than half of that may "
        "differ by chance."
    ]


def _small(folds: Sequence[FoldResult]) -> list[str]:
    sentences = []
    num_photos = sum(fold.metrics.expression.num_photos for fold in folds)
    if num_photos < _NUM_SMALL["expression"]:
        sentences.append(
            f"Only {num_photos} test photos with an expression: one photo is {100 / num_photos:.1f} points."
        )
    num_pairs = folds[0].metrics.verification.num_pairs
    if num_pairs < _NUM_SMALL["verification"]:
        sentences.append(
            f"The verification set has {num_pairs} pairs (LFW has 6,000): VAL at a small FAR means little."
        )
    return sentences


def _duplicates(duplicates: pd.DataFrame, params: Params) -> list[str]:
    """Of pictures that are in the expression set more than once."""
    groups = duplicates.drop_duplicates("group")
    if groups.empty:
        return []
    flags = {
        "in several folds (tested, and trained on elsewhere)": "is_across_folds",
        "under two subjects": "is_contradicting_subject",
        "under two expressions": "is_contradicting_expression",
    }
    counts = {text: int(groups[flag].astype(bool).sum()) for text, flag in flags.items()}
    details = ", ".join(f"{num} {text}" for text, num in counts.items() if num)
    cure = "" if params.labels.drop_duplicates else " labels.drop_duplicates takes them out."
    verb = "picture is" if len(groups) == 1 else "pictures are"
    return [f"{len(groups)} {verb} in the expression set more than once{': ' + details if details else ''}.{cure}"]


def _subjects(subjects: pd.DataFrame, params: Params) -> list[str]:
    if params.labels.protocol == "official":
        return ["One training with one seed: another seed gives other scores."]
    return [f"{len(subjects)} subjects in the expression set; deviations are over folds of one training seed each."]


def _fallbacks(folds: Sequence[FoldResult]) -> list[str]:
    counts = [fold.metrics.num_fallback_crops for fold in folds]
    most = {
        "expression": max(count.expression for count in counts),
        "verification": max(count.verification for count in counts),
    }
    return [
        f"In the {name} set no face was found in {num} of the evaluated photos: the centre was used."
        for name, num in most.items()
        if num
    ]
