"""Sets that the tests of whole chains share."""

from pathlib import Path

import pytest

from dwmtl.params import load_params
from dwmtl.rendered.sets import render_identities, render_lfw, render_oulu_casia


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> Path:
    """Drawn sets of the three roles in small, for all files of a worker: no test changes them."""
    folder = tmp_path_factory.mktemp("rendered")
    small = {
        "num_expression_subjects": 4,
        "num_frames": 4,
        "num_verification_people": 20,
        "num_pairs_per_block": 1,
        "num_identity_people": 3,
        "num_photos_per_person": 2,
    }
    params = load_params().render.model_copy(update=small)
    render_oulu_casia(folder / "oulu_casia", params)
    render_lfw(folder / "lfw", params)
    render_identities(folder / "identities", params)
    return folder
