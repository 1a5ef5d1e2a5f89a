"""Stage `labels`: the sets' manifests, joined by role -> labels, classes and subject-independent folds."""

from pathlib import Path

from dwmtl import tables
from dwmtl.datasets.joined import read_manifests
from dwmtl.params import load_params
from dwmtl.protocol.expressions import expression_classes, label_expressions
from dwmtl.protocol.folds import NO_FOLD, assign_folds
from dwmtl.protocol.identities import label_identities
from dwmtl.stage import run, whole_folder, write_json


def main(expression: Path, identity: Path, out: Path, params: Path = Path("params.yaml")) -> None:
    """Label the photos of both roles' sets and cut the expression set's subjects into folds."""
    whole = load_params(params)
    values, names_of = whole.labels, whole.sets_of
    labels = label_expressions(read_manifests(expression, names_of("expression")))
    classes = expression_classes(labels, has_neutral=values.has_neutral)
    folds = assign_folds(set(labels["subject"]) - {""}, num_folds=values.num_folds, seed=values.seed)
    identities = label_identities(read_manifests(identity, names_of("identity")))
    with whole_folder(out) as folder:
        labels = labels.merge(folds, on="subject", how="left", validate="many_to_one")
        labels["fold"] = labels["fold"].fillna(NO_FOLD).astype(int)
        tables.write_table(labels, folder / "expression.csv", tables.with_others(tables.EXPRESSION_LABELS, labels))
        tables.write_table(identities, folder / "identity.csv", tables.IDENTITY_LABELS)
        tables.write_table(folds, folder / "folds.csv", tables.FOLDS)
        write_json({"expressions": classes}, folder / "classes.json")


if __name__ == "__main__":
    run(main)
