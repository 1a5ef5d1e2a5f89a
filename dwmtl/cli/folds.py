"""Commands on the folds of the protocol: `import-folds`."""

from pathlib import Path
from typing import Annotated

import typer

from dwmtl.errors import DwmtlError


def import_folds(
    source: Annotated[Path, typer.Argument(help="a CSV `subject,fold`, such as another run's data/labels/folds.csv")],
    subjects: Annotated[
        Path | None,
        typer.Option(help="a table with all subjects to check against: data/labels/folds.csv, or a manifest"),
    ] = None,
    num_folds: Annotated[
        int | None, typer.Option(help="number of folds; by default one more than the last fold of the file")
    ] = None,
) -> None:
    """Print the lines of params.yaml for a given split. Folds that the file does not name are assigned as usual."""
    from dwmtl.protocol.fold_file import params_of_folds, parse_folds
    from dwmtl.tables import read_table

    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DwmtlError(f"{source}: no text file that can be read ({error}).") from None
    allowed = None
    if subjects is not None:
        full = set(read_table(subjects, ("subject",))["subject"])
        allowed = full | {name.partition("/")[2] for name in full} - {""}  # also without the set's name
    folds = parse_folds(text, name=str(source), subjects=allowed, num_folds=num_folds)
    print(params_of_folds(folds, num_folds=num_folds), end="")
