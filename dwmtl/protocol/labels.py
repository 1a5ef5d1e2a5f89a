"""Everything that is derived from the manifests before training: labels, classes, folds and duplicates."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from dwmtl.protocol.duplicates import drop_copies_across_parts, drop_duplicates, find_duplicates
from dwmtl.protocol.expressions import (
    check_every_subject_is_labelled,
    expression_classes,
    label_expressions,
    limit_neutral,
)
from dwmtl.protocol.folds import NO_FOLD, assign_folds, with_set_names
from dwmtl.protocol.identities import label_identities
from dwmtl.protocol.official import TEST_FOLD, official_folds, subject_folds
from dwmtl.protocol.params import LabelsParams


@dataclass(frozen=True)
class Labels:
    """Labels of the joined sets of the roles expression and identity.

    Attributes:
        expression: columns `tables.EXPRESSION_LABELS` and labels of further tasks.
        identity: columns `tables.IDENTITY_LABELS`.
        classes: names of the expressions, in the order of their class indices.
        folds: columns `tables.FOLDS`.
        duplicates: of the expression sets, columns `tables.DUPLICATES`.
        dropped: by role, columns `tables.DROPPED_PHOTOS`; a role from which duplicates are not dropped has no table.
    """

    expression: pd.DataFrame
    identity: pd.DataFrame
    classes: list[str]
    folds: pd.DataFrame
    duplicates: pd.DataFrame
    dropped: dict[str, pd.DataFrame]

    def warnings(self, labels_dir: object) -> list[str]:
        """Warnings about duplicates; `labels_dir`, a path, holds the tables."""
        lines = [
            f"{len(photos)} duplicates of the {role} set are dropped; {labels_dir} lists them."
            for role, photos in self.dropped.items()
            if len(photos)
        ]
        if num_harmful := int((~self.duplicates["is_harmless"]).sum()):
            lines.append(
                f"{num_harmful} photos of the expression set are duplicates of one of another fold, subject or "
                f"expression; {labels_dir}/duplicates.csv lists them. Set labels.drop_duplicates to remove them."
            )
        return lines


def make_labels(
    expression: pd.DataFrame, identity: pd.DataFrame, facts: Mapping[str, pd.DataFrame], params: LabelsParams
) -> Labels:
    """Label the photos of the expression and the identity sets, and cut the expression sets' subjects into folds.

    Args:
        expression: joined manifest of the expression sets.
        identity: joined manifest of the identity sets.
        facts: by role (expression, identity), columns `tables.PHOTO_FACTS`.
    Raises:
        ProtocolError: see `label_expressions`, `assign_folds` and `label_identities`.
    """
    is_official, dropped = params.protocol == "official", {}
    labels = label_expressions(expression, needs_subjects=not is_official)
    if is_official:
        labels = labels.assign(fold=official_folds(labels))
    if is_official or params.drop_duplicates:
        labels, dropped["expression"] = _without_duplicates(labels, facts["expression"], params)
    if params.drop_duplicates:
        check_every_subject_is_labelled(labels)
        used = identity[identity["use"] != "unused"].assign(
            expression=""
        )  # expressions of the identity sets do not matter
        identity, dropped["identity"] = drop_duplicates(used, facts["identity"])
    if params.max_neutral_per_subject is not None:
        labels = limit_neutral(labels, max_per_subject=params.max_neutral_per_subject, seed=params.seed or 0)
    folds = subject_folds(labels) if is_official else _folds(labels, params)
    if not is_official:
        labels = labels.merge(folds, on="subject", how="left", validate="many_to_one")
        labels["fold"] = labels["fold"].fillna(NO_FOLD).astype(int)
    return Labels(
        expression=labels,
        identity=label_identities(identity),
        classes=expression_classes(labels, has_neutral=params.has_neutral),
        folds=folds,
        duplicates=find_duplicates(labels.merge(facts["expression"], on="photo")),
        dropped=dropped,
    )


def _without_duplicates(
    labels: pd.DataFrame, digests: pd.DataFrame, params: LabelsParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(kept, dropped), as `drop_duplicates`; under the official protocol the test part stays whole."""
    if params.protocol == "folds":
        return drop_duplicates(labels, digests)
    labels, dropped = drop_copies_across_parts(labels, digests)
    if not params.drop_duplicates:
        return labels, dropped
    is_tested = labels["fold"] == TEST_FOLD
    kept, more = drop_duplicates(labels[~is_tested], digests)
    both = pd.concat([kept, labels[is_tested]]), pd.concat([dropped, more])
    return both[0].sort_values("photo", ignore_index=True), both[1].sort_values("photo", ignore_index=True)


def _folds(labels: pd.DataFrame, params: LabelsParams) -> pd.DataFrame:
    """The folds of the photos' subjects; photos without a subject have none."""
    with_subject = labels[labels["subject"] != ""]
    return assign_folds(
        with_subject["subject"] if params.stratify_by_expression else with_subject["subject"].unique(),
        num_folds=params.num_folds,
        seed=params.seed,
        given=params.folds and with_set_names(params.folds, set(with_subject["subject"].unique())),
        expressions=with_subject["expression"] if params.stratify_by_expression else None,
    )
