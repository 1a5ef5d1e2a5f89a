"""What `.ci/shape.py` counts, on a small checkout whose figures are known."""

import runpy
from pathlib import Path

SHAPE = runpy.run_path(str(Path(__file__).resolve().parents[2] / ".ci" / "shape.py"))["shape"]


def test_the_shape_of_a_checkout_is_counted(tmp_path):
    files = {
        "README.md": "one two\nthree\n",
        "docs/page.md": "four\n",
        "dwmtl/__init__.py": '"""A package."""\n',
        "dwmtl/long.py": "VALUE = 0\n" * 301,
        "dwmtl/room/__init__.py": "",
        "dwmtl/room/module.py": (
            "class Thing:\n"
            "    @property\n"
            "    def short(self):\n"
            "        return 1\n"
            "\n"
            "def wide(a, /, b, *rest, c=0, **more):\n"
            "    def inner(d):\n"
            "        return d\n"
            "\n"
            "    return inner\n"
        ),
        "stages/stage.py": "def main(): pass\n",
        "tests/test_it.py": "def not_counted(a, b, c, d, e, f, g): pass\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert SHAPE(tmp_path) == {
        "longest module": "301 lines, dwmtl/long.py",
        "longest function": "5 lines, dwmtl/room/module.py:6 wide",
        "modules over 300 lines": "1, dwmtl/long.py",
        "widest function": "5 parameters, dwmtl/room/module.py:6 wide",
        "median function": "2.5 lines, of 4 functions",
        "README and docs": "3 lines, 4 words",
        "packages": "2, of 5 modules with 313 lines",
    }
