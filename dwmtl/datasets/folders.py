"""A folder per person: CASIA-WebFace, VGGFace2, MS-Celeb crops, or your own (`0000123/001.jpg`)."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, folders_of, manifest, pictures_below

TERMS = "A folder per person: the terms are those of the set that it was unpacked from, or its owner's."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every picture below a person's folder, at any depth; the name of that folder is the subject. Other files and
    empty folders are skipped.

    `num_peak_frames` is ignored.
    """
    photos, subjects = [], []
    for subject in folders_of(folder):
        names = pictures_below(folder / subject)
        photos += [f"{subject}/{name}" for name in names]
        subjects += [subject] * len(names)
    return DataSet(manifest({"photo": photos, "subject": subjects}))
