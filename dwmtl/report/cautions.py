"""What a reader of the report should be careful about, in plain sentences. Pure; opens no file.

What is wrong with a set in itself, its data card says; here is what concerns the results.
"""

import pandas as pd

from dwmtl.params import Params
from dwmtl.report.summary import FoldResult

_NUM_SMALL = {"expression": 200, "verification": 600}
"""Fewer test photos, or pairs, than this deserve a word of caution."""

_WIDE = 0.1
"""An interval wider than this deserves one."""

_HEADLINES = {
    "expression_accuracy": "expression accuracy",
    "verification_accuracy": "verification accuracy",
    "authentication_accuracy": "authentication",
}


def cautions(
    folds: list[FoldResult],
    summary: dict[str, object],
    params: Params,
    *,
    subjects: pd.DataFrame,
    duplicates: pd.DataFrame,
) -> list[str]:
    """Sentences, the gravest first.

    Args:
        subjects: columns `tables.FOLDS`.
        duplicates: columns `tables.DUPLICATES`.
    """
    return [
        *_drawn(params),
        *_folds(folds, params),
        *_widths(summary),
        *_small(folds),
        *_duplicates(duplicates, params),
        *_fallbacks(folds),
        f"{len(subjects)} subjects in the expression set; deviations are over folds of one training seed each.",
    ]


def card_cautions(cards: dict[str, dict]) -> list[tuple[str, str]]:
    """What the data cards caution about: the sets that a sentence is of, and the sentence; each sentence once.

    Args:
        cards: a set's name -> its card.
    """
    sets: dict[str, list[str]] = {}
    for name, card in cards.items():
        for sentence in card["cautions"]:
            sets.setdefault(sentence, []).append(name)
    return [(", ".join(names), sentence) for sentence, names in sets.items()]


def _drawn(params: Params) -> list[str]:
    drawn = [name for name, values in params.sets.items() if values.folder.startswith("data/raw/rendered")]
    if not drawn:
        return []
    return [
        f"Drawn by this project, no photographs: {', '.join(drawn)} set. Numbers on drawn faces say that the "
        "pipeline works, not how well it would do on photographs."
    ]


def _folds(folds: list[FoldResult], params: Params) -> list[str]:
    if len(folds) == params.labels.num_folds:
        return []
    return [f"{len(folds)} of {params.labels.num_folds} folds were run: the others' subjects were never tested."]


def _widths(summary: dict[str, object]) -> list[str]:
    widths = {
        text: high - low
        for name, text in _HEADLINES.items()
        if summary[name].get("interval")
        for low, high in [summary[name]["interval"]]
    }
    wide = [f"{text} {100 * width:.0f}" for text, width in widths.items() if width > _WIDE]
    if not wide:
        return []
    return [
        f"Wide intervals, in points: {', '.join(wide)}. Another run that differs by less than half of that may "
        "differ by chance."
    ]


def _small(folds: list[FoldResult]) -> list[str]:
    sentences = []
    num_photos = sum(fold.metrics["expression"]["num_photos"] for fold in folds)
    if num_photos < _NUM_SMALL["expression"]:
        sentences.append(
            f"Only {num_photos} test photos with an expression: one photo is {100 / num_photos:.1f} points."
        )
    num_pairs = folds[0].metrics["verification"]["num_pairs"]
    if num_pairs < _NUM_SMALL["verification"]:
        sentences.append(
            f"The verification set has {num_pairs} pairs (LFW has 6,000): VAL at a small FAR means little."
        )
    return sentences


def _duplicates(duplicates: pd.DataFrame, params: Params) -> list[str]:
    """Of the photos that were used."""
    groups = duplicates.drop_duplicates("group")
    if groups.empty:
        return []
    flags = {
        "in several folds (tested, and trained on elsewhere)": "is_across_folds",
        "under two subjects": "is_contradicting_subject",
        "under two expressions": "is_contradicting_expression",
    }
    counts = {text: int(groups[flag].astype(bool).sum()) for text, flag in flags.items()}
    found = ", ".join(f"{num} {text}" for text, num in counts.items() if num)
    cure = "" if params.labels.drop_duplicates else " labels.drop_duplicates takes them out."
    verb = "picture is" if len(groups) == 1 else "pictures are"
    return [f"{len(groups)} {verb} in the expression set more than once{': ' + found if found else ''}.{cure}"]


def _fallbacks(folds: list[FoldResult]) -> list[str]:
    most = {
        name: max(fold.metrics["num_fallback_crops"][name] for fold in folds) for name in ("expression", "verification")
    }
    return [
        f"In the {name} set no face was found in {num} of the evaluated photos: the centre was used."
        for name, num in most.items()
        if num
    ]
