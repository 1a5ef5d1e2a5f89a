"""Photos for the tests of the alignment."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops.photos import read_photo
from dwmtl.params import load_params
from dwmtl.rendered.sets import render_oulu_casia


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Rendered faces of one subject, and photos that are difficult in one way each."""
    folder = tmp_path_factory.mktemp("photos")
    render = load_params().render.model_copy(update={"num_expression_subjects": 1, "num_frames": 4})
    render_oulu_casia(folder, render)
    face = read_photo(folder / "VL/Strong/P001/Happiness/000.jpeg")
    Image.fromarray(np.concatenate([face, face], axis=1)).save(folder / "two.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 40, (240, 320, 3), dtype=np.uint8)).save(folder / "none.png")
    Image.fromarray(face[:20, :20]).save(folder / "tiny.png")
    (folder / "truncated.jpeg").write_bytes((folder / "VL/Strong/P001/Happiness/000.jpeg").read_bytes()[:900])
    return folder
