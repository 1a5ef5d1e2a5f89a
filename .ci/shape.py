"""The shape of a checkout's code and docs, to compare two of them: `python .ci/shape.py [CHECKOUT]`.

Counts dwmtl/ and stages/. A function's length is from `def` to its last line, its decorators and docstring included;
its parameters are all of them but `self` and `cls`.
"""

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

LONG_MODULE = 300


class Function(NamedTuple):
    """A function or method: its place, length in lines and number of parameters."""

    name: str
    num_lines: int
    num_params: int


def num_lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def functions_of(file: Path, root: Path) -> Iterator[Function]:
    """Every function of a module, methods and nested ones too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield Function(
                f"{file.relative_to(root).as_posix()}:{node.lineno} {node.name}",
                node.end_lineno - first + 1,
                _num_params(node.args),
            )


def _num_params(arguments: ast.arguments) -> int:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return sum(argument.arg not in ("self", "cls") for argument in named) + len(starred)


def shape(root: Path) -> dict[str, str]:
    """A figure by what it is of."""
    modules = {
        file.relative_to(root).as_posix(): num_lines(file)
        for folder in ("dwmtl", "stages")
        for file in sorted((root / folder).rglob("*.py"))
    }
    functions = [function for module in modules for function in functions_of(root / module, root)]
    longest_module = max(modules, key=modules.__getitem__)
    longest = max(functions, key=lambda function: function.num_lines)
    widest = max(functions, key=lambda function: function.num_params)
    median_lines = median(function.num_lines for function in functions)
    long_modules = [module for module, length in modules.items() if length > LONG_MODULE]
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    num_words = sum(len(page.read_text(encoding="utf-8").split()) for page in pages)
    num_packages = sum(module.endswith("/__init__.py") for module in modules)
    return {
        "longest module": f"{modules[longest_module]} lines, {longest_module}",
        "longest function": f"{longest.num_lines} lines, {longest.name}",
        f"modules over {LONG_MODULE} lines": ", ".join([str(len(long_modules)), *long_modules]),
        "widest function": f"{widest.num_params} parameters, {widest.name}",
        "median function": f"{median_lines:g} lines, of {len(functions)} functions",
        "README and docs": f"{sum(map(num_lines, pages))} lines, {num_words} words",
        "packages": f"{num_packages}, of {len(modules)} modules with {sum(modules.values())} lines",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    for name, figure in shape(parser.parse_args().checkout).items():
        print(f"{name:<24}{figure}")


if __name__ == "__main__":
    main()
