"""The headline scores by a column of the manifests, such as `group`: the content of `groups.json`. Opens no file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.report.fold_results import FoldResult
from dwmtl.report.verification_sets import by_set
from dwmtl.scores.groups import ScoreByGroup, authentication_by_group, expression_by_group, pairs_by_group
from dwmtl.scores.headlines import HEADLINES

MAX_GROUPS = 20
FEW_SUBJECTS = 20
"""Subjects of a group below which its intervals are too narrow, see `percentile_interval`."""

_RATES = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "eer": "EER (lower is better)",
    "far": "FAR (lower is better)",
    "frr": "FRR (lower is better)",
}

MISUSES = (
    "to say that the model is fair or free of bias: a gap that is small, or whose interval holds 0, may be large among "
    "other people, photos or groups",
    "to infer somebody's group from a face, or to train or choose a model that does; the values are labels that "
    "somebody gave, which may be wrong or unwanted",
    "to give groups thresholds of their own, or to treat a person by the errors of a group",
    "to say anything about people: a gap is a property of the model, its training photos and these test photos",
    "to clear a use that the model card rules out",
)
"""How each sentence goes on: "These numbers must not be used ..."."""


@dataclass(frozen=True, kw_only=True)
class GroupSize:
    """What a group's scores rest on: test photos and subjects of the expression sets; by verification set, pairs with
    both people in the group and the subjects of these pairs."""

    num_photos: int
    num_subjects: int
    num_pairs: dict[str, int]
    num_pair_subjects: dict[str, int]

    @property
    def is_small(self) -> bool:
        """Whether there are few subjects in a set that has some of the group."""
        return any(0 < num < FEW_SUBJECTS for num in (self.num_subjects, *self.num_pair_subjects.values()))


@dataclass(frozen=True, kw_only=True)
class GroupScores:
    """The scores by group.

    Attributes:
        column: of the manifests.
        groups: by name, sorted.
        scores: by key, those of the report; a set without the column has none.
        num_pairs_left_out: by verification set that has the column, pairs across two groups or with a photo of none.
    """

    column: str
    groups: dict[str, GroupSize]
    scores: dict[str, ScoreByGroup]
    num_pairs_left_out: dict[str, int]

    @property
    def titles(self) -> dict[str, str]:
        """A key of `scores` -> the title of its row."""
        pairs = {"verification_{}": "Verification set", "expression_pairs_{}": "Test subjects' pairs"}
        pairs |= {_further_key("{}", name): name for name in self.num_pairs_left_out}
        titles = {headline.key: headline.title for headline in HEADLINES}
        return titles | {
            key.format(rate): f"{title}: {text}" for key, title in pairs.items() for rate, text in _RATES.items()
        }


def group_of_photos(column: str, tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """A photo -> its group, from the tables that have the column; photos of no group are left out.

    Args:
        column: `report.group`.
        tables: a role -> its manifest, or its table of labels.
    Raises:
        ProtocolError: no table has the column, every value is empty, or there are too many groups.
    """
    having = [table for table in tables.values() if column in table]
    if not having:
        known = sorted({name for table in tables.values() for name in table})
        raise ProtocolError(
            f"report.group is {column}, which is a column of neither the expression sets nor the verification sets. "
            f"They have {', '.join(known)}. Name one, or add the column to faces.csv."
        )
    photos = pd.concat([table[["photo", column]] for table in having]).astype(str)
    groups = dict(photos[photos[column] != ""].itertuples(index=False, name=None))
    num_groups = len(set(groups.values()))
    if not 0 < num_groups <= MAX_GROUPS:
        raise ProtocolError(
            f"report.group is {column}, which has {num_groups} values; must be 1 to {MAX_GROUPS}. Put values together, "
            "as decades of an age."
        )
    return groups


def group_scores(
    folds: Sequence[FoldResult], group_of: Mapping[str, str], *, column: str, main_set: str
) -> GroupScores:
    """Every headline score by group, but the authors' product, on every verification set; all folds' decisions
    together.

    Args:
        group_of: a photo -> its group.
    Raises:
        ProtocolError: no test photo and no pair is of a group.
    """
    distance = folds[0].metrics.settings.distance
    photos = _within(pd.concat([fold.predictions for fold in folds]), group_of, "photo")
    own = [_within(fold.pairs[fold.pairs["set"] == "expression"], group_of, "input", "reference") for fold in folds]
    challenges = pd.concat(own)
    scores = expression_by_group(photos, _groups(photos))
    if not challenges.empty:
        scores |= authentication_by_group(challenges, _groups(challenges))
    scores |= _pairs(own, distance, "expression_pairs_{}")
    of_sets = {
        name: [_within(result.pairs, group_of, "input", "reference") for result in results]
        for name, results in by_set(folds, main_set).items()
    }
    of_sets = {name: pairs for name, pairs in of_sets.items() if not pairs[0].empty}
    for name, pairs in of_sets.items():
        scores |= _pairs(pairs, distance, "verification_{}" if name == main_set else _further_key("{}", name))
    if not scores:
        raise ProtocolError(f"report.group is {column}, and no test photo and no pair has a value of it.")
    num_pairs = {name: len(results[0].pairs) for name, results in by_set(folds, main_set).items()}
    return GroupScores(
        column=column,
        groups={
            name: _size(name, photos, {of_set: pairs[0] for of_set, pairs in of_sets.items()})
            for name in sorted(set(group_of.values()))
        },
        scores=scores,
        num_pairs_left_out={name: num_pairs[name] - len(pairs[0]) for name, pairs in of_sets.items()},
    )


def _further_key(rate: str, name: str) -> str:
    """The key of a score on a verification set beside the main one, as in `summary.json`."""
    return f"verification_{rate}_of_{name}"


def _groups(table: pd.DataFrame) -> np.ndarray:
    return table["group"].to_numpy(str)


def _pairs(pairs: list[pd.DataFrame], distance: str, key: str) -> dict[str, ScoreByGroup]:
    scores = pairs_by_group(pairs, [_groups(table) for table in pairs], distance=distance)
    return {key.format(rate): score for rate, score in scores.items()}


def _within(table: pd.DataFrame, group_of: Mapping[str, str], *photos: str) -> pd.DataFrame:
    """The rows whose photos are of one group, with the column `group`."""
    groups = [table[photo].map(lambda name: group_of.get(name, "")) for photo in photos]
    is_one = np.logical_and.reduce([groups[0] != "", *(group == groups[0] for group in groups)])
    return table.assign(group=groups[0])[is_one]


def _size(name: str, photos: pd.DataFrame, of_sets: Mapping[str, pd.DataFrame]) -> GroupSize:
    photos = photos[photos["group"] == name]
    pairs = {of_set: table[table["group"] == name] for of_set, table in of_sets.items()}
    people = {of_set: {*table["input_subject"], *table["reference_subject"]} - {""} for of_set, table in pairs.items()}
    return GroupSize(
        num_photos=len(photos),
        num_subjects=photos["subject"].nunique(),
        num_pairs={of_set: len(table) for of_set, table in pairs.items()},
        num_pair_subjects={of_set: len(names) for of_set, names in people.items()},
    )
