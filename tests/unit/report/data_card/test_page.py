"""A card as text."""

import runpy
from pathlib import Path
from types import SimpleNamespace

from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.report.data_card.page import data_card_markdown

small_set = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_set.py"))))
row, card_of = small_set.row, small_set.card_of


def test_names_from_the_set_are_no_markup():
    manifest = make_manifest([row("a|b`c.png", "<b>|", "anger")])
    page = data_card_markdown(card_of(manifest))
    assert "| &lt;b>\\| | 1 |" in page
