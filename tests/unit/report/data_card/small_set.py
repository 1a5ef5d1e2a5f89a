"""Tables of a small data set, and its card."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd

from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.report.data_card.card import DataCard, Source
from dwmtl.report.data_card.describe import data_card
from dwmtl.report.data_card.page import data_card_markdown
from dwmtl.tables import BOX, CROPS, PHOTO_FACTS

SOURCE = Source(
    name="oulu", role="expression", adapter="oulu_casia", folder="/sets/oulu", is_drawn=False, terms="Signed."
)


def row(photo: str, subject: str, expression: str = "", use: str = "peak", **others: object) -> dict:
    use = use if expression else "train"
    return {"photo": photo, "subject": subject, "expression": expression, "use": use, **others}


def grid(subjects: int = 4, expressions: tuple[str, ...] = ("anger", "happiness")) -> pd.DataFrame:
    """A photo a subject and expression: `P1.anger`."""
    names = [f"P{number}" for number in range(subjects)]
    return make_manifest([row(f"{name}.{shown}", name, shown) for name in names for shown in expressions])


def make_crops(manifest: pd.DataFrame, status: str = "aligned", **columns: object) -> pd.DataFrame:
    """A crop of each photo; boxes of 60 x 80 px."""
    crops = pd.DataFrame({"photo": manifest["photo"], "crop": "photos/" + manifest["photo"] + ".png"})
    crops = crops.assign(status=status, num_faces=1, confidence=0.9, **dict(zip(BOX, (10, 10, 70, 90), strict=True)))
    if status != "aligned":
        crops = crops.assign(num_faces=0, confidence=np.nan, **dict.fromkeys(BOX, np.nan))
    if status == "unreadable":
        crops["crop"] = ""
    return crops.assign(**columns).reindex(columns=list(CROPS))


def make_facts(manifest: pd.DataFrame, **pixels: str) -> pd.DataFrame:
    """Every photo another picture of 8 x 6 px, but those given one (`_` for the dot in the photo's name)."""
    photos = manifest["photo"]
    digests = [pixels.get(photo.replace(".", "_"), f"pixels of {photo}") for photo in photos]
    facts = pd.DataFrame({"photo": photos, "bytes_sha256": [f"bytes of {photo}" for photo in photos]})
    facts = facts.assign(pixels_sha256=digests, width_px=8, height_px=6)
    return facts.astype({"width_px": "Int64", "height_px": "Int64"})[list(PHOTO_FACTS)]


def make_folds(**folds: int) -> pd.DataFrame:
    return pd.DataFrame({"subject": list(folds), "fold": list(folds.values())})


def card_of(manifest: pd.DataFrame, crops: pd.DataFrame | None = None, **more: object) -> DataCard:
    more = {"source": SOURCE} | more
    card = data_card(manifest, make_crops(manifest) if crops is None else crops, **more)
    json.dumps(asdict(card), allow_nan=False)  # plain numbers only
    assert data_card_markdown(card).startswith("# Data card")
    return card
