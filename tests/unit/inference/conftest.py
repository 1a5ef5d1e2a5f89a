"""Photos beside those of the `known` model, and how answers are compared."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from dwmtl.inference.answers import Analysis


@pytest.fixture(scope="module")
def two_faces(known) -> np.ndarray:
    """P001 happy on the left, P002 surprised on the right, larger by half."""
    left, right = (Image.open(known.photo(*who)) for who in (("happiness", "P001"), ("surprise", "P002")))
    canvas = Image.new("RGB", (left.width + right.width * 3 // 2, right.height * 3 // 2), "grey")
    canvas.paste(left, (0, 0))
    canvas.paste(right.resize((right.width * 3 // 2, right.height * 3 // 2)), (left.width, 0))
    return np.array(canvas)


@pytest.fixture(scope="module")
def nobody() -> np.ndarray:
    """Noise, in which no face is found."""
    return np.random.default_rng(0).integers(0, 40, (240, 320, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def assert_same_answer() -> Callable[[Analysis, Analysis], None]:
    """Checks that two analyses have the same faces: `assert_same_answer(a, b)`."""

    def check(a: Analysis, b: Analysis) -> None:
        assert a.num_faces == b.num_faces
        for ours, theirs in zip(a.faces, b.faces, strict=True):
            np.testing.assert_allclose(ours.box, theirs.box, atol=0.05)
            np.testing.assert_allclose(ours.embedding, theirs.embedding, atol=1e-3)
            assert ours.expression == theirs.expression

    return check
