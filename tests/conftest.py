"""Fixtures every folder of tests uses."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Folder of real photographs and golden numbers: $DWMTL_TESTDATA, else `shared` beside the repository."""
    folder = Path(os.environ.get("DWMTL_TESTDATA", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"{folder}: no such folder; DWMTL_TESTDATA names the folder of real test data")
    return folder


@pytest.fixture
def write_params(tmp_path: Path) -> Callable[..., Path]:
    """Writes the repository's params.yaml with some values changed.

    `write_params({"align.crop_px": 64, "sets.identity.folder": "/x"})` returns the path of the file, in tmp_path;
    single words may be given as keywords (`write_params(folds=[0])`).
    """

    def write(changes: dict[str, object] | None = None, /, **more: object) -> Path:
        values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        for dotted, value in {**(changes or {}), **more}.items():
            *sections, key = dotted.split(".")
            section = values
            for name in sections:
                section = section[name]
            section[key] = str(value) if isinstance(value, Path) else value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write
