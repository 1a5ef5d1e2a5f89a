"""The files of `dwmtl/` and `stages/`, and what they import, read from their syntax trees; nothing is run."""

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = sorted([*(REPOSITORY / "dwmtl").rglob("*.py"), *(REPOSITORY / "stages").glob("*.py")])


def name_of(file: Path) -> str:
    """Its path in the repository."""
    return file.relative_to(REPOSITORY).as_posix()


def imported_names(file: Path) -> set[str]:
    """Dotted names that a file imports, inside functions too; `from a import b` gives both `a` and `a.b`.

    A module's own `__getattr__` does not count: what it imports is loaded for who asks by name, and nobody in the
    repository may ask so (a test of the architecture).
    """
    names = set()
    module = ast.parse(file.read_text(), str(file))
    module.body = [node for node in module.body if getattr(node, "name", "") != "__getattr__"]
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imported_files(file: Path) -> set[Path]:
    """Files below the repository that a file imports: a module's `.py`, or a package's `__init__.py`."""
    paths = (REPOSITORY.joinpath(*name.split(".")) for name in imported_names(file))
    return {found for path in paths for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file()}


def import_closure(file: Path, *, ends_at: tuple[str, ...]) -> set[Path]:
    """The file, what it imports, what that imports, and so on.

    Args:
        ends_at: glob patterns relative to the repository, of files that are neither followed nor among the result.
    """
    closure, waiting = set(), {file}
    while waiting:
        found = waiting.pop()
        closure.add(found)
        new = imported_files(found) - closure
        waiting |= {path for path in new if not any(path.relative_to(REPOSITORY).match(end) for end in ends_at)}
    return closure
