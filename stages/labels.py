"""Stage `labels`: manifests of the expression and identity sets -> labels, classes and subject-independent folds."""

import logging
from pathlib import Path

import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.params import LabelsParams, load_params
from dwmtl.protocol.duplicates import drop_duplicates
from dwmtl.protocol.expressions import (
    check_every_subject_is_labelled,
    expression_classes,
    label_expressions,
    limit_neutral,
)
from dwmtl.protocol.folds import assign_folds
from dwmtl.protocol.identities import label_identities
from dwmtl.stage import run, whole_folder, write_json

log = logging.getLogger(__name__)


def main(
    expression: Path, identity: Path, out: Path, params: Path = Path("params.yaml"), digests: Path | None = None
) -> None:
    """Label the photos of both sets and cut the expression set's subjects into folds.

    `digests` holds expression/digests.csv and identity/digests.csv; they are read where duplicates are to be dropped.
    """
    values = load_params(params).labels
    manifest = tables.read_table(expression / "manifest.csv", tables.MANIFEST, others_are_text=True)
    labels = label_expressions(manifest)
    people = tables.read_table(identity / "manifest.csv", tables.MANIFEST)
    dropped = {}
    if values.drop_duplicates:
        labels, dropped["expression"] = _without_duplicates(labels, digests, "expression")
        check_every_subject_is_labelled(labels)
        used = people[people["role"] != "unused"].assign(expression="")  # the identity set is asked only who it is
        people, dropped["identity"] = _without_duplicates(used, digests, "identity")
    if values.max_neutral_per_subject is not None:
        labels = limit_neutral(labels, max_per_subject=values.max_neutral_per_subject, seed=values.seed or 0)
    classes = expression_classes(labels, has_neutral=values.has_neutral)
    folds = _folds(labels, values)
    identities = label_identities(people)
    with whole_folder(out) as folder:
        labels = labels.merge(folds, on="subject", how="left", validate="many_to_one")
        tables.write_table(labels, folder / "expression.csv", tables.with_others(tables.EXPRESSION_LABELS, labels))
        tables.write_table(identities, folder / "identity.csv", tables.IDENTITY_LABELS)
        tables.write_table(folds, folder / "folds.csv", tables.FOLDS)
        write_json({"expressions": classes}, folder / "classes.json")
        for role, photos in dropped.items():
            tables.write_table(photos, folder / f"dropped_{role}.csv", tables.DROPPED_PHOTOS)
    for role, photos in dropped.items():
        if len(photos):
            log.warning("%d duplicates of the %s set are dropped; %s lists them.", len(photos), role, out)


def _folds(labels: pd.DataFrame, values: LabelsParams) -> pd.DataFrame:
    return assign_folds(
        labels["subject"],
        num_folds=values.num_folds,
        seed=values.seed,
        given=values.folds,
        expressions=labels["expression"] if values.stratify_by_expression else None,
    )


def _without_duplicates(photos: pd.DataFrame, digests: Path | None, role: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    if digests is None:
        raise ProtocolError("labels.drop_duplicates is true, and the stage was given no digests. Give it --digests.")
    return drop_duplicates(photos, tables.read_table(digests / role / "digests.csv", tables.DIGESTS))


if __name__ == "__main__":
    run(main)
