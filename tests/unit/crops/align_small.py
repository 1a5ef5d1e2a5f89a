"""An alignment of the fixture `photos`, whose rendered faces are FACES."""

from pathlib import Path

import pandas as pd
import torch

from dwmtl.crops.align import Aligned, Source, align
from dwmtl.params import load_params
from dwmtl.tables import MANIFEST

FACES = [f"VL/Strong/P001/{name}/000.jpeg" for name in ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")]
NAMES = [*FACES, "none.png", "truncated.jpeg", "two.png", "tiny.png"]
"""With those that are difficult in one way each."""


def manifest(*names: str, use: str = "train") -> pd.DataFrame:
    table = pd.DataFrame({"photo": names}).reindex(columns=list(MANIFEST))
    return table.assign(use=use)


def run(
    names: list[str],
    photos: Path,
    out: Path,
    *,
    use: str = "train",
    adapter: str = "folders",
    is_aligned=False,
    num_workers=0,
    enlarge_to_px=None,
    **changes,
) -> Aligned:
    """Align photos into a folder that need not be there; `changes` to the repository's `align` section."""
    out.mkdir(parents=True, exist_ok=True)
    return align(
        manifest(*names, use=use),
        Source(adapter, photos, is_aligned, enlarge_to_px),
        out,
        load_params().align.model_copy(update=changes),
        work_dir=out.with_name(f"{out.name}.work"),
        device=torch.device("cpu"),
        num_workers=num_workers,
    )
