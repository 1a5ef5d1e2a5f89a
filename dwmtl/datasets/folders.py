"""A folder per person: CASIA-WebFace, VGGFace2, MS-Celeb crops, or your own (`0000123/001.jpg`)."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, folders_of, manifest, pictures_of

TERMS = "A folder per person: the terms are those of the set that it was unpacked from, or its owner's."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every picture one folder down, or two where a person's pictures are spread over folders; the name of the first
    folder is the subject. Other files and empty folders are skipped.

    `num_peak_frames` is ignored.
    """
    photos, subjects = [], []
    for subject in folders_of(folder):
        names = pictures_of(folder / subject)
        for part in folders_of(folder / subject):
            names += [f"{part}/{name}" for name in pictures_of(folder / subject / part)]
        photos += [f"{subject}/{name}" for name in names]
        subjects += [subject] * len(names)
    return DataSet(manifest({"photo": photos, "subject": subjects}))
