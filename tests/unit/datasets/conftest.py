"""Trees of tiny pictures, or of empty files, in the layouts of the data sets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """`make_tree("S005/001/a.png")` writes pictures below tmp_path and returns it; the ending chooses the format."""

    def make(*pictures: str) -> Path:
        for name in pictures:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((2, 2), 128, np.uint8)).save(path)
        return tmp_path

    return make


@pytest.fixture
def touch_tree(tmp_path: Path) -> Callable[..., Path]:
    """`touch_tree("S005/001/a.png")` makes empty files of any name below tmp_path and returns it."""

    def make(*files: str) -> Path:
        for name in files:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make
