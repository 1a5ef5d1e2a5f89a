"""Stage `data_card`, per set: its index, crops and folds -> a page, the same as JSON, and a contact sheet."""

from pathlib import Path
from typing import Annotated

import typer

from dwmtl.files import whole_folder
from dwmtl.params import load_params, set_params
from dwmtl.report.data_card.page import read_data_card, write_data_card
from dwmtl.stage import run


def main(
    set_: Annotated[str, typer.Option("--set")],
    index: Path,
    facts: Path,
    aligned: Path,
    labels: Path,
    out: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Describe a data set."""
    values = load_params(params)
    card = read_data_card(
        set_,
        set_params(values, set_),
        is_official=values.labels.protocol == "official",
        index_dir=index,
        facts_dir=facts,
        aligned_dir=aligned,
        labels_dir=labels,
    )
    with whole_folder(out) as folder:
        write_data_card(card, folder, index_dir=index, aligned_dir=aligned)


if __name__ == "__main__":
    run(main)
