"""Stage `pairs`: labels and folds -> pairs with expressions for every fold, and the verification sets' own pairs."""

import logging
from pathlib import Path

import pandas as pd

from dwmtl import tables
from dwmtl.files import whole_folder
from dwmtl.params import load_params
from dwmtl.protocol.pairs import check_blocks, pairs_by_fold
from dwmtl.stage import run

log = logging.getLogger(__name__)


def main(labels: Path, expression: Path, verification: Path, out: Path, params: Path = Path("params.yaml")) -> None:
    """Pair the test subjects of every fold, run or not, so that running another fold changes no pair.

    The fold whose test subjects `pairs.file` names gets the pairs of that file.
    """
    values = load_params(params)
    official = tables.read_official_pairs(verification, values.sets_of("verification"))
    for name, of_set in tables.pairs_by_set(official).items():
        check_blocks(of_set, name=name)
    table = tables.read_table(labels / "expression.csv", tables.EXPRESSION_LABELS)
    given = tables.read_given_pairs(expression, values.sets_of("expression"))
    by_fold = pairs_by_fold(table, given, values.pairs, num_folds=values.labels.num_tested_folds)
    left_out = pd.concat([left_out for _, left_out in by_fold], ignore_index=True)
    with whole_folder(out) as folder:
        for fold, (pairs, _) in enumerate(by_fold):
            tables.write_table(pairs, folder / f"fold_{fold}.csv", tables.EXPRESSION_PAIRS)
        tables.write_table(left_out, folder / "left_out.csv", tables.LEFT_OUT_PAIRS)
        tables.write_table(official, folder / "verification.csv", tables.VERIFICATION_PAIRS)
    if len(left_out):
        log.warning("%d pairs cannot be made; %s lists the reasons.", 4 * len(left_out), out / "left_out.csv")


if __name__ == "__main__":
    run(main)
