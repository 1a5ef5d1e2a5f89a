"""The model card: its numbers are the summary's, and each set's terms stand on it."""

import re
import runpy
from pathlib import Path

import pytest

from dwmtl.report.data_card.card import Source
from dwmtl.report.model_card_terms import terms_of
from dwmtl.report.page import write_pages

REPOSITORY = Path(__file__).resolve().parents[3]
world_of = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return world_of["make_world"](tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def card(world) -> str:
    return (world_of["write"](world, "report") / "model_card.md").read_text()


def row(card: str, title: str) -> list[str]:
    return [cell.strip() for cell in re.search(rf"^\| {re.escape(title)} \|(.*)\|$", card, re.MULTILINE)[1].split("|")]


def test_sets_of_equal_terms_are_named_together():
    sources = [
        Source(name=name, role="identity", adapter="lfw", folder="data", is_drawn=terms == "Nobody's.", terms=terms)
        for name, terms in (("a", "Nobody's."), ("b", "Free for research."), ("c", "Nobody's."))
    ]
    assert terms_of(sources) == [("a, c", "Nobody's."), ("b", "Free for research.")]


def test_it_names_each_sets_terms(card, world):
    for name in world[1].sets:
        assert f"- {name}: The terms of the {name} set.\n" in card


def test_its_numbers_are_those_of_the_summary(card, world):
    summary = world_of["summary_of"](world[0])
    accuracy = summary.scores["expression_accuracy"]
    low, high = (f"{100 * end:.1f}" for end in accuracy.interval)
    assert row(card, "Expression: accuracy") == [
        f"{100 * accuracy.mean:.1f} % ± {100 * accuracy.std:.1f} %",
        f"{low} to {high} %",
        f"{100 * summary.chance['expression_accuracy']:.1f} %",
    ]
    for name, values in summary.expression_per_class.items():
        assert row(card, name) == [f"{100 * values.pooled:.1f} %"]


def test_it_names_each_folds_model_and_each_set(card, world):
    assert re.findall(r"^\| (\d) \| 16 photos of 4 people \| `(\w+)` \|$", card, re.MULTILINE) == [
        ("0", "ab" * 8),
        ("1", "ab" * 8),
    ]
    assert {name for name in world[1].sets if row(card, name)} == set(world[1].sets)


def test_it_says_what_the_model_is_not_for_and_what_it_cannot(card):
    headings = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert headings == [
        "What it is",
        "Data",
        "How well it does",
        "What it is for",
        "What it is not for",
        "Consent and licences",
        "Limits",
    ]
    assert "identity.jpg` is <odd>." in card  # a data card's caution


def test_the_copy_with_this_run_has_the_same_card(card, world):
    write_pages(world_of["content_of"](world), world[0] / "copy", this_run=world_of["this_run"]())
    assert (world[0] / "copy/model_card.md").read_text() == card
