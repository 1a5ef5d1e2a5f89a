"""Commands that read or write file formats of other projects: `extract`, `export-labels`, `export-pairs`."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dwmtl.errors import DwmtlError

Below = Annotated[str, typer.Option(help="folder at the beginning of the written paths; by default the set's paths")]


class Form(StrEnum):
    oulu_casia = "oulu-casia"
    ck_plus = "ck-plus"


def extract(
    source: Annotated[Path, typer.Argument(help="a folder with train.rec, a .bin pack, or an MS-Celeb TSV")],
    out: Annotated[Path, typer.Argument(help="the folder to make")],
    clean_list: Annotated[
        Path | None, typer.Option(help="for an MS-Celeb TSV: lines `image identity`; other pictures are skipped")
    ] = None,
) -> None:
    """Write the pictures of a pack as files, a folder per person, which the adapter `folders` reads."""
    from dwmtl.datasets.packs.extract import extract_bin_pack, extract_ms_celeb, extract_record_pack

    is_tsv = not source.is_dir() and source.suffix != ".bin"
    if clean_list is not None and not is_tsv:
        raise DwmtlError(f"{source}: a clean list belongs to an MS-Celeb TSV. Leave --clean-list out.")
    if is_tsv:
        num_pictures = extract_ms_celeb(source, out, clean_list)
    else:
        num_pictures = (extract_record_pack if source.is_dir() else extract_bin_pack)(source, out)
    print(f"{out}: {num_pictures} pictures")


def export_labels(
    labels: Annotated[Path, typer.Argument(help="data/labels/expression.csv")],
    out: Annotated[Path, typer.Argument(help="the text file to write")],
    form: Annotated[Form, typer.Option(help="set whose format the file has")] = Form.oulu_casia,
    below: Below = "",
) -> None:
    """Write labels as a label file of Ming et al., which the adapter `authors_labels` reads."""
    from dwmtl.datasets.authors_label_file import ck_plus_table, oulu_casia_table, write_ck_plus, write_oulu_casia
    from dwmtl.files import require_output
    from dwmtl.tables import EXPRESSION_LABELS, read_table

    require_output(out, inputs=[labels])
    table = read_table(labels, EXPRESSION_LABELS)
    set_name = _only_set(labels, table["photo"])
    table = table[table["expression"] != ""].assign(subject=table["subject"].str.removeprefix(f"{set_name}/"))
    if form is Form.ck_plus:
        write_ck_plus(ck_plus_table(table), out)
    else:
        write_oulu_casia(oulu_casia_table(table), out, remap=(set_name, below))
    print(f"{out}: {len(table)} photos")


def export_pairs(
    pairs: Annotated[Path, typer.Argument(help="pairs of a fold: data/pairs/fold_0.csv")],
    out: Annotated[Path, typer.Argument(help="the text file to write")],
    names: Annotated[bool, typer.Option("--names", help="write names of expressions instead of their numbers")] = False,
    below: Below = "",
) -> None:
    """Write a fold's pairs as a pair file of Ming et al., for `pairs.file` of the params."""
    from dwmtl.datasets.authors_pair_file import OULU_EXPRESSIONS, format_pairs
    from dwmtl.files import require_output, write_text
    from dwmtl.tables import EXPRESSION_PAIRS, read_table

    require_output(out, inputs=[pairs])
    table = read_table(pairs, EXPRESSION_PAIRS)
    set_name = _only_set(pairs, table["input"])
    expressions = None if names else OULU_EXPRESSIONS
    text = format_pairs(table, name=str(out), expressions=expressions, remap=(set_name, below))
    write_text(text, out)
    print(f"{out}: {len(table)} pairs")


def _only_set(path: Path, photos: Iterable[str]) -> str:
    """Name of the set that all photos are from."""
    from dwmtl.tables import set_of

    names = sorted({set_of(photo) for photo in photos})
    if len(names) != 1:
        raise DwmtlError(f"{path}: holds photos of the sets {', '.join(names) or 'none'}; such a file is of one set.")
    return names[0]
