"""Stage `facts`, per set: its photos, each decoded once -> their sizes, and digests that identify duplicates."""

from pathlib import Path
from typing import Annotated

import typer

from dwmtl.crops.photo_facts import photo_facts
from dwmtl.datasets.packs.pictures import open_pictures
from dwmtl.files import whole_folder
from dwmtl.params import load_params, set_params
from dwmtl.stage import run
from dwmtl.tables import MANIFEST, PHOTO_FACTS, read_table, write_table


def main(
    set_: Annotated[str, typer.Option("--set")], index: Path, out: Path, params: Path = Path("params.yaml")
) -> None:
    """Decode every used photo of a set."""
    source = set_params(load_params(params), set_)
    manifest = read_table(index / "manifest.csv", MANIFEST)
    read = open_pictures(source.adapter, Path(source.folder))
    with whole_folder(out) as folder:
        facts = photo_facts(read, manifest.loc[manifest["use"] != "unused", "photo"])
        write_table(facts, folder / "facts.csv", PHOTO_FACTS)


if __name__ == "__main__":
    run(main)
