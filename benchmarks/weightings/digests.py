"""Digests of the code, so that the comparison reruns a stage when code that can change its result has changed."""

import hashlib
from pathlib import Path

from grid import REPOSITORY
from ruamel.yaml import YAML

from dwmtl.stage import run


def main(out: Path) -> None:
    """Write digests by name: of each package of dwmtl, of `stages` and, as `map`, of dvc.yaml."""
    packages = {path.parent.name: path.parent for path in (REPOSITORY / "dwmtl").glob("*/__init__.py")}
    files = {
        name: sorted(folder.rglob("*.py")) for name, folder in (packages | {"stages": REPOSITORY / "stages"}).items()
    }
    files["map"] = [REPOSITORY / "dvc.yaml"]
    YAML().dump({name: digest(files[name]) for name in sorted(files)}, out)


def digest(files: list[Path]) -> str:
    """Digest of the files' names and contents, hexadecimal."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.relative_to(REPOSITORY)}\n".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    run(main)
