"""Stage `labels`: the sets' manifests, joined by role -> labels, classes and subject-independent folds."""

import logging
from pathlib import Path

from dwmtl import tables
from dwmtl.files import whole_folder, write_json
from dwmtl.params import load_params
from dwmtl.protocol.labels import make_labels
from dwmtl.stage import run

log = logging.getLogger(__name__)


def main(expression: Path, identity: Path, facts: Path, out: Path, params: Path = Path("params.yaml")) -> None:
    """Label the photos of both roles' sets and cut the expression sets' subjects into folds."""
    values = load_params(params)
    sets = {role: values.sets_of(role) for role in ("expression", "identity")}
    labels = make_labels(
        tables.read_manifests(expression, sets["expression"]),
        tables.read_manifests(identity, sets["identity"]),
        {role: tables.read_photo_facts(facts / role, names) for role, names in sets.items()},
        values.labels,
    )
    expression_columns = tables.with_others(tables.EXPRESSION_LABELS, labels.expression)
    with whole_folder(out) as folder:
        tables.write_table(labels.expression, folder / "expression.csv", expression_columns)
        tables.write_table(labels.identity, folder / "identity.csv", tables.IDENTITY_LABELS)
        tables.write_table(labels.folds, folder / "folds.csv", tables.FOLDS)
        tables.write_table(labels.duplicates, folder / "duplicates.csv", tables.DUPLICATES)
        write_json({"expressions": labels.classes}, folder / "classes.json")
        for role, photos in labels.dropped.items():
            tables.write_table(photos, folder / f"dropped_{role}.csv", tables.DROPPED_PHOTOS)
    for warning in labels.warnings(out):
        log.warning(warning)


if __name__ == "__main__":
    run(main)
