"""The content of the report, with drawn figures and encoded pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.params import Params
from dwmtl.report.cautions import card_cautions, cautions
from dwmtl.report.data_card.card import DataCard
from dwmtl.report.embedding_map import EmbeddingMap
from dwmtl.report.figures import (
    confusion_svg,
    det_svg,
    distances_svg,
    embeddings_svg,
    learning_svg,
    recall_svg,
    roc_log_svg,
    roc_svg,
    trajectory_svg,
)
from dwmtl.report.fold_results import FoldResult, StartResult
from dwmtl.report.further_tasks import FurtherTasks, further_tasks
from dwmtl.report.groups import GroupScores, group_of_photos, group_scores
from dwmtl.report.mistakes import Beside, ShownFace, ShownPair, wrong_expressions, wrong_pairs
from dwmtl.report.model_card_terms import terms_of
from dwmtl.report.plot_tables import roc_curves
from dwmtl.report.summary import VAL_AT_FAR, Summary, summarize
from dwmtl.report.verification_sets import VerificationSets, verification_curves, verification_sets
from dwmtl.results import flatten, read_result
from dwmtl.scores.headlines import HEADLINES
from dwmtl.tables import DROPPED_PHOTOS, DUPLICATES, FOLDS, read_manifests, read_table

_SET_TITLES = {"expression": "test subjects' pairs", "verification": "verification set"}

_THRESHOLDS = {
    "expression": "Band: the thresholds of these pairs' blocks, by which authentication is scored.",
    "verification": "Band: the thresholds of these pairs' blocks; `dwmtl verify` uses their mean, since it is for "
    "people outside the expression set.",
}


@dataclass(frozen=True)
class Figure:
    """A figure of the page; `svg`: the text of an SVG file."""

    name: str
    caption: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class SetRow:
    """A set, from its data card."""

    name: str
    role: str
    adapter: str
    num_photos: int
    num_subjects: int
    num_expressions: int
    num_aligned: int
    num_fallback: int
    num_unreadable: int
    num_several_faces: int
    num_duplicates: int


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """The content of the pages.

    Attributes:
        titles: a key of the summary's scores -> the title of its row, in the order of the page.
        terms: names of sets, and their licence terms.
        params: keys of `params.yaml`, joined with dots -> values.
        card_cautions: names of sets, and a caution of their data cards.
    """

    summary: Summary
    verification: VerificationSets
    groups: GroupScores | None
    further_tasks: FurtherTasks | None
    titles: dict[str, str]
    folds: Sequence[FoldResult]
    figures: list[Figure]
    sets: list[SetRow]
    terms: list[tuple[str, str]]
    params: dict[str, object]
    weighting: str
    wrong_pairs: list[Beside[ShownPair]]
    wrong_expressions: list[Beside[ShownFace]]
    cautions: list[str]
    card_cautions: list[tuple[str, str]]


def report_content(
    folds: Sequence[FoldResult],
    start: StartResult,
    params: Params,
    *,
    aligned_dir: Path,
    labels_dir: Path,
    cards_dir: Path,
    verification_dir: Path,
    embeddings: EmbeddingMap | None = None,
) -> ReportContent:
    """Collect the content.

    Args:
        embeddings: drawn by person and by expression; None: not drawn.
        verification_dir: the folder with the verification sets' outputs of the stage `index`.
        aligned_dir, labels_dir: outputs of the stages `align` and `labels`.
        cards_dir: the folder with the sets' data cards.
    Raises:
        TableError: a table or a card is missing or damaged.
        ProtocolError: `report.group` is no column of the manifests, or has too many values.
    """
    summary, main_set = summarize(folds, start), params.main_verification_set
    cards = {name: read_result(DataCard, cards_dir / name / "card.json") for name in params.sets}
    return ReportContent(
        summary=summary,
        groups=_groups(folds, params, labels_dir=labels_dir, verification_dir=verification_dir),
        verification=verification_sets(folds, start, main_set=main_set, far_targets=params.report.tar_at_fars),
        further_tasks=further_tasks(folds),
        titles=_titles(summary),
        folds=folds,
        figures=[
            *_figures(folds, main_set, loss_label=_loss_label(params)),
            *_expression_figures(folds, summary),
            *(_maps(embeddings) if embeddings else []),
        ],
        sets=[_set_row(card) for card in cards.values()],
        terms=terms_of(card.source for card in cards.values()),
        params=flatten(params.model_dump(exclude={"compute", "tracking"}), separator="."),
        weighting=params.train.weighting.name,
        wrong_pairs=wrong_pairs(folds, aligned_dir, _subjects(labels_dir)),
        wrong_expressions=wrong_expressions(folds, aligned_dir),
        cautions=cautions(
            folds,
            summary,
            params,
            drawn=[name for name, card in cards.items() if card.source.is_drawn],
            subjects=read_table(labels_dir / "folds.csv", FOLDS),
            duplicates=read_table(labels_dir / "duplicates.csv", DUPLICATES),
            num_copies=_num_copies(labels_dir) if params.labels.protocol == "official" else 0,
        ),
        card_cautions=card_cautions(cards),
    )


def _groups(
    folds: Sequence[FoldResult], params: Params, *, labels_dir: Path, verification_dir: Path
) -> GroupScores | None:
    """None where `report.group` is null."""
    column = params.report.group
    if column is None:
        return None
    tables = {
        "expression": read_table(labels_dir / "expression.csv", ("photo",), others_are_text=True),
        "verification": read_manifests(verification_dir, params.sets_of("verification")),
    }
    return group_scores(folds, group_of_photos(column, tables), column=column, main_set=params.main_verification_set)


def _titles(summary: Summary) -> dict[str, str]:
    """The rows of the table of results; VAL at each target follows the verification set's other scores."""
    titles: dict[str, str] = {}
    for headline in HEADLINES:
        if headline.key not in summary.scores:
            continue
        titles[headline.key] = headline.title
        if headline.key == "verification_eer":
            targets = [key.removeprefix(VAL_AT_FAR) for key in summary.scores if key.startswith(VAL_AT_FAR)]
            titles |= {f"{VAL_AT_FAR}{target}": f"Verification set: VAL at FAR {target}" for target in targets}
    return titles


def _loss_label(params: Params) -> str:
    """Of the axis of losses: those of a regression are in no nats."""
    has_regression = any(task.kind == "regression" for task in params.tasks.values())
    return "task loss" if has_regression else "task loss (nats)"


def _figures(folds: Sequence[FoldResult], main_set: str, *, loss_label: str) -> list[Figure]:
    """In the order of the page."""
    pairs = pd.concat([fold.pairs for fold in folds])
    titles = {name: title for name, title in _SET_TITLES.items() if (pairs["set"] == name).any()}
    curves = {title: roc_curves(folds, name) for name, title in titles.items()}
    set_curves = verification_curves(folds, main_set=main_set)
    return [
        *(
            Figure(
                f"trajectory_fold_{fold.number}",
                f"Fold {fold.number}: the task weights above the task losses, step by step.",
                trajectory_svg(fold.trajectory, loss_label=loss_label),
            )
            for fold in folds
        ),
        Figure("roc", "ROC: folds faint, their mean strong.", roc_svg(curves)),
        Figure(
            "roc_log",
            "ROC of each verification set over all its pairs, from the smallest rate that its impostor pairs measure.",
            roc_log_svg(set_curves),
        ),
        Figure("det", "DET: the share of genuine pairs missed, both axes logarithmic.", det_svg(set_curves)),
        *(
            Figure(
                f"distances_{name}",
                f"Distances of the {title}, all folds. {_THRESHOLDS[name]}",
                distances_svg(pairs[pairs["set"] == name]),
            )
            for name, title in titles.items()
        ),
    ]


def _expression_figures(folds: Sequence[FoldResult], summary: Summary) -> list[Figure]:
    predictions, classes = pd.concat([fold.predictions for fold in folds]), summary.expression_per_class
    figures = [
        Figure(
            "confusion",
            "Expressions of the test subjects, all folds: counts, coloured by the share of the row.",
            confusion_svg(predictions["expression"], predictions["predicted"]),
        ),
        Figure(
            "recall",
            "Recall of each expression: all folds' test photos together, a point per fold.",
            recall_svg(
                {name: values.pooled for name, values in classes.items()},
                {name: values.per_fold for name, values in classes.items()},
            ),
        ),
    ]
    if all(len(fold.validation) for fold in folds):
        losses = [fold.trajectory.groupby("epoch")["loss_expression"].mean().to_numpy() for fold in folds]
        caption = (
            "Expression by epoch: the training's mean loss and the loss on the validation subjects above, the accuracy "
            "on them below; folds faint, their mean strong."
        )
        of_folds = list(zip(losses, [fold.validation for fold in folds], strict=True))
        figures.append(Figure("learning", caption, learning_svg(of_folds)))
    return figures


def _maps(embeddings: EmbeddingMap) -> list[Figure]:
    of_what = (
        f"Embeddings of fold {embeddings.fold}'s test photos, in the plane of the two largest variances "
        f"({100 * embeddings.explained:.0f} % of all; principal components)"
    )
    marks = {"subject": "a colour and shape per person", "expression": "by expression"}
    return [
        Figure(f"embeddings_by_{by}", f"{of_what}, {mark}.", embeddings_svg(embeddings.points, by))
        for by, mark in marks.items()
    ]


def _set_row(card: DataCard) -> SetRow:
    return SetRow(
        name=card.source.name,
        role=card.source.role,
        adapter=card.source.adapter,
        num_photos=card.photos.num_used,
        num_subjects=card.subjects.num,
        num_expressions=len(card.expressions.counts),
        num_aligned=card.alignment.num_by_status["aligned"],
        num_fallback=card.alignment.num_by_status["fallback"],
        num_unreadable=card.alignment.num_by_status["unreadable"],
        num_several_faces=card.alignment.num_several_faces,
        num_duplicates=card.duplicates.num_photos if card.duplicates else 0,
    )


def _num_copies(labels_dir: Path) -> int:
    """The photos that were dropped as copies of one of the official test part."""
    photos = read_table(labels_dir / "expression.csv", ("photo", "fold"))
    dropped = read_table(labels_dir / "dropped_expression.csv", DROPPED_PHOTOS)
    return int(dropped["kept"].isin(photos.loc[photos["fold"] >= 0, "photo"]).sum())


def _subjects(labels_dir: Path) -> dict[str, str]:
    table = read_table(labels_dir / "expression.csv", ("photo", "subject"))
    return dict(zip(table["photo"], table["subject"], strict=True))
