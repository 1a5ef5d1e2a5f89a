"""A set's data card computed from its tables. Opens no file and does not know how a card is shown."""

from dataclasses import replace

import pandas as pd

from dwmtl.protocol.folds import NO_FOLD
from dwmtl.protocol.official import FOLD_OF_PART, PART, TEST_FOLD, VALIDATION_FOLD
from dwmtl.report.data_card.card import (
    Alignment,
    DataCard,
    ExpressionCount,
    Expressions,
    Failure,
    Fold,
    Folds,
    PairBlock,
    Pairs,
    Photos,
    PhotosEach,
    Quantiles,
    Size,
    Sizes,
    Source,
    Subjects,
)
from dwmtl.report.data_card.cautions import cautions
from dwmtl.report.data_card.defects import MAX_LISTED, duplicates, lacks
from dwmtl.set_facts import PassedOver
from dwmtl.tables import BOX, MANIFEST, STATUSES

_PARTS = {"to train on": NO_FOLD, "to validate on": VALIDATION_FOLD, "to test on": TEST_FOLD}
MAX_SUBJECTS_LISTED = 200
MAX_VALUES_LISTED = 20
"""Values of a further task's label; a column with more is taken for text."""
NUM_SIZES_LISTED = 10
_QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}


def data_card(
    manifest: pd.DataFrame,
    crops: pd.DataFrame,
    *,
    source: Source,
    failures: pd.DataFrame | None = None,
    folds: pd.DataFrame | None = None,
    is_official: bool = False,
    pairs: pd.DataFrame | None = None,
    facts: pd.DataFrame | None = None,
    passed_over: PassedOver | None = None,
) -> DataCard:
    """Describe a set. Photos whose use is `unused` are counted by use and nowhere else.

    Args:
        manifest: table of `tables.MANIFEST`, and labels of further tasks.
        crops: table of `tables.CROPS`.
        source: where the set comes from.
        failures: table of `tables.FAILURES`; None: no failure is listed.
        folds: table of `tables.FOLDS`.
        is_official: the official parts of the photos are their folds, in place of `folds`.
        pairs: table of `tables.VERIFICATION_PAIRS`.
        facts: table of `tables.PHOTO_FACTS`; None: sizes and duplicates are None.
        passed_over: pictures in the set's folder that are not in the manifest.
    """
    used = manifest[manifest["use"] != "unused"].reset_index(drop=True)
    with_fold = _with_part(used) if is_official else _with_fold(used, folds)
    card = DataCard(
        source=source,
        photos=Photos(
            num=len(manifest),
            num_used=len(used),
            by_use=_counts(manifest["use"]),
            passed_over=passed_over or PassedOver(),
        ),
        subjects=_subjects(used),
        expressions=_expressions(used),
        labels=_labels(used),
        folds=None if folds is None else _folds(used, folds),
        pairs=None if pairs is None else _pairs(pairs),
        alignment=_alignment(crops, failures, used),
        sizes=None if facts is None else _sizes(facts),
        duplicates=None if facts is None else duplicates(with_fold, facts),
        lacks=lacks(manifest),
        cautions=[],
    )
    official = [_official_parts(with_fold)] if is_official else []
    return replace(card, cautions=cautions(card, is_official=is_official) + official)


def _counts(values: pd.Series) -> dict[str, int]:
    """Value -> how often, sorted by value."""
    return {str(value): int(num) for value, num in values.value_counts().sort_index().items()}


def _quantiles(values: pd.Series, digits: int) -> Quantiles | None:
    values = values.dropna()
    if values.empty:
        return None
    return Quantiles(**{name: round(float(values.quantile(share)), digits) for name, share in _QUANTILES.items()})


def _with_fold(used: pd.DataFrame, folds: pd.DataFrame | None) -> pd.DataFrame:
    if folds is None:
        return used.assign(fold=pd.NA)
    return used.merge(folds[["subject", "fold"]], on="subject", how="left", validate="many_to_one")


def _with_part(used: pd.DataFrame) -> pd.DataFrame:
    """A photo without a part, or of a set without, is trained on."""
    parts = used[PART] if PART in used else pd.Series("", index=used.index)
    return used.assign(fold=parts.map(FOLD_OF_PART))


def _official_parts(with_fold: pd.DataFrame) -> str:
    """A caution: the sizes of the official parts."""
    nums = {name: int((with_fold["fold"] == fold).sum()) for name, fold in _PARTS.items()}
    return f"Official parts, photos: {', '.join(f'{num} {name}' for name, num in nums.items())}."


def _subjects(used: pd.DataFrame) -> Subjects:
    subjects = used.loc[used["subject"] != "", "subject"]
    counts = subjects.value_counts()
    each = None if counts.empty else PhotosEach(int(counts.min()), float(counts.median()), int(counts.max()))
    return Subjects(
        num=len(counts),
        num_photos_without=len(used) - len(subjects),
        num_with_one_photo=int((counts == 1).sum()),
        photos_each=each,
        counts=_counts(subjects) if len(counts) <= MAX_SUBJECTS_LISTED else None,
    )


def _expressions(used: pd.DataFrame) -> Expressions:
    shown = used[used["expression"] != ""]
    subjects = shown[shown["subject"] != ""].groupby("expression")["subject"].nunique()
    return Expressions(
        num_photos_without=len(used) - len(shown),
        counts={
            name: ExpressionCount(num, int(subjects.get(name, 0))) for name, num in _counts(shown["expression"]).items()
        },
    )


def _labels(used: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Counts of the labels of further tasks; photos without a label are not counted, columns of text are left out."""
    columns = [column for column in used if column not in MANIFEST]
    counts = {column: _counts(used.loc[used[column].astype(str) != "", column]) for column in columns}
    return {column: values for column, values in counts.items() if 0 < len(values) <= MAX_VALUES_LISTED}


def _folds(used: pd.DataFrame, folds: pd.DataFrame) -> Folds:
    photos = _with_fold(used, folds)
    names = sorted(set(used["expression"]) - {""})
    rows = []
    for fold in sorted(folds["fold"].unique()):
        tested = photos[photos["fold"] == fold]
        counts = _counts(tested["expression"])
        rows.append(
            Fold(
                fold=int(fold),
                num_subjects=int((folds["fold"] == fold).sum()),
                num_photos=len(tested),
                by_expression={name: counts.get(name, 0) for name in names},
            )
        )
    return Folds(num_photos_in_none=int(photos["fold"].isna().sum()), rows=rows)


def _pairs(pairs: pd.DataFrame) -> Pairs:
    is_same = pairs["is_same_identity"].astype(bool)
    rows = [
        PairBlock(fold=int(fold), num_genuine=int(is_same[block].sum()), num_impostor=int((~is_same[block]).sum()))
        for fold, block in sorted(pairs.groupby("fold").groups.items())
    ]
    return Pairs(num_genuine=int(is_same.sum()), num_impostor=int((~is_same).sum()), rows=rows)


def _alignment(crops: pd.DataFrame, failures: pd.DataFrame | None, used: pd.DataFrame) -> Alignment:
    x1, y1, x2, y2 = (crops[column].astype(float) for column in BOX)
    aligned = crops[crops["status"] == "aligned"]
    side_px = pd.concat([x2 - x1, y2 - y1], axis=1).max(axis=1)[aligned.index]
    failed = crops.loc[crops["status"] != "aligned", ["photo"]].merge(used[["photo", "expression"]], on="photo")
    listed = [] if failures is None else failures.head(MAX_LISTED).itertuples()
    return Alignment(
        num_photos=len(crops),
        num_by_status=dict.fromkeys(STATUSES, 0) | _counts(crops["status"]),
        num_several_faces=int((crops["num_faces"] > 1).sum()),
        confidence=_quantiles(aligned["confidence"].astype(float), 4),
        face_side_px=_quantiles(side_px, 1),
        failed_by_expression=_counts(failed.loc[failed["expression"] != "", "expression"]),
        failures=[Failure(row.photo, row.status, row.reason) for row in listed],
    )


def _sizes(facts: pd.DataFrame) -> Sizes:
    """The photos' sizes; the most frequent are listed, ties in the order of size."""
    measured = facts.dropna(subset=["width_px", "height_px"])
    counts = measured.groupby(["width_px", "height_px"]).size().reset_index(name="num")
    counts = counts.sort_values(["num", "width_px", "height_px"], ascending=[False, True, True])
    return Sizes(
        num_sizes=len(counts),
        num_unknown=len(facts) - len(measured),
        most_frequent=[
            Size(width_px=int(row.width_px), height_px=int(row.height_px), num_photos=int(row.num))
            for row in counts.head(NUM_SIZES_LISTED).itertuples()
        ],
    )
