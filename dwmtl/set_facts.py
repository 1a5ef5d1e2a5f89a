"""Facts about a data set as a whole: `set.json`, which the stage `index` writes and the cards read."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dwmtl.errors import DataSetError
from dwmtl.files import write_json

SET_FILE = "set.json"

DRAWN_FILE = "drawn.json"
"""In a set's folder or above it, marks the set as drawn, and holds its terms; every adapter ignores this file."""


@dataclass(frozen=True)
class PassedOver:
    """Pictures in a set's folder that its adapter did not take; `examples`: paths below the folder."""

    num_pictures: int = 0
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = ", ..." if self.num_pictures > len(self.examples) else ""
        return f"{self.num_pictures} ({', '.join(self.examples)}{more})"


@dataclass(frozen=True)
class SetFacts:
    """A data set as a whole.

    Attributes:
        adapter: the name of the adapter that read its folder.
        is_drawn: whether its faces were drawn by this project.
        terms: a sentence on the set and its terms of use.
        passed_over: pictures that the adapter did not take.
    """

    adapter: str
    is_drawn: bool
    terms: str
    passed_over: PassedOver = field(default_factory=PassedOver)


def set_facts(folder: Path, *, adapter: str, terms: str) -> SetFacts:
    """The facts of the set in a folder.

    Args:
        folder: the set's folder.
        adapter: the name of its adapter.
        terms: those of the adapter's set; a drawn set has its terms in its `DRAWN_FILE`.
    Raises:
        DataSetError: `DRAWN_FILE` is damaged.
    """
    as_named, resolved = Path(os.path.abspath(folder)), Path(folder).resolve()  # a link may lead to another disk
    places = (as_named, *as_named.parents, resolved, *resolved.parents)
    drawn_file = next((file for place in places if (file := place / DRAWN_FILE).is_file()), None)
    if drawn_file is None:
        return SetFacts(adapter, is_drawn=False, terms=terms)
    try:
        return SetFacts(adapter, is_drawn=True, terms=str(json.loads(drawn_file.read_text())["terms"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataSetError(f"{drawn_file}: damaged ({error!r}). Draw the set again with `dvc repro`.") from None


def write_set_facts(facts: SetFacts, index_dir: Path) -> None:
    """Write `SET_FILE` into a set's folder of the stage `index`."""
    write_json(asdict(facts), index_dir / SET_FILE)


def read_set_facts(index_dir: Path) -> SetFacts:
    """Read `SET_FILE` from a set's folder of the stage `index`.

    Raises:
        DataSetError: the file is missing or damaged.
    """
    path = index_dir / SET_FILE
    try:
        values = json.loads(path.read_text())
        return SetFacts(**values | {"passed_over": PassedOver(**values["passed_over"])})
    except FileNotFoundError:
        raise DataSetError(f"{path}: no such file. Run `dvc repro` to make it.") from None
    except (ValueError, TypeError, KeyError) as error:
        raise DataSetError(f"{path}: damaged ({error}). Run `dvc repro` to make it again.") from None
