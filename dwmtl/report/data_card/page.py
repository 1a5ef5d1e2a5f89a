"""A data card on disk: read from the stages' tables; written as JSON and as a page with a contact sheet."""

from pathlib import Path

from dwmtl.datasets.params import SetParams
from dwmtl.files import write_text
from dwmtl.report.data_card.card import DataCard, Quantiles, Source
from dwmtl.report.data_card.contact_sheet import choose_cells, contact_sheet, write_contact_sheet
from dwmtl.report.data_card.describe import data_card
from dwmtl.report.template import render
from dwmtl.results import write_result
from dwmtl.set_facts import read_set_facts
from dwmtl.tables import CROPS, FAILURES, MANIFEST, PHOTO_FACTS, VERIFICATION_PAIRS, read_folds, read_table

CONTACT_SHEET = "contact_sheet.jpg"
"""File name of the picture beside the page."""

_MAX_FAILURES = 20
_STATUSES = {"aligned": "face found", "fallback": "no face: the photo's centre is cropped", "unreadable": "unreadable"}


def read_data_card(
    name: str,
    params: SetParams,
    *,
    is_official: bool,
    index_dir: Path,
    facts_dir: Path,
    aligned_dir: Path,
    labels_dir: Path,
) -> DataCard:
    """Describe a set from the outputs of the stages. Only a set of the role `expression` has folds.

    Args:
        is_official: whether the official parts are the split, see `LabelsParams.protocol`.
    Raises:
        TableError, DataSetError: a file is missing or damaged.
    """
    facts = read_set_facts(index_dir)
    pairs = index_dir / "pairs.csv"
    return data_card(
        read_table(index_dir / "manifest.csv", MANIFEST, others_are_text=True),
        read_table(aligned_dir / "crops.csv", CROPS),
        source=Source(
            name=name,
            role=params.role,
            adapter=params.adapter,
            folder=params.folder,
            is_drawn=facts.is_drawn,
            terms=facts.terms,
        ),
        failures=read_table(aligned_dir / "failures.csv", FAILURES),
        folds=read_folds(labels_dir, name) if params.role == "expression" and not is_official else None,
        is_official=is_official and params.role == "expression",
        pairs=read_table(pairs, VERIFICATION_PAIRS) if pairs.exists() else None,
        facts=read_table(facts_dir / "facts.csv", PHOTO_FACTS),
        passed_over=facts.passed_over,
    )


def write_data_card(card: DataCard, folder: Path, *, index_dir: Path, aligned_dir: Path) -> None:
    """Write `card.json`, `card.md` and the contact sheet."""
    write_result(card, folder / "card.json")
    write_text(data_card_markdown(card), folder / "card.md")
    manifest = read_table(index_dir / "manifest.csv", MANIFEST, others_are_text=True)
    cells = choose_cells(manifest, read_table(aligned_dir / "crops.csv", CROPS))
    write_contact_sheet(contact_sheet(aligned_dir, cells), folder / CONTACT_SHEET)


def data_card_markdown(card: DataCard) -> str:
    """A card as Markdown that GitHub shows."""
    return render(
        "data_card.md.j2",
        card=card,
        contact_sheet=CONTACT_SHEET,
        max_failures=_MAX_FAILURES,
        quantiles=list(Quantiles.__dataclass_fields__),
        statuses=_STATUSES,
    )
