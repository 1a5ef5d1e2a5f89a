"""Stage `labels`: manifests of the expression and identity sets -> labels, classes and subject-independent folds."""

from pathlib import Path

from dwmtl import tables
from dwmtl.params import load_params
from dwmtl.protocol.expressions import expression_classes, label_expressions
from dwmtl.protocol.folds import assign_folds
from dwmtl.protocol.identities import label_identities
from dwmtl.stage import run, whole_folder, write_json


def main(expression: Path, identity: Path, out: Path, params: Path = Path("params.yaml")) -> None:
    """Label the photos of both sets and cut the expression set's subjects into folds."""
    values = load_params(params).labels
    manifest = tables.read_table(expression / "manifest.csv", tables.MANIFEST, others_are_text=True)
    labels = label_expressions(manifest)
    classes = expression_classes(labels, has_neutral=values.has_neutral)
    folds = assign_folds(labels["subject"], num_folds=values.num_folds, seed=values.seed)
    identities = label_identities(tables.read_table(identity / "manifest.csv", tables.MANIFEST))
    with whole_folder(out) as folder:
        labels = labels.merge(folds, on="subject", how="left", validate="many_to_one")
        tables.write_table(labels, folder / "expression.csv", tables.with_others(tables.EXPRESSION_LABELS, labels))
        tables.write_table(identities, folder / "identity.csv", tables.IDENTITY_LABELS)
        tables.write_table(folds, folder / "folds.csv", tables.FOLDS)
        write_json({"expressions": classes}, folder / "classes.json")


if __name__ == "__main__":
    run(main)
