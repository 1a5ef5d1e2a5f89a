"""Everything that is derived from the manifests before training: labels, classes, folds and duplicates."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from dwmtl.protocol.duplicates import drop_duplicates, find_duplicates
from dwmtl.protocol.expressions import (
    check_every_subject_is_labelled,
    expression_classes,
    label_expressions,
    limit_neutral,
)
from dwmtl.protocol.folds import NO_FOLD, assign_folds, with_set_names
from dwmtl.protocol.identities import label_identities
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
        dropped: by role, columns `tables.DROPPED_PHOTOS`; empty unless duplicates are dropped.
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
    labels, dropped = label_expressions(expression), {}
    if params.drop_duplicates:
        labels, dropped["expression"] = drop_duplicates(labels, facts["expression"])
        check_every_subject_is_labelled(labels)
        used = identity[identity["use"] != "unused"].assign(
            expression=""
        )  # expressions of the identity sets do not matter
        identity, dropped["identity"] = drop_duplicates(used, facts["identity"])
    if params.max_neutral_per_subject is not None:
        labels = limit_neutral(labels, max_per_subject=params.max_neutral_per_subject, seed=params.seed or 0)
    folds = _folds(labels, params)
    with_fold = labels.merge(folds, on="subject", how="left", validate="many_to_one")
    with_fold["fold"] = with_fold["fold"].fillna(NO_FOLD).astype(int)
    return Labels(
        expression=with_fold,
        identity=label_identities(identity),
        classes=expression_classes(labels, has_neutral=params.has_neutral),
        folds=folds,
        duplicates=find_duplicates(with_fold.merge(facts["expression"], on="photo")),
        dropped=dropped,
    )


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
