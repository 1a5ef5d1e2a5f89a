"""Stage `labels`: the sets' manifests, joined by role -> labels, classes and subject-independent folds."""

import logging
from pathlib import Path

import pandas as pd

from dwmtl import tables
from dwmtl.datasets.joined import read_manifests, read_photo_facts
from dwmtl.params import load_params
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
from dwmtl.stage import run, whole_folder, write_json

log = logging.getLogger(__name__)


def main(expression: Path, identity: Path, facts: Path, out: Path, params: Path = Path("params.yaml")) -> None:
    """Label the photos of both roles' sets and cut the expression sets' subjects into folds."""
    whole = load_params(params)
    values, names = whole.labels, {role: whole.sets_of(role) for role in ("expression", "identity")}
    labels = label_expressions(read_manifests(expression, names["expression"]))
    people = read_manifests(identity, names["identity"])
    known = {role: read_photo_facts(facts / role, names[role]) for role in names}
    dropped = {}
    if values.drop_duplicates:
        labels, dropped["expression"] = drop_duplicates(labels, known["expression"])
        check_every_subject_is_labelled(labels)
        used = people[people["use"] != "unused"].assign(expression="")  # the identity set is asked only who it is
        people, dropped["identity"] = drop_duplicates(used, known["identity"])
    if values.max_neutral_per_subject is not None:
        labels = limit_neutral(labels, max_per_subject=values.max_neutral_per_subject, seed=values.seed or 0)
    classes = expression_classes(labels, has_neutral=values.has_neutral)
    folds = _folds(labels, values)
    identities = label_identities(people)
    with whole_folder(out) as folder:
        labels = labels.merge(folds, on="subject", how="left", validate="many_to_one")
        labels["fold"] = labels["fold"].fillna(NO_FOLD).astype(int)
        duplicates = find_duplicates(labels.merge(known["expression"], on="photo"))
        tables.write_table(duplicates, folder / "duplicates.csv", tables.DUPLICATES)
        tables.write_table(labels, folder / "expression.csv", tables.with_others(tables.EXPRESSION_LABELS, labels))
        tables.write_table(identities, folder / "identity.csv", tables.IDENTITY_LABELS)
        tables.write_table(folds, folder / "folds.csv", tables.FOLDS)
        write_json({"expressions": classes}, folder / "classes.json")
        for role, photos in dropped.items():
            tables.write_table(photos, folder / f"dropped_{role}.csv", tables.DROPPED_PHOTOS)
    for role, photos in dropped.items():
        if len(photos):
            log.warning("%d duplicates of the %s set are dropped; %s lists them.", len(photos), role, out)
    if num := int((~duplicates["is_harmless"]).sum()):
        log.warning(
            "%d photos of the expression set are the same as one of another fold, subject or expression; %s lists "
            "them. labels.drop_duplicates takes them out.",
            num,
            out / "duplicates.csv",
        )


def _folds(labels: pd.DataFrame, values: LabelsParams) -> pd.DataFrame:
    """The folds of the subjects that are known."""
    known = labels[labels["subject"] != ""]
    return assign_folds(
        known["subject"] if values.stratify_by_expression else known["subject"].unique(),
        num_folds=values.num_folds,
        seed=values.seed,
        given=values.folds and with_set_names(values.folds, set(known["subject"].unique())),
        expressions=known["expression"] if values.stratify_by_expression else None,
    )


if __name__ == "__main__":
    run(main)
