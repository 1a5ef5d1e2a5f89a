"""Commands on the folds of the protocol: `import-folds`."""

from pathlib import Path
from typing import Annotated

import typer

from dwmtl.errors import DwmtlError


def import_folds(
    source: Annotated[Path, typer.Argument(help="a CSV `subject,fold`, another run's data/labels/folds.csv for one")],
    subjects: Annotated[
        Path | None,
        typer.Option(help="a table with a column subject to check against: data/labels/folds.csv, or a manifest"),
    ] = None,
    num_folds: Annotated[
        int | None, typer.Option(help="k of the cross-validation; by default one more than the last fold of the file")
    ] = None,
) -> None:
    """Print the lines of params.yaml that use somebody's split. Folds that the file does not name are cut as ever."""
    from dwmtl.protocol.fold_file import params_of_folds, parse_folds
    from dwmtl.tables import read_table

    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DwmtlError(f"{source}: no text file that can be read ({error}).") from None
    known = None
    if subjects is not None:
        full = set(read_table(subjects, ("subject",))["subject"])
        known = full | {name.partition("/")[2] for name in full} - {""}  # as their set names them, too
    folds = parse_folds(text, name=str(source), subjects=known, num_folds=num_folds)
    print(params_of_folds(folds, num_folds=num_folds), end="")
