"""Stage `index`, per set: its folder, read by its adapter -> a row per photo, its pairs, and its terms."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dwmtl.checkout import link_outside
from dwmtl.datasets.adapters import ADAPTERS, read_data_set
from dwmtl.datasets.authors_pair_file import read_authors_pairs
from dwmtl.datasets.passed_over import passed_over
from dwmtl.files import whole_folder
from dwmtl.params import load_params, set_params
from dwmtl.set_facts import set_facts, write_set_facts
from dwmtl.stage import run
from dwmtl.tables import GIVEN_PAIRS, MANIFEST, VERIFICATION_PAIRS, with_others, write_table

log = logging.getLogger("index")


def main(set_: Annotated[str, typer.Option("--set")], out: Path, params: Path = Path("params.yaml")) -> None:
    """List the photos of a data set with their labels."""
    values = load_params(params)
    source = set_params(values, set_)
    data_set = read_data_set(set_, source, num_peak_frames=values.index.num_peak_frames)
    source_dir = Path(source.folder)
    link_outside(source.folder)
    others = passed_over(source_dir, data_set.photos["photo"])
    facts = set_facts(source_dir, adapter=source.adapter, terms=ADAPTERS[source.adapter].TERMS)
    log.info("%s: %d photos", set_, len(data_set.photos))
    if others.num_pictures:
        log.warning("%s: %s skipped pictures in %s: %s", set_, source.adapter, source_dir, others)
    pairs_file = values.pairs_file_of(set_)
    with whole_folder(out) as folder:
        write_table(data_set.photos, folder / "manifest.csv", with_others(MANIFEST, data_set.photos))
        if data_set.pairs is not None:
            write_table(data_set.pairs, folder / "pairs.csv", VERIFICATION_PAIRS)
        if pairs_file is not None:
            given_pairs = read_authors_pairs(
                pairs_file, data_set.photos, remap=source.moved_from_to, expressions=source.expressions
            )
            write_table(given_pairs, folder / "given_pairs.csv", GIVEN_PAIRS)
        write_set_facts(replace(facts, passed_over=others), folder)


if __name__ == "__main__":
    run(main)
