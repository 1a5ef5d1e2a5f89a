"""Stage `data_card`, a set: its index, crops and folds -> a page, the same as JSON, a contact sheet."""

from pathlib import Path
from typing import Annotated

import typer

from dwmtl.params import load_params, set_params
from dwmtl.report.data_card.card import data_card
from dwmtl.report.data_card.contact_sheet import choose_cells, contact_sheet, write_contact_sheet
from dwmtl.report.data_card.markdown import CONTACT_SHEET, data_card_markdown
from dwmtl.stage import run, whole_folder, write_json
from dwmtl.tables import CROPS, FAILURES, MANIFEST, PHOTO_FACTS, VERIFICATION_PAIRS, read_folds, read_table


def main(
    set_: Annotated[str, typer.Option("--set")],
    index: Path,
    facts: Path,
    aligned: Path,
    labels: Path,
    out: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Describe a data set; the folds of `labels` are told of a set of the role expression."""
    source = set_params(load_params(params), set_)
    manifest = read_table(index / "manifest.csv", MANIFEST, others_are_text=True)
    crops = read_table(aligned / "crops.csv", CROPS)
    has_folds, has_pairs = source.role == "expression", (index / "pairs.csv").exists()
    card = data_card(
        manifest,
        crops,
        source={"name": set_, "role": source.role, "adapter": source.adapter, "folder": source.folder},
        failures=read_table(aligned / "failures.csv", FAILURES),
        folds=read_folds(labels, set_) if has_folds else None,
        pairs=read_table(index / "pairs.csv", VERIFICATION_PAIRS) if has_pairs else None,
        facts=read_table(facts / "facts.csv", PHOTO_FACTS),
    )
    with whole_folder(out) as folder:
        write_json(card, folder / "card.json")
        (folder / "card.md").write_text(data_card_markdown(card), encoding="utf-8")
        write_contact_sheet(contact_sheet(aligned, choose_cells(manifest, crops)), folder / CONTACT_SHEET)


if __name__ == "__main__":
    run(main)
