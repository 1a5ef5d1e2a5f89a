"""The tables that pass from stage to stage: their columns, and reading, joining and writing them.

The only place where columns are named. Tables are CSV with `\\n` line ends, written whole or not at all.
The sets of a role are joined into one table, in which photos, subjects and sequences are prefixed with their set's
name: the photo `VL/Strong/P001/Anger/000.jpeg` of the set `oulu` is `oulu/VL/Strong/P001/Anger/000.jpeg` in every table
after the stage `index`. Knows nothing of how a stage uses a table.
"""

import unicodedata
from pathlib import Path

import pandas as pd

from dwmtl.errors import TableError
from dwmtl.files import whole_file

MANIFEST = ("photo", "subject", "sequence", "frame", "expression", "use")
"""A row per photo of a data set, sorted by photo.

photo: path below the set's folder, with forward slashes · subject: a person, as the set spells it ·
sequence: the clip that a frame was taken from, empty for a single photo · frame: its place in the sequence, from 0 ·
expression: lower-case name, empty where the set has none · use: one of USES.
"""

USES = ("train", "neutral", "peak", "unused")
"""The use of a photo. train: trains identity only · neutral: a neutral reference · peak: shows its expression ·
unused: left out by the frame rule or by `expressions`, not aligned."""

PICTURE_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif",
    ".jp2", ".jxl", ".pbm", ".pgm", ".pnm", ".ppm",
)  # fmt: skip
"""File endings of pictures, in lower case; a picture with another ending, or none, is recognised by its content."""

# A manifest may have further columns: labels of further tasks (`glasses`), text, empty where unknown.

VOTES = "votes_"
"""Such a column, the prefix and the name of an expression, holds how many people saw it on the photo."""

BOX = ("box_x1_px", "box_y1_px", "box_x2_px", "box_y2_px")
LANDMARKS = tuple(
    f"{point}_{axis}_px" for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
)

CROPS = ("photo", "crop", "status", "num_faces", "chosen_by", "confidence", *BOX, *LANDMARKS)
"""A row per used photo, in the manifest's order; or a row per face (`dwmtl align --all-faces`).

photo: as in the manifest · crop: the aligned crop's path below the stage's folder, empty where there is none ·
status: one of STATUSES · num_faces: number of detected faces · chosen_by: the rule that chose the face ·
confidence: in [0, 1] · box (xyxy) and the five landmarks in pixels of the photo, empty where no face was found.
"""

STATUSES = ("aligned", "fallback", "unreadable")
"""aligned: a face was found and cropped · fallback: no face was found, the photo's centre was cropped (evaluated and
counted, never trained on) · unreadable: the file cannot be decoded, there is no crop."""

FAILURES = ("photo", "status", "reason")
"""A row per photo whose status is not `aligned`."""

EXPRESSION_LABELS = (*MANIFEST, "fold")
"""The manifest rows of the expression set that are trained and tested on; fold: the one in which they are tested, -1
where in none, -2 in an official validation part."""

IDENTITY_LABELS = ("photo", "subject", "identity")
"""A row per photo of the identity set; identity: class index of the subject, from 0 in sorted order."""

FOLDS = ("subject", "fold")

PHOTO_FACTS = ("photo", "bytes_sha256", "pixels_sha256", "width_px", "height_px")
"""A row per used photo: facts that only its file holds.

bytes_sha256: of the file, hexadecimal, empty where it is missing · pixels_sha256: of its shape and decoded RGB pixels,
and width_px, height_px: of these; empty where the photo cannot be decoded."""

DUPLICATES = (
    "group",
    "photo",
    "subject",
    "expression",
    "fold",
    "is_same_bytes",
    "is_across_folds",
    "is_contradicting_subject",
    "is_contradicting_expression",
    "is_harmless",
)
"""A row per photo that has the same picture as another; group: number of the picture, from 0. The columns after fold
describe the group: same bytes or only the same pixels, its faults, and is_harmless where it has none."""

DROPPED_PHOTOS = ("photo", "kept", "is_contradicting_subject", "is_contradicting_expression")
"""A row per photo that is not used because it has the same picture as another; kept: the photo that is used in its
place, empty where none is, because the labels contradict each other."""

VERIFICATION_PAIRS = ("photo_a", "photo_b", "is_same_identity", "fold")
"""Official verification pairs; fold: the block of the pair in the set's own protocol, from 0."""

GIVEN_PAIRS = (
    "input",
    "reference",
    "is_same_identity",
    "expression_actual",
    "expression_required",
    "expression_reference",
    "is_required_expression",
)
"""Pairs of the file that `pairs.file` names; input and reference are photos of an expression set."""

EXPRESSION_PAIRS = (*GIVEN_PAIRS, "fold")
"""Pairs of one fold's test subjects; fold: the block of the 10-fold verification cut."""

EVALUATED_PAIRS = (
    "set",
    "input",
    "reference",
    "input_subject",
    "reference_subject",
    "is_same_identity",
    "is_required_expression",
    "distance",
    "threshold",
    "is_verified",
    "is_accepted",
    "fold",
)
"""A row per pair that a fold's network scored. set: `expression` (the fold's test subjects) or `verification`;
input_subject, reference_subject: of the two photos, empty where unknown; is_required_expression and is_accepted (by
authentication) are empty for the verification set."""

BEST_DIR = "best_on_validation"
"""The sub-folder of a fold's folder of the stage `evaluate` with the same tables for the epoch that was best on the
validation subjects; empty without such subjects."""

FURTHER_SETS_DIR = "verification_sets"
"""The sub-folder of a model's scores with a folder for each verification set beside the main one: `metrics.json`,
`pairs.csv`; missing where there is one set."""

LEFT_OUT_PAIRS = ("fold", "subject", "reference", "expression_required", "reason")
"""A row per reference and required expression of a fold's test subjects whose four pairs cannot be made; reference is
empty where the subject has none."""

_TEXT = {
    "photo", "subject", "sequence", "expression", "use", "crop", "status", "chosen_by", "reason", "photo_a", "photo_b",
    "input", "reference", "expression_actual", "expression_required", "expression_reference", "predicted",
    "input_subject", "reference_subject", "bytes_sha256", "pixels_sha256", "kept",
}  # fmt: skip


def read_table(path: Path, columns: tuple[str, ...], *, others_are_text: bool = False) -> pd.DataFrame:
    """Read a table and check that it has its columns.

    Text columns stay text: a subject `007` keeps its zeros and an empty cell is the empty string.

    Args:
        others_are_text: whether columns that are not in `columns` are text, too (labels of further tasks).

    Raises:
        TableError: the file is missing, is not a table, or lacks a column.
    """
    path = Path(path)
    try:
        numbers = [column for column in columns if column not in _TEXT]
        text = dict.fromkeys(_TEXT, str)
        if others_are_text:
            others = pd.read_csv(path, nrows=0).columns.difference(numbers)
            text |= dict.fromkeys(others, str)
        table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={column: [""] for column in numbers})
    except FileNotFoundError:
        raise TableError(f"{path}: no such table. Run `dvc repro` to make it.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a CSV table ({error}). Run `dvc repro` to make it again.") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas makes an index of surplus cells in the first row
        raise TableError(f"{path}: not a CSV table (line 2 has too many cells). Run `dvc repro` to make it again.")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise TableError(f"{path}: no column {', '.join(missing)}. Run `dvc repro` to make the table again.")
    return table


def is_one_line(text: str) -> bool:
    """Whether a table can hold a text: in UTF-8, without control characters and line breaks."""
    return text.isprintable() or not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)


def composed(text: str) -> str:
    """A text in the form of Unicode in which two spellings of one name are equal (NFC)."""
    return unicodedata.normalize("NFC", text)


def with_others(columns: tuple[str, ...], table: pd.DataFrame) -> tuple[str, ...]:
    """The columns, followed by any further ones of the table."""
    return (*columns, *(column for column in table if column not in columns))


def write_table(table: pd.DataFrame, path: Path, columns: tuple[str, ...] | None = None) -> None:
    """Write a table, whole or not at all, making its folder; `columns` gives the order and must all be there."""
    chosen = table if columns is None else table[list(columns)]
    with whole_file(path) as file:
        chosen.to_csv(file, mode="wb", index=False, lineterminator="\n")


def read_manifests(index_dir: Path, sets: list[str]) -> pd.DataFrame:
    """The manifests of sets, joined and sorted by photo.

    Args:
        index_dir: the folder with the sets' folders of the stage `index`.
        sets: names. Other folders are not read: they may be from an earlier run.
    Returns:
        Columns `MANIFEST` and the sets' further columns, empty where a set lacks one.
    """
    manifests = []
    for name in sorted(sets):
        table = read_table(index_dir / name / "manifest.csv", MANIFEST, others_are_text=True)
        manifests.append(_with_set_name(name, table, ("photo", "subject", "sequence")))
    joined = pd.concat(manifests, ignore_index=True)
    others = [column for column in joined if column not in MANIFEST]
    joined[others] = joined[others].fillna("")
    return joined.sort_values("photo", ignore_index=True)


def read_photo_facts(facts_dir: Path, sets: list[str]) -> pd.DataFrame:
    """The photo facts of sets, joined: columns `PHOTO_FACTS`."""
    facts = {name: read_table(facts_dir / name / "facts.csv", PHOTO_FACTS) for name in sorted(sets)}
    return pd.concat([_with_set_name(name, table, ("photo",)) for name, table in facts.items()], ignore_index=True)


def read_official_pairs(index_dir: Path, sets: list[str]) -> pd.DataFrame:
    """The verification pairs of sets, one set after the other, with the names of photos in joined tables.

    Returns:
        Columns `VERIFICATION_PAIRS`. A pair's set is that of its photos; its block counts in this set alone.
    """
    pairs = {name: read_table(index_dir / name / "pairs.csv", VERIFICATION_PAIRS) for name in sorted(sets)}
    return pd.concat(
        [_with_set_name(name, table, ("photo_a", "photo_b")) for name, table in pairs.items()], ignore_index=True
    )


def pairs_by_set(pairs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The official pairs of each set, from a table of `read_official_pairs`; sorted by name, rows from 0."""
    of_sets = pairs.groupby(pairs["photo_a"].map(set_of), sort=True)
    return {str(name): of_set.reset_index(drop=True) for name, of_set in of_sets}


def read_given_pairs(index_dir: Path, sets: list[str]) -> pd.DataFrame:
    """The pairs that a file gives for a set, with the names of photos in joined tables: columns `GIVEN_PAIRS`.

    Args:
        index_dir: the folder with the sets' folders of the stage `index`.
        sets: names; at most one of them has such pairs.
    Returns:
        An empty table where no set has such pairs.
    """
    for name in sets:
        path = index_dir / name / "given_pairs.csv"
        if path.exists():
            return _with_set_name(name, read_table(path, GIVEN_PAIRS), ("input", "reference"))
    return pd.DataFrame(columns=list(GIVEN_PAIRS))


def read_folds(labels_dir: Path, name: str) -> pd.DataFrame:
    """The folds of a set's subjects, with their names in the set: columns `FOLDS`."""
    folds = read_table(labels_dir / "folds.csv", FOLDS)
    of_set = folds[folds["subject"].map(set_of) == name]
    return of_set.assign(subject=of_set["subject"].str.removeprefix(f"{name}/")).reset_index(drop=True)


def set_of(photo: str) -> str:
    """The set of a photo (or a subject) in a joined table."""
    return photo.partition("/")[0]


def _with_set_name(name: str, table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """The table with the values of these columns prefixed with the set's name; empty values stay empty."""
    prefixed = {column: (name + "/" + table[column]).where(table[column] != "", "") for column in columns}
    return table.assign(**prefixed)
