"""What the pages say must be there."""

import re
from pathlib import Path

import pytest

from dwmtl.params import load_params

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_placeholder_is_left(page):
    assert re.findall(r"\b[A-Z]+_[A-Z_]+\b(?<!TRACKING_URI)", page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_of_the_params_that_a_page_names_exists(page):
    values = load_params(REPOSITORY / "params.yaml").model_dump()
    sections = "|".join(name for name, value in values.items() if isinstance(value, dict))
    for dotted in re.findall(rf"(?<![\w/.])((?:{sections})(?:\.[a-z_]+)+)(?![\w/(])", page.read_text()):
        if dotted.endswith((".py", ".md", ".csv", ".txt", ".yaml", ".rec", ".idx")):
            continue
        value = values
        for part in dotted.split("."):
            assert part in value, f"{page.name} names {dotted}"
            value = value[part]
