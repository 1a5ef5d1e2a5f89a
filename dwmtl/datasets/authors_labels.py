"""A label file of Ming et al. with the photos of Oulu-CASIA or CK+: the file alone decides which are used, and as what.

Oulu-CASIA's names each photo by a path; CK+'s by subject, session and frame, in the layout of `ck_plus`.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dwmtl.datasets import ck_plus
from dwmtl.datasets.authors_label_file import is_ck_plus, read_ck_plus, read_oulu_casia
from dwmtl.datasets.data_set import DataSet, NamedPictures, files_of, manifest
from dwmtl.datasets.photo_path import folder_of_names, found_photo
from dwmtl.errors import DataSetError

TERMS = "A label file of Ming et al.: the terms are those of the set whose photos it names, Oulu-CASIA or CK+."


def read(
    folder: Path, *, num_peak_frames: int, labels_file: str | None = None, remap: tuple[str, str] | None = None
) -> DataSet:
    """Every photo that the file names. `num_peak_frames` is ignored, as the file already chooses the frames.

    A photo labelled neutral is a neutral reference, any other a peak. The photo's folder is its sequence, the number in
    its name is the frame.

    Args:
        labels_file: path below the folder; None: the only `.txt` file in the folder.
        remap: the folder above the file's paths, and the folder below the set's folder that replaces it.
    Raises:
        DataSetError: the file is missing, there are several, a line is wrong, or a photo is missing or named twice.
    """
    path = folder / (_only_text_file(folder) if labels_file is None else labels_file)
    if is_ck_plus(path) and remap is not None:
        raise DataSetError(f"{path}: a label file of CK+ holds no paths. Remove remap from the set's options.")
    rows = []
    number_of: dict[str, int] = {}
    for number, row in _ck_plus_rows(folder, path) if is_ck_plus(path) else _oulu_casia_rows(path, remap):
        where = f"{path}, row {number}"
        if row["photo"].startswith("/"):
            raise DataSetError(
                f"{where}: {row['photo']!r} is not a path below {folder}. Set the set's option remap to the folder "
                "above the file's paths."
            )
        row["photo"] = found_photo(where, folder, row["photo"])
        if number_of.setdefault(row["photo"], number) != number:
            raise DataSetError(f"{where}: {row['photo']} is in row {number_of[row['photo']]}, too. Remove one of them.")
        rows.append(row)
    return DataSet(manifest(rows))


def _only_text_file(folder: Path) -> str:
    names = [name for name in files_of(folder) if name.lower().endswith(".txt")]
    if len(names) != 1:
        raise DataSetError(
            f"{folder}: {len(names)} files end in .txt; name the label file in the set's option labels_file."
        )
    return names[0]


def _oulu_casia_rows(path: Path, remap: tuple[str, str] | None) -> Iterator[tuple[int, dict]]:
    """Number in the file and manifest row of each photo."""
    for line in read_oulu_casia(path, remap=remap).itertuples():
        yield line.number, _row(line.image_path, line.subject, line.expression.lower())


def _ck_plus_rows(folder: Path, path: Path) -> Iterator[tuple[int, dict]]:
    """Number in the file and manifest row of each photo."""
    pictures = NamedPictures(folder)
    for line in read_ck_plus(path).itertuples():
        where = f"{path}, row {line.number}"
        sequence = folder_of_names(where, ck_plus.IMAGES, line.subject, line.session)
        photo = pictures.find(where, sequence, f"{line.subject}_{line.session}_{line.frame}")
        yield line.number, _row(photo, line.subject, ck_plus.EXPRESSIONS[line.label])


def _row(photo: str, subject: str, expression: str) -> dict:
    place = PurePosixPath(photo)
    digits = re.findall(r"\d+", place.stem)
    return {
        "photo": photo,
        "subject": subject,
        "sequence": str(place.parent),
        "frame": int(digits[-1][-9:]) if digits else 0,
        "expression": expression,
        "use": "neutral" if expression == "neutral" else "peak",
    }
