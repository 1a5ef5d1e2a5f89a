"""The code a stage depends on: DVC follows no imports, so `dvc.yaml` lists the files of every stage's import closure.

`python .ci/stage_deps.py` prints what each stage lists wrongly and exits with 1 if anything is wrong;
`python .ci/stage_deps.py --write` corrects the lists in `dvc.yaml` and leaves every other line as it is.
"""

import argparse
import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

PACKAGE = "dwmtl"
REPOSITORY = Path(__file__).resolve().parent.parent
_SCRIPT = re.compile(r"\bstages/\w+\.py\b")


class StageDepsError(Exception):
    """`dvc.yaml` or the package is in a form whose lists cannot be computed; the message says what to change."""


@dataclass(frozen=True)
class Stage:
    """A stage of `dvc.yaml` with the deps it lists and those it should list."""

    name: str
    script: str
    listed: list[str]
    """The deps that are code, as they stand: the script, other .py files, and anything below the package."""
    needed: list[str]
    """The import closure of the script, sorted as it is written: the script first."""
    lines: list[int]
    """The line of each code dep, from 0."""
    insert_at: int
    indent: int

    @property
    def is_right(self) -> bool:
        """Whether the lists agree, in any order."""
        return sorted(self.listed) == sorted(self.needed)


def import_closure(script: Path, root: Path = REPOSITORY) -> list[Path]:
    """Files below `root` that running `script` can load: itself, and what of the package it imports.

    Every import statement counts, inside functions too (but see `imported_names`), and so does the `__init__.py` of
    every package on the way. A file of the package that is no Python (a template) belongs to the modules that name it
    in a string, in the folder that holds the file or, for a folder of data, the folder above it.

    Returns:
        Absolute paths: the script, then the package's files sorted.
    Raises:
        StageDepsError: no module names a data file.
    """
    owners = _data_files(root)
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported_files(file, root) if file.suffix == ".py" else [])
            waiting.extend(data for data, modules in owners.items() if file in modules)
    return [script, *sorted(found - {script})]


def imported_names(file: Path, root: Path = REPOSITORY) -> set[str]:
    """Dotted names a file imports anywhere in it; `from a import b` gives both `a` and `a.b`.

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
            base = _absolute_base(node, file, root)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def stages_of(dvc_yaml: Path = REPOSITORY / "dvc.yaml") -> list[Stage]:
    """The stages of a `dvc.yaml`; of a `foreach` stage its `do` body.

    Raises:
        StageDepsError: a stage runs no script that is in `stages/`, or has no block list of deps.
    """
    return [_stage(name, definition, dvc_yaml) for name, definition in YAML().load(dvc_yaml)["stages"].items()]


def write_deps(dvc_yaml: Path = REPOSITORY / "dvc.yaml") -> None:
    """Correct the code deps of every stage, line by line; the code comes first in a list that was wrong."""
    lines = dvc_yaml.read_text().splitlines(keepends=True)
    for stage in sorted(stages_of(dvc_yaml), key=lambda stage: stage.insert_at, reverse=True):
        if stage.is_right:
            continue
        for number in sorted(stage.lines, reverse=True):
            del lines[number]
        lines[stage.insert_at : stage.insert_at] = [f"{' ' * stage.indent}- {dep}\n" for dep in stage.needed]
    dvc_yaml.write_text("".join(lines))


def explain(stage: Stage) -> str:
    """What a stage lists wrongly, and the list to paste."""
    missing = sorted(set(stage.needed) - set(stage.listed))
    extra = sorted(set(stage.listed) - set(stage.needed))
    return "\n".join(
        [
            f"stage {stage.name}: the code deps are not the import closure of {stage.script}.",
            *(f"  missing: {dep}" for dep in missing),
            *(f"  not imported: {dep}" for dep in extra),
            "Run `python .ci/stage_deps.py --write`, or paste:",
            *(f"{' ' * stage.indent}- {dep}" for dep in stage.needed),
        ]
    )


def _stage(name: str, definition: dict, dvc_yaml: Path) -> Stage:
    body = definition.get("do", definition)
    command = body["cmd"] if isinstance(body["cmd"], str) else "\n".join(body["cmd"])
    scripts = sorted(set(_SCRIPT.findall(command)))
    if len(scripts) != 1:
        raise StageDepsError(f"{dvc_yaml}: stage {name} must run one script of stages/. Got {command!r} instead.")
    if not (dvc_yaml.parent / scripts[0]).is_file():
        raise StageDepsError(f"{dvc_yaml}: stage {name} runs {scripts[0]}, and there is no such file.")
    deps = body.get("deps")
    if not deps or deps.fa.flow_style():
        raise StageDepsError(f"{dvc_yaml}: stage {name} needs a list of deps, one a line; `- {scripts[0]}` is enough.")
    root = dvc_yaml.parent
    code = [number for number, dep in enumerate(deps) if _is_code(_path_of(dep))]
    first_line, first_column = deps.lc.item(0)
    return Stage(
        name=name,
        script=scripts[0],
        listed=[_path_of(deps[number]) for number in code],
        needed=[file.relative_to(root).as_posix() for file in import_closure(root / scripts[0], root)],
        lines=[deps.lc.item(number)[0] for number in code],
        insert_at=first_line,
        indent=first_column - 2,
    )


def _path_of(dep: str | dict) -> str:
    return dep if isinstance(dep, str) else next(iter(dep))


def _is_code(dep: str) -> bool:
    return dep.endswith(".py") or dep.startswith(f"{PACKAGE}/")


def _absolute_base(node: ast.ImportFrom, file: Path, root: Path) -> str:
    """The dotted name before `import`, with leading dots resolved."""
    if not node.level:
        return node.module
    above = file.relative_to(root).parts[: -node.level]
    return ".".join([*above, *([node.module] if node.module else [])])


def _imported_files(file: Path, root: Path) -> set[Path]:
    files = set()
    for name in imported_names(file, root):
        parts = name.split(".")
        if parts[0] == PACKAGE:
            for length in range(1, len(parts) + 1):
                files |= _files_of_module(root.joinpath(*parts[:length]))
    return files


def _files_of_module(path: Path) -> set[Path]:
    """A module's file or a package's `__init__.py`; nothing where the name is a function or class of a module."""
    return {file for file in (path.with_name(path.name + ".py"), path / "__init__.py") if file.is_file()}


def _data_files(root: Path) -> dict[Path, set[Path]]:
    """Each file of the package that is no Python, with the modules that name it."""
    package = root / PACKAGE
    owners = {}
    for file in sorted(package.rglob("*")):
        if not file.is_file() or file.suffix in (".py", ".pyc") or "__pycache__" in file.parts:
            continue
        neighbours = sorted([*file.parent.glob("*.py"), *(file.parent.parent.glob("*.py"))])
        owners[file] = {module for module in neighbours if module != file and _names(module, file.name)}
        if not owners[file]:
            raise StageDepsError(f"{file.relative_to(root)}: no module beside or above it names {file.name}.")
    return owners


def _names(module: Path, file_name: str) -> bool:
    """Whether a string in the module is the file's name, alone or at the end of a path."""
    strings = (node.value for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant))
    return any(isinstance(string, str) and string.split("/")[-1] == file_name for string in strings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="correct dvc.yaml")
    parser.add_argument("--file", type=Path, default=REPOSITORY / "dvc.yaml", help="the dvc.yaml to read")
    arguments = parser.parse_args()
    try:
        if arguments.write:
            write_deps(arguments.file.resolve())
        wrong = [stage for stage in stages_of(arguments.file.resolve()) if not stage.is_right]
    except StageDepsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(explain(stage) for stage in wrong) or "every stage lists its import closure")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
