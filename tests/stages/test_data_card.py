import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dwmtl.crops.photo_facts import photo_facts
from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.datasets.packs.pictures import open_pictures
from dwmtl.set_facts import SetFacts, write_set_facts
from dwmtl.tables import BOX, CROPS, FAILURES, FOLDS, MANIFEST, write_table

PHOTOS = ["P1.normal", "P1.sad", "P2.normal", "P2.sad", "P2.broken"]


def _picture(photo: str) -> np.ndarray:
    """P1 is sad and neutral in the same picture."""
    value = PHOTOS.index("P1.sad" if photo == "P1.normal" else photo)
    return np.full((40, 50, 3), 40 * value, np.uint8)


@pytest.fixture
def run(python, tmp_path, write_params):
    """Runs the stage on five photos of two subjects in tmp_path, one of them unreadable."""
    expressions = {"normal": ("neutral", "neutral"), "sad": ("sadness", "peak"), "broken": ("", "identity")}
    rows = []
    (tmp_path / "set").mkdir()
    for photo in PHOTOS:
        subject, condition = photo.split(".")
        expression, use = expressions[condition]
        rows.append({"photo": photo, "subject": subject, "expression": expression, "use": use})
        Image.fromarray(_picture(photo)).save(tmp_path / "set" / photo, "PNG")
    (tmp_path / "set" / "P2.broken").write_bytes(b"no picture")
    manifest = make_manifest(rows)
    write_table(manifest, tmp_path / "index/manifest.csv", MANIFEST)
    write_set_facts(SetFacts("yale", is_drawn=True, terms="Nobody's."), tmp_path / "index")

    crops = pd.DataFrame({"photo": manifest["photo"], "num_faces": 1, "status": "aligned", "confidence": 0.95})
    crops = crops.assign(crop="photos/" + crops["photo"] + ".png", **dict(zip(BOX, (1, 1, 31, 39), strict=True)))
    broken = crops["photo"] == "P2.broken"
    crops.loc[broken, ["num_faces", "status", "confidence", "crop", *BOX]] = [0, "unreadable", None, "", *[None] * 4]
    write_table(crops.reindex(columns=list(CROPS)), tmp_path / "aligned/crops.csv", CROPS)
    failures = pd.DataFrame([("P2.broken", "unreadable", "not a whole picture")], columns=list(FAILURES))
    write_table(failures, tmp_path / "aligned/failures.csv", FAILURES)
    (tmp_path / "aligned/photos").mkdir()
    for photo in PHOTOS[:-1]:
        Image.fromarray(_picture(photo)).resize((112, 112)).save(tmp_path / f"aligned/photos/{photo}.png")
    write_table(
        pd.DataFrame({"subject": ["expression/P1", "expression/P2"], "fold": [0, 1]}),
        tmp_path / "labels/folds.csv",
        FOLDS,
    )

    write_table(photo_facts(open_pictures("yale", tmp_path / "set"), manifest["photo"]), tmp_path / "facts/facts.csv")

    def run(*, set_: str = "expression", out: str = "out") -> subprocess.CompletedProcess:
        params = write_params({"sets.expression.folder": tmp_path / "set", "sets.expression.adapter": "yale"})
        options = [f"--{name}={tmp_path / name}" for name in ("index", "facts", "aligned", "labels")]
        options += [f"--set={set_}", f"--out={tmp_path / out}", f"--params={params}"]
        return python("stages/data_card.py", *options)

    return run


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_set_gives_the_same_bytes_and_nothing_else(run, tmp_path):
    first, second = run(out="first"), run(out="second")
    assert (first.returncode, first.stderr) == (0, "")
    assert second.returncode == 0
    files = _files(tmp_path / "first")
    assert files == _files(tmp_path / "second")
    assert set(files) == {"card.md", "card.json", "contact_sheet.jpg"}


def test_the_card_tells_of_the_photos_themselves(run, tmp_path):
    assert run().returncode == 0
    card = json.loads((tmp_path / "out/card.json").read_text())
    assert card["duplicates"]["groups"][0]["photos"] == ["P1.normal", "P1.sad"]
    assert card["sizes"] == {
        "num_sizes": 1,
        "num_unknown": 1,
        "most_frequent": [{"width_px": 50, "height_px": 40, "num_photos": 4}],
    }
    assert card["alignment"]["num_by_status"] == {"aligned": 4, "fallback": 0, "unreadable": 1}
    assert [fold["num_photos"] for fold in card["folds"]["rows"]] == [2, 3]
    assert (card["source"]["is_drawn"], card["source"]["terms"]) == (True, "Nobody's.")
    assert card["cautions"][0].startswith("The faces are drawn by this project")
    assert "](contact_sheet.jpg)" in (tmp_path / "out/card.md").read_text()
    with Image.open(tmp_path / "out/contact_sheet.jpg") as sheet:
        assert sheet.format == "JPEG"


def test_a_table_that_is_not_there_is_named_and_nothing_is_written(run, tmp_path):
    (tmp_path / "aligned/crops.csv").unlink()
    done = run()
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "crops.csv" in done.stderr
    assert not (tmp_path / "out").exists()
