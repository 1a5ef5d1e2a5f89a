"""Stage `data_card`, a set: its index, crops and folds -> a page, the same as JSON, a contact sheet."""

from pathlib import Path
from typing import Literal

from dwmtl.datasets.contact_sheet import choose_cells, contact_sheet, write_contact_sheet
from dwmtl.datasets.data_card import data_card
from dwmtl.datasets.data_card_markdown import CONTACT_SHEET, data_card_markdown
from dwmtl.datasets.photo_facts import photo_facts
from dwmtl.params import load_params
from dwmtl.stage import run, whole_folder, write_json
from dwmtl.tables import CROPS, FAILURES, FOLDS, MANIFEST, VERIFICATION_PAIRS, read_table


def main(
    role: Literal["expression", "verification", "identity"],
    index: Path,
    aligned: Path,
    out: Path,
    labels: Path | None = None,
    params: Path = Path("params.yaml"),
) -> None:
    """Describe a data set; the folds of `labels` are those of the expression set and are told of it alone."""
    source = getattr(load_params(params).sets, role)
    manifest = read_table(index / "manifest.csv", MANIFEST, others_are_text=True)
    crops = read_table(aligned / "crops.csv", CROPS)
    has_folds, has_pairs = labels is not None and role == "expression", (index / "pairs.csv").exists()
    card = data_card(
        manifest,
        crops,
        source={"role": role, "adapter": source.adapter, "folder": source.folder},
        failures=read_table(aligned / "failures.csv", FAILURES),
        folds=read_table(labels / "folds.csv", FOLDS) if has_folds else None,
        pairs=read_table(index / "pairs.csv", VERIFICATION_PAIRS) if has_pairs else None,
        facts=photo_facts(Path(source.folder), manifest.loc[manifest["role"] != "unused", "photo"]),
    )
    with whole_folder(out) as folder:
        write_json(card, folder / "card.json")
        (folder / "card.md").write_text(data_card_markdown(card), encoding="utf-8")
        write_contact_sheet(contact_sheet(aligned, choose_cells(manifest, crops)), folder / CONTACT_SHEET)


if __name__ == "__main__":
    run(main)
