"""The report and the demo's page for keyboards and screen readers: what can be read off their HTML."""

import re
import runpy
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
VOID = {"meta", "link", "img", "input", "br", "wbr", "source"}


class Page(HTMLParser):
    """The elements of a page: (name, attributes, names of the elements around it), and the text of each button."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), list(self._open)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), list(self._open)))

    def handle_endtag(self, tag):
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data):
        if self._open and data.strip():
            self.texts.append((self._open[-1], data.strip()))

    def of(self, *names: str) -> list[tuple[str, dict[str, str | None], list[str]]]:
        return [element for element in self.elements if element[0] in names]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Page]:
    small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
    report = small_world["write"](small_world["make_world"](tmp_path_factory.mktemp("world")), "report")
    files = {"report": report / "report.html", "demo": REPOSITORY / "dwmtl/demo/page/index.html"}
    return {name: Page(file.read_text(encoding="utf-8")) for name, file in files.items()}


@pytest.fixture(params=["report", "demo"])
def page(pages, request) -> Page:
    return pages[request.param]


def test_a_page_has_its_language_a_title_and_one_main_part(page):
    assert [attrs.get("lang") for _, attrs, _ in page.of("html")] == ["en"]
    assert [text for tag, text in page.texts if tag == "title"]
    assert len(page.of("main")) == 1
    assert all("main" in around for _, _, around in page.of("h1", "h2", "h3", "p", "table", "figure", "button"))


def test_headings_leave_no_level_out(page):
    levels = [int(name[1]) for name, _, _ in page.of("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_has_words_in_its_place(page):
    assert all(attrs.get("alt") for _, attrs, _ in page.of("img"))
    outermost = [attrs for _, attrs, around in page.of("svg") if "svg" not in around]
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in outermost)


def test_every_control_has_a_label(page):
    named = {attrs["for"] for _, attrs, _ in page.of("label") if "for" in attrs}
    unlabelled = [
        attrs
        for _, attrs, around in page.of("input", "select", "textarea", "progress")
        if "label" not in around and attrs.get("id") not in named and not attrs.get("aria-label")
    ]
    assert unlabelled == []
    ids = [attrs["id"] for name, attrs, around in page.elements if "id" in attrs and "svg" not in (name, *around)]
    assert len(ids) == len(set(ids))


def test_nothing_changes_the_order_of_the_tab_key(page):
    assert {attrs["tabindex"] for _, attrs, _ in page.elements if "tabindex" in attrs} <= {"0"}


def test_what_scrolls_sideways_in_the_report_is_reached_by_the_tab_key(pages):
    scrolls = [attrs for _, attrs, _ in pages["report"].elements if attrs.get("class") == "scroll"]
    assert scrolls
    assert all(attrs.get("tabindex") == "0" and attrs.get("aria-label") for attrs in scrolls)


def test_what_the_demo_says_later_is_read_out(pages):
    spoken = {attrs["id"] for _, attrs, _ in pages["demo"].elements if attrs.get("role") == "status"}
    assert spoken >= {"photos-verdict", "challenge-verdict"}


def test_the_demos_buttons_are_told_apart_without_their_place(pages):
    names = [attrs.get("aria-label") for _, attrs, _ in pages["demo"].of("input", "button")]
    named = [name for name in names if name]
    assert len(named) == len(set(named)) >= 6
    style = (REPOSITORY / "dwmtl/demo/page/demo.css").read_text(encoding="utf-8")
    assert re.search(r":focus-visible", style)
