"""The command `check`: `params.yaml` and the sets' folders, before DVC removes any output."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl import __version__
from dwmtl.errors import EXTRAS, DataSetError, DwmtlError, ParamsError

if TYPE_CHECKING:
    from dwmtl.params import Params


def check(
    root: Annotated[Path, typer.Argument(help="the checkout, with params.yaml and dvc.yaml")] = Path("."),
) -> None:
    """Check params.yaml, the folders of its sets and the install, as `make repro` does before DVC removes any output.

    Also lets the copies that DVC makes for queued experiments find relative folders outside the checkout.
    """
    import contextlib

    from dwmtl.checkout import link_outside
    from dwmtl.params import load_params

    _require_pipeline()
    with contextlib.chdir(root):
        _require_version()
        params = load_params()
        if errors := _errors_of_sets(params):
            raise DataSetError("\n".join(errors))
        for source in params.sets.values():
            link_outside(source.folder)
    print(f"no error in params.yaml and the folders of its {len(params.sets)} sets")


def _require_pipeline() -> None:
    """Raise a DwmtlError where the extra that the stages need is not installed."""
    from importlib.util import find_spec

    needed = [name for name, extra in EXTRAS.items() if extra == "pipeline"]
    if missing := [name for name in needed if find_spec(name) is None]:
        raise DwmtlError(f"the stages need {', '.join(missing)}. Run: pip install 'dwmtl[pipeline]'")


def _require_version() -> None:
    """Raise a DwmtlError where a project's `requirements.txt`, on which its stages depend, names another version."""
    path = Path("requirements.txt")
    pinned = re.search(r"^dwmtl\[pipeline\]==(\S+)", path.read_text(), flags=re.MULTILINE) if path.is_file() else None
    if pinned and pinned[1] != __version__:
        raise DwmtlError(
            f"{path}: it pins dwmtl {pinned[1]}, and {__version__} is installed. Install {pinned[1]}; or write "
            f"{__version__} into it, after which all stages run again."
        )


def _errors_of_sets(params: "Params") -> list[str]:
    """A line per set whose adapter or folder does not exist, but for folders that the pipeline creates."""
    from dwmtl.datasets.adapters import require_adapter, require_folder

    errors, created = [], _created_folders()
    for name, source in params.sets.items():
        try:
            require_adapter(name, source)
            if not any(Path(source.folder).is_relative_to(folder) for folder in created):
                require_folder(name, source)
        except DataSetError as error:
            errors.append(str(error))
    return errors


def _created_folders() -> list[str]:
    """The outputs of the stage `render`; none where there is no such stage.

    Raises:
        ParamsError: `dvc.yaml` is damaged.
    """
    from dwmtl.yaml_text import parse_yaml

    path = Path("dvc.yaml")
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), path)["stages"].get("render", {}).get("outs", [])
    except (UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise ParamsError(f"{path}: no stages that can be read. Restore it with `git restore {path}`.") from None
