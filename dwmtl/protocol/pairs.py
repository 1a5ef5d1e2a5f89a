"""Pairs with expressions of a fold's test subjects, and the blocks of the verification cross-validation.

A reference is the neutral frame of a sequence, or a neutral photo that belongs to no sequence: a subject with one such
photo has one reference. With `references: all`, every other neutral photo and every peak is a reference, too, but none
is paired with itself; then a set without neutral photos can be paired. For each reference and each required expression
there is one pair of each of four kinds, so that all kinds have the same number of pairs:

    genuine,  showing the required expression      the only kind that authentication accepts
    impostor, showing the required expression
    genuine,  showing another one (not neutral)
    impostor, showing another one (not neutral)

An input is a random peak photo: the subject is drawn first, then the expression, then the photo, each with equal
probability. A photo is drawn twice for the same reference only if no other remains. The kinds follow each other in the
order above, so that genuine and impostor pairs alternate and a block of two pairs holds both.

Where a reference lacks one of the four inputs (its subject never shows the required expression, or shows only that
one), its four pairs are left out together and listed: the kinds stay balanced, and nothing is dropped silently.
Source: Ming et al. 2019, arXiv:1911.03281, whose file is blocked by kind instead.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.expressions import NEUTRAL
from dwmtl.protocol.folds import NO_FOLD, split
from dwmtl.protocol.given_pairs import check_given_pairs, interleave_pairs
from dwmtl.protocol.params import PairsParams

_NO_PAIRS = pd.DataFrame(columns=list(tables.EXPRESSION_PAIRS))
_LEFT_OUT_NOTHING = pd.DataFrame(columns=list(tables.LEFT_OUT_PAIRS))


def pairs_by_fold(
    labels: pd.DataFrame, given_pairs: pd.DataFrame, params: PairsParams, *, num_folds: int
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Pairs of every fold's test subjects: those given for one fold, if any, and generated ones for the others.

    Args:
        labels: table of `tables.EXPRESSION_LABELS`, every fold of it.
        given_pairs: table of `tables.GIVEN_PAIRS`, empty where all pairs are generated.
    Returns:
        (pairs, left out) of each fold from 0, as `make_pairs` returns them; empty where no test photo has a subject.
    Raises:
        ProtocolError: as `make_pairs` and `check_given_pairs`.
    """
    given_fold = None if given_pairs.empty else check_given_pairs(given_pairs, labels)
    if not (labels.loc[labels["fold"] >= 0, "subject"] != "").any():  # an official test part without subjects
        return [(_NO_PAIRS, _LEFT_OUT_NOTHING)] * num_folds
    options = params.model_dump(exclude={"file"})
    return [
        (interleave_pairs(given_pairs, num_blocks=params.num_blocks), _LEFT_OUT_NOTHING)
        if fold == given_fold
        else make_pairs(labels, fold, **options)
        for fold in range(num_folds)
    ]


def make_pairs(
    labels: pd.DataFrame,
    fold: int,
    *,
    required_expressions: list[str],
    references: Literal["neutral", "all"],
    num_blocks: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of a fold's test subjects.

    Args:
        labels: table of `tables.EXPRESSION_LABELS`, every fold of it.
        fold: its test subjects are paired.
        required_expressions: expressions that authentication requires; none of them neutral.
        references: neutral: the first neutral photo of each sequence; all: every neutral photo and every peak.
        num_blocks: >= 1, blocks of the verification cross-validation.
        seed: of the draws; those of a fold depend only on the seed, the fold and the fold's rows.
    Returns:
        (pairs, left out): tables of `tables.EXPRESSION_PAIRS` and `tables.LEFT_OUT_PAIRS`. Blocks are consecutive and
        their sizes differ by at most one; each holds genuine and impostor pairs.
    Raises:
        ProtocolError: a required expression is not in the set, is neutral, or is named twice; the references must be
            neutral and no photo is; the fold has fewer than two test subjects, or too few pairs for the blocks.
    """
    labels = labels[(labels["fold"] != NO_FOLD) & (labels["subject"] != "")]
    _check_required(labels, required_expressions)
    if references == "neutral" and not (labels["use"] == "neutral").any():
        raise ProtocolError(
            "no photo of the expression set is neutral, and a pair's reference is a neutral photo. "
            "Use a set of the role expression that has neutral frames, or set pairs.references to all."
        )
    _, test = split(labels, fold)
    if test["subject"].nunique() < 2:
        raise ProtocolError(
            f"fold {fold} has one test subject, {test['subject'].iloc[0]}, and impostor pairs need two. "
            "Lower labels.num_folds, or add subjects to the expression set."
        )
    inputs = _Inputs.of(test, np.random.default_rng([seed, fold]))
    pairs: list[tuple] = []
    left_out: list[tuple] = []
    for reference in _references(test) if references == "neutral" else _all_references(test):
        reasons = {required: _reason_to_leave_out(inputs, reference, required) for required in required_expressions}
        left_out.extend(
            (fold, reference.subject, reference.photo, required, reason)
            for required, reason in reasons.items()
            if reason
        )
        makeable = [required for required, reason in reasons.items() if not reason]
        pairs.extend(_pairs_of_reference(inputs, reference, makeable))
    _check_enough(len(pairs), num_blocks, fold, left_out)
    table = pd.DataFrame(pairs, columns=list(tables.EXPRESSION_PAIRS[:-1])).assign(fold=_blocks(len(pairs), num_blocks))
    return table, pd.DataFrame(left_out, columns=list(tables.LEFT_OUT_PAIRS))


def check_blocks(pairs: pd.DataFrame, *, name: str = "verification") -> None:
    """Refuse blocks of verification pairs on which a cross-validation cannot be scored.

    Args:
        pairs: table with the columns is_same_identity and fold.
        name: their set, for errors.
    Raises:
        ProtocolError: there are fewer than two blocks, or one lacks genuine or impostor pairs; the message names it.
    """
    num_blocks = pairs["fold"].nunique()
    if num_blocks < 2:
        raise ProtocolError(
            f"the pairs of sets.{name} must be in >= 2 blocks. Got {num_blocks} instead. Correct the set's pairs."
        )
    genuine = pairs["is_same_identity"].astype(bool).groupby(pairs["fold"]).agg(["any", "all"])
    for block, row in genuine.iterrows():
        if row["all"] or not row["any"]:
            raise ProtocolError(
                f"block {block} of the pairs of sets.{name} has no {'impostor' if row['all'] else 'genuine'} pair, and "
                "each must hold both kinds. Correct the set's pairs."
            )


_KINDS = {
    (True, True): "the subject never shows it",
    (False, True): "no other test subject shows it",
    (True, False): "the subject shows no other expression",
    (False, False): "no other test subject shows another expression",
}
"""(same identity, required expression) of the four kinds in their order, and the reason why one has no input."""


@dataclass(frozen=True)
class _Reference:
    """The photo that inputs are compared with; empty for a subject without one."""

    subject: str
    photo: str
    expression: str


@dataclass
class _Inputs:
    """Peak photos of a fold's test subjects, drawn with as few repetitions as possible."""

    photos: dict[str, dict[str, list[str]]]
    """By subject, then by expression."""
    rng: np.random.Generator
    drawn: set[tuple[str, str]]
    """(input, reference) of the pairs made so far."""

    @classmethod
    def of(cls, test: pd.DataFrame, rng: np.random.Generator) -> "_Inputs":
        photos: dict[str, dict[str, list[str]]] = {subject: {} for subject in sorted(set(test["subject"]))}
        for row in test[test["use"] == "peak"].sort_values("photo").itertuples():
            photos[row.subject].setdefault(row.expression, []).append(row.photo)
        return cls(photos, rng, set())

    def candidates(self, reference: _Reference, kind: tuple[bool, bool], required: str) -> list[tuple[str, str, str]]:
        """(subject, expression, photo) of every input that makes a pair of the kind with the reference."""
        is_same, is_required = kind
        return [
            (person, expression, photo)
            for person, expressions in self.photos.items()
            if (person == reference.subject) == is_same
            for expression, photos in expressions.items()
            if (expression == required) == is_required
            for photo in photos
            if photo != reference.photo
        ]

    def draw(self, candidates: list[tuple[str, str, str]], reference: str) -> tuple[str, str]:
        """(photo, expression) of a random candidate, if possible one not yet paired with this reference."""
        remaining = [candidate for candidate in candidates if (candidate[2], reference) not in self.drawn] or candidates
        for place in range(3):  # subject, expression, photo
            choices = sorted({candidate[place] for candidate in remaining})
            choice = choices[self.rng.integers(len(choices))]
            remaining = [candidate for candidate in remaining if candidate[place] == choice]
        _, expression, photo = remaining[0]
        self.drawn.add((photo, reference))
        return photo, expression


def _references(test: pd.DataFrame) -> list[_Reference]:
    """The first neutral frame of each sequence, and every neutral photo that belongs to no sequence.

    Sorted by subject and sequence; a subject without a neutral photo has one reference without a photo.
    """
    neutral = test[test["use"] == "neutral"].sort_values(["subject", "sequence", "frame", "photo"])
    is_later_frame = neutral.duplicated(["subject", "sequence"]) & (neutral["sequence"] != "")
    first = neutral[~is_later_frame]
    references = [_Reference(row.subject, row.photo, NEUTRAL) for row in first.itertuples()]
    without = set(test["subject"]) - set(first["subject"])
    references += [_Reference(subject, "", "") for subject in without]
    return sorted(references, key=lambda reference: reference.subject)


def _all_references(test: pd.DataFrame) -> list[_Reference]:
    """Every neutral photo and every peak, by subject, sequence and frame."""
    shown = test[test["use"].isin(["neutral", "peak"])].sort_values(["subject", "sequence", "frame", "photo"])
    return [
        _Reference(row.subject, row.photo, row.expression if row.use == "peak" else NEUTRAL)
        for row in shown.itertuples()
    ]


def _pairs_of_reference(inputs: _Inputs, reference: _Reference, required_expressions: list[str]) -> list[tuple]:
    """Four pairs per required expression. The scarcest inputs, those that show it, are drawn first."""
    scarcest_first = sorted(_KINDS, key=lambda kind: not kind[1])
    drawn = {
        (required, kind): inputs.draw(inputs.candidates(reference, kind, required), reference.photo)
        for kind in scarcest_first
        for required in required_expressions
    }
    pairs = []
    for required in required_expressions:
        for is_same, is_required in _KINDS:
            photo, actual = drawn[required, (is_same, is_required)]
            pairs.append((photo, reference.photo, is_same, actual, required, reference.expression, is_required))
    return pairs


def _reason_to_leave_out(inputs: _Inputs, reference: _Reference, required: str) -> str:
    """Why one of the four kinds cannot be made; empty where all can."""
    if not reference.photo:
        return "the subject has no neutral photo"
    genuine_first = sorted(_KINDS, key=lambda kind: not kind[0])
    missing = next((kind for kind in genuine_first if not inputs.candidates(reference, kind, required)), None)
    if missing is None:
        return ""
    is_peak_of_subject = missing[0] and reference.expression != NEUTRAL
    return _KINDS[missing] + (" outside the reference" if is_peak_of_subject else "")


def _blocks(num_pairs: int, num_blocks: int) -> np.ndarray:
    """Block of each pair, from 0: consecutive, of sizes that differ by at most one."""
    return np.arange(num_pairs) * num_blocks // max(num_pairs, 1)


def _check_required(labels: pd.DataFrame, required_expressions: list[str]) -> None:
    shown = sorted(set(labels.loc[labels["use"] == "peak", "expression"]))
    unknown = [required for required in required_expressions if required not in shown]
    if unknown or len(set(required_expressions)) < len(required_expressions):
        raise ProtocolError(
            f"pairs.required_expressions lists {', '.join(required_expressions)}. The sets show {', '.join(shown)}: "
            "list some of these, each once."
        )


def _check_enough(num_pairs: int, num_blocks: int, fold: int, left_out: list[tuple]) -> None:
    if num_pairs >= 2 * num_blocks:
        return
    reasons = sorted({f"{subject} with {required}, as {reason}" for _, subject, _, required, reason in left_out})
    why = f" Left out: {'; '.join(reasons)}." if reasons else ""
    raise ProtocolError(
        f"the test subjects of fold {fold} give {num_pairs} pairs, and pairs.num_blocks ({num_blocks}) needs "
        f"{2 * num_blocks}: a genuine and an impostor pair per block.{why} "
        "Lower pairs.num_blocks, or lower labels.num_folds so that a fold tests more subjects."
    )
