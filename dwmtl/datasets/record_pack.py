"""A RecordIO pack of insightface (`train.rec`, `train.idx`): a row per picture; the pictures stay in the pack."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.datasets.packs.record_pack import RecordPack

TERMS = "A training pack: photographs of public people, from the web; the terms are those of its set."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every picture of the pack, named `<identity>/<key>`. `num_peak_frames` is ignored.

    Raises:
        DataSetError: the pack is malformed.
    """
    pack = RecordPack(folder)
    keys = [int(key) for key in pack.keys]
    subjects = [f"{pack.identity_of(key):07d}" for key in keys]
    photos = [f"{subject}/{key:09d}" for subject, key in zip(subjects, keys, strict=True)]
    return DataSet(manifest({"photo": photos, "subject": subjects}))
