import json

import pytest

from dwmtl.datasets.adapters import ADAPTERS
from dwmtl.errors import DataSetError
from dwmtl.set_facts import DRAWN_FILE, SET_FILE, PassedOver, SetFacts, read_set_facts, set_facts, write_set_facts


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_carries_the_terms_of_its_set(adapter):
    terms = ADAPTERS[adapter].TERMS
    assert terms.endswith(".")
    assert len(terms) > 20


def test_a_set_has_the_terms_of_its_adapter(tmp_path):
    assert set_facts(tmp_path, adapter="lfw", terms="Free.") == SetFacts("lfw", is_drawn=False, terms="Free.")


@pytest.mark.parametrize("below", [".", "VL/Strong"])
def test_a_drawn_set_has_the_terms_that_stand_beside_it(tmp_path, below):
    (tmp_path / DRAWN_FILE).write_text(json.dumps({"terms": "Nobody."}))
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    facts = set_facts(tmp_path / below, adapter="oulu_casia", terms="Signed.")
    assert facts == SetFacts("oulu_casia", is_drawn=True, terms="Nobody.")


def test_a_drawn_set_on_another_disk_is_known_by_the_marker_beside_the_link(tmp_path):
    (tmp_path / "disk/lfw").mkdir(parents=True)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/lfw").symlink_to(tmp_path / "disk/lfw")
    (tmp_path / "raw" / DRAWN_FILE).write_text(json.dumps({"terms": "Nobody."}))
    assert set_facts(tmp_path / "raw/lfw", adapter="lfw", terms="Free.").is_drawn


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_damaged_marker_is_named(tmp_path, text):
    (tmp_path / DRAWN_FILE).write_text(text)
    with pytest.raises(DataSetError, match=r"drawn\.json: damaged .*Draw the set again"):
        set_facts(tmp_path, adapter="lfw", terms="Free.")


def test_facts_are_read_as_they_were_written(tmp_path):
    facts = SetFacts("yale", is_drawn=True, terms="Nobody.", passed_over=PassedOver(2, ["a.heic", "b.jp2"]))
    write_set_facts(facts, tmp_path)
    assert read_set_facts(tmp_path) == facts


def test_missing_and_damaged_facts_are_named(tmp_path):
    with pytest.raises(DataSetError, match=r"set\.json: no such file\. Run `dvc repro`"):
        read_set_facts(tmp_path)
    for text in ("{", "[]", '{"adapter": "lfw"}'):
        (tmp_path / SET_FILE).write_text(text)
        with pytest.raises(DataSetError, match=r"set\.json: damaged"):
            read_set_facts(tmp_path)
