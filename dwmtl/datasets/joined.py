"""The sets of one role as one: what tells a photo, a subject or a sequence apart gets the set's name as first folder.

So `P001` of the set `oulu` is the subject `oulu/P001`, and its photo `oulu/VL/Strong/P001/Anger/000.jpeg`, in every
table after the stage `index`.
"""

from pathlib import Path

import pandas as pd

from dwmtl.tables import MANIFEST, PHOTO_FACTS, VERIFICATION_PAIRS, read_table


def read_manifests(index_dir: Path, names: list[str]) -> pd.DataFrame:
    """The manifests of sets, one below the other, sorted by photo.

    Args:
        index_dir: the folder with the sets' folders of the stage `index`.
        names: the sets. A folder of another name is not read: it may be of an earlier run.
    Returns:
        Columns `tables.MANIFEST` and the sets' further ones, empty where a set does not have one.
    """
    tables = []
    for name in sorted(names):
        table = read_table(index_dir / name / "manifest.csv", MANIFEST, others_are_text=True)
        for column in ("photo", "subject", "sequence"):
            table[column] = _prefixed(name, table[column])
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True)
    others = [column for column in joined if column not in MANIFEST]
    joined[others] = joined[others].fillna("")
    return joined.sort_values("photo", ignore_index=True)


def read_photo_facts(facts_dir: Path, names: list[str]) -> pd.DataFrame:
    """What the stage `facts` found of the photos of sets: columns `tables.PHOTO_FACTS`."""
    tables = [read_table(facts_dir / name / "facts.csv", PHOTO_FACTS) for name in sorted(names)]
    joined = [
        table.assign(photo=_prefixed(name, table["photo"])) for name, table in zip(sorted(names), tables, strict=True)
    ]
    return pd.concat(joined, ignore_index=True)


def read_official_pairs(index_dir: Path, name: str) -> pd.DataFrame:
    """The verification pairs of a set: columns `tables.VERIFICATION_PAIRS`."""
    table = read_table(index_dir / name / "pairs.csv", VERIFICATION_PAIRS)
    return table.assign(**{column: _prefixed(name, table[column]) for column in ("photo_a", "photo_b")})


def set_of(photo: str) -> str:
    """Name of the set that a photo of a joined table is from."""
    return photo.partition("/")[0]


def _prefixed(name: str, values: pd.Series) -> pd.Series:
    """Values with the set's name before them; an empty one stays empty."""
    return (name + "/" + values).where(values != "", "")
