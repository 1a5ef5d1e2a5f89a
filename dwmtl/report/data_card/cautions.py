"""The cautions of a data card, in plain sentences. Pure: a card in, sentences out."""

from dwmtl.report.data_card.card import Alignment, DataCard, DuplicateGroup, Duplicates, Lack

_MAX_SENTENCES = 5
"""Sentences of one kind that are listed; the others are counted."""

_MAX_NAMES = 3
_UNBALANCED = 3
"""Ratio of the most frequent to the rarest expression's photos from which there is a caution."""

_OFFICIAL_PARTS = (
    "official parts: the test part keeps its photos, else the validation part; the copies in the others are left out."
)
_FEW_SUBJECTS = 20
_SMALL_FACE_PX = 40


def cautions(card: DataCard, *, is_official: bool = False) -> list[str]:
    """The cautions of a card, the gravest kinds first.

    Args:
        card: its cautions are ignored.
        is_official: the folds of its duplicates are official parts.
    """
    return [
        *_drawn(card),
        *_passed_over(card),
        *_duplicates(card.duplicates, is_official=is_official),
        *_lacks(card.lacks),
        *_alignment(card.alignment),
        *_subjects(card),
        *_expressions(card),
        *_folds(card),
    ]


def _drawn(card: DataCard) -> list[str]:
    if not card.source.is_drawn:
        return []
    return ["The faces are drawn by this project, they are no photographs: the set shows that the pipeline works."]


def _passed_over(card: DataCard) -> list[str]:
    others = card.photos.passed_over
    if not others.num_pictures:
        return []
    return [
        f"{_are(others.num_pictures, 'picture')} in the set's folder but not where the adapter looks, so skipped: "
        f"{_some(list(map(_code, others.examples)), others.num_pictures)}."
    ]


def _duplicates(duplicates: Duplicates | None, *, is_official: bool) -> list[str]:
    if not duplicates or not duplicates.num_groups:
        return []
    sentences = [_contradiction(group) for group in duplicates.groups if group.contradicts]
    sentences = _first(sentences, "more pictures have contradicting labels", total=duplicates.num_contradictory)
    if duplicates.num_across_folds:
        sentences.append(
            f"{_are(duplicates.num_across_folds, 'picture')} in several "
            + (_OFFICIAL_PARTS if is_official else "folds: what is tested was also trained on.")
        )
    num_alike = duplicates.num_groups - duplicates.num_contradictory
    if num_alike:
        alike = [_same(group.photos) for group in duplicates.groups if not group.contradicts]
        examples = f": {_some(alike, num_alike)}" if alike else ""
        sentences.append(f"{_are(num_alike, 'picture')} there more than once, labels agreeing{examples}.")
    return sentences


def _contradiction(group: DuplicateGroup) -> str:
    names = {"expression": group.expressions, "subject": group.subjects}
    named = {label: names[label] for label in group.contradicts}
    labels = " and ".join(f"{len(names)} {label}s ({_some(names, len(names))})" for label, names in named.items())
    return f"{_same(group.photos)}: the same picture under {labels}. At most one of them is right."


def _lacks(rows: list[Lack]) -> list[str]:
    sentences = []
    for row in rows:
        what = f"the expression {row.kind}" if row.what == "expression" else f"the {row.what} {_code(row.kind)}"
        subjects = _some(row.subjects, row.num_subjects)
        verb = "lacks" if row.num_subjects == 1 else "lack"
        sentences.append(f"{subjects} {verb} {what}, which the other subjects have.")
    return _first(sentences, "more kinds of photos are lacking for some subjects", total=len(rows))


def _alignment(outcome: Alignment) -> list[str]:
    sentences = []
    num, by_status = outcome.num_photos, outcome.num_by_status
    if by_status["fallback"]:
        share = f"{100 * by_status['fallback'] / num:.1f} %"
        sentences.append(
            f"No face was found in {by_status['fallback']} of {_count(num, 'photo')} ({share}): the photo's centre "
            "stands in for it, and is never trained on."
        )
    if by_status["unreadable"]:
        sentences.append(f"{_are(by_status['unreadable'], 'photo')} not readable and left out.")
    if outcome.num_several_faces:
        sentences.append(
            f"Several faces were found in {_count(outcome.num_several_faces, 'photo')}: the crop may show another "
            "person."
        )
    side = outcome.face_side_px
    if side and side.q05 < _SMALL_FACE_PX:
        sentences.append(
            f"One face in twenty is smaller than {side.q05:g} px in the photo: its crop is enlarged and blurred."
        )
    return sentences


def _subjects(card: DataCard) -> list[str]:
    subjects = card.subjects
    sentences = []
    if subjects.num_photos_without:
        sentences.append(
            f"{_are(subjects.num_photos_without, 'photo')} of nobody known: such photos train no identity, and "
            "folds cannot keep people apart."
        )
    if 0 < subjects.num < _FEW_SUBJECTS:
        sentences.append(
            f"The set has only {_count(subjects.num, 'subject')}: one of them is {100 / subjects.num:.0f} % of them."
        )
    if card.source.role == "identity" and subjects.num_with_one_photo:
        sentences.append(
            f"{_are(subjects.num_with_one_photo, 'subject')} shown in one photo only: nothing is learned of how "
            "they vary."
        )
    return sentences


def _expressions(card: DataCard) -> list[str]:
    counts = {name: row.num_photos for name, row in card.expressions.counts.items()}
    if len(counts) < 2:
        return []
    rarest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[most] < _UNBALANCED * counts[rarest]:
        return []
    return [
        f"The expressions are unbalanced: {_count(counts[most], 'photo')} of {most}, {counts[rarest]} of {rarest}. "
        "Read the balanced accuracy."
    ]


def _folds(card: DataCard) -> list[str]:
    folds = card.folds
    if folds is None:
        return []
    totals = {name: shown.num_photos for name, shown in card.expressions.counts.items()}
    sentences = [
        f"Fold {row.fold} has no photo of {', '.join(without)}: it is never tested there."
        for row in folds.rows
        if (without := [name for name, num in row.by_expression.items() if not num])
    ]
    sentences = _first(sentences, "more folds lack an expression", total=len(sentences))
    sentences += [
        f"Fold {row.fold} tests every photo of {', '.join(alone)}: unless another set shows it, it is trained on none."
        for row in folds.rows
        if (alone := [name for name, num in row.by_expression.items() if num and num == totals.get(name)])
    ]
    if folds.num_photos_in_none:
        sentences.append(f"{_are(folds.num_photos_in_none, 'photo')} of subjects that are in no fold.")
    return sentences


def _count(num: int, noun: str) -> str:
    return f"{num} {noun}{'' if num == 1 else 's'}"


def _are(num: int, noun: str) -> str:
    """`1 photo is`, `2 photos are`."""
    return f"{_count(num, noun)} {'is' if num == 1 else 'are'}"


def _code(name: str) -> str:
    return "`" + name.replace("`", "'") + "`"


def _same(photos: list[str]) -> str:
    return " = ".join(map(_code, photos[:_MAX_NAMES])) + (" = ..." if len(photos) > _MAX_NAMES else "")


def _some(names: list[str], num: int) -> str:
    """The first few names, and how many more there are."""
    shown = names[:_MAX_NAMES] if num > _MAX_NAMES + 1 else names
    return ", ".join(shown) + (f" and {num - len(shown)} more" if num > len(shown) else "")


def _first(sentences: list[str], more: str, *, total: int) -> list[str]:
    shown = sentences[:_MAX_SENTENCES]
    return [*shown, f"{total - len(shown)} {more}."] if total > len(shown) else shown
