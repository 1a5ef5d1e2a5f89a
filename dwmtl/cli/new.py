"""The command that makes a project of one's own: `new`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from dwmtl import __version__

FILES = (
    ".dvc/.gitignore",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "examples/*.yaml",
    "data/.gitignore",
    "dvc.yaml",
    "metrics/.gitignore",
    "params.yaml",
    "project.mk",
    "stages/*.py",
)
"""Of the repository; the wheel holds them in `project_files`."""

_NAMES = {"project.mk": "Makefile"}
"""File of the repository -> its name in a project, where that is another."""

_CODE = "requirements.txt"
_MAP = f"""\
# The map: photos in, a report out. Paths stand here, values in params.yaml. A stage, its script and its section of
# params.yaml share a name. The scripts call dwmtl, whose version {_CODE} pins: every stage depends on that
# file, so that another version runs all of them again.
"""

_README = """\
# Faces

A project of [dwmtl](https://arxiv.org/abs/1911.03281), whose version `requirements.txt` pins; its wheel is not on PyPI.

- `make repro` runs the pipeline (`dvc.yaml`, `stages/`) with the values of `params.yaml`, at first on drawn faces.
- Point `sets` in `params.yaml` at your photos, and look first: `dvc repro data_card@expression`.
- `examples/` has a whole `params.yaml` for CK+ and for Yale, from a trained network.
- `metrics/report/report.html` has the scores, `make ui` the runs, `dwmtl analyze PHOTO` the model's answers.

`dwmtl --help` lists the commands; the pages of documentation are in dwmtl's repository, in `docs/`.
"""


def new(folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder to make")]) -> None:
    """Make a project of your own: the pipeline's dvc.yaml, params.yaml and stages, beside the installed package.

    Run it with `make repro` in the folder, in the environment in which `dwmtl[pipeline]` is installed.
    """
    from dwmtl.files import whole_new_folder, write_text

    source = _source()
    with whole_new_folder(folder) as partial:
        for path in sorted(path for pattern in FILES for path in source.glob(pattern)):
            name = path.relative_to(source).as_posix()
            text = path.read_text(encoding="utf-8")
            write_text(project_map(text) if name == "dvc.yaml" else text, partial / _NAMES.get(name, name))
        write_text(f"dwmtl[pipeline]=={__version__}\n", partial / _CODE)
        write_text(_README, partial / "README.md")
    print(f"{folder}: a project. Next: cd {folder} && git init && make repro")


def project_map(text: str) -> str:
    """The repository's dvc.yaml for a project: its stages depend on `requirements.txt`, not on the package's code."""
    text = re.sub(r"\A(#.*\n)+", _MAP, text)
    text = re.sub(r"^ +- dwmtl/\S+\n|, dwmtl/[^],\s]+", "", text, flags=re.MULTILINE)
    text = re.sub(r"^( +- )stages/\w+\.py\n", rf"\g<0>\g<1>{_CODE}\n", text, flags=re.MULTILINE)
    return re.sub(r"\[stages/\w+\.py", rf"\g<0>, {_CODE}", text)


def _source() -> Path:
    """Folder with the files of a project: in an installed package its own, in a checkout the repository."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "project_files"
    return installed if installed.is_dir() else package.parent
