"""Where the checkout is: the working directory, unless that is a copy which DVC made for an experiment.

`dvc exp run --queue` and `--temp` run the stages in a copy without the files that git ignores, and then remove it. What
outlives an experiment belongs to the checkout: MLflow's database, checkpoints. Knows DVC's folders, and no stage.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

STATE = Path(".dwmtl")
"""Folder of what an interrupted stage resumes from, and of the locks of running stages."""

_TEMPORARY = Path(".dvc/tmp")
_COPIES = (_TEMPORARY / "exps", _TEMPORARY / "exps/standalone")
"""Folders of the copies, `tmp...`: of queued experiments, of `--temp`."""


def checkout() -> Path:
    """The root of the checkout: the working directory, or what DVC copied it from."""
    here = Path.cwd()
    for folder in here.parents:
        if folder.parts[-3:] == _COPIES[0].parts:
            return folder.parents[2]
    return here


def is_copy() -> bool:
    """Whether the working directory is in a copy."""
    return checkout() != Path.cwd()


def keep_state(params: Path = Path("params.yaml")) -> None:
    """In a copy, have `.dwmtl` lead to a folder in the checkout's `.dwmtl`, one for each content of params.yaml.

    An experiment that is queued again resumes there. Of two at once neither replaces the other's checkpoints; the
    second one with the same params waits for the first.
    """
    if not is_copy() or STATE.is_symlink():
        return
    digest = hashlib.sha256(params.read_bytes()).hexdigest()[:16]
    kept = checkout() / STATE / "experiments" / digest
    kept.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # another process of the same training
        STATE.symlink_to(kept, target_is_directory=True)


def link_outside(folder: str) -> None:
    """Have a relative folder outside the checkout, such as `../photos/yale`, be found from the copies.

    Links the first folder outside (`../photos`) at its place seen from a copy, below .dvc/tmp. A folder that is not
    outside, or four and more levels up, gets no link.
    """
    root, parts = Path.cwd(), Path(os.path.normpath(folder)).parts
    num_ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    if is_copy() or num_ups in (0, len(parts)) or not (root / ".dvc").is_dir():
        return
    outside = Path(*parts[: num_ups + 1])
    for copies in _COPIES:
        copy = root / copies / "<copy>"
        place = Path(os.path.normpath(copy / root.relative_to(_repository(root)) / outside))
        if place.is_relative_to(root / _TEMPORARY) and not place.is_relative_to(copy) and not place.exists():
            place.unlink(missing_ok=True)  # a link that leads nowhere
            place.parent.mkdir(parents=True, exist_ok=True)
            target = os.path.relpath(root / outside, place.parent)  # still right where the checkout is moved
            place.symlink_to(target, target_is_directory=True)


def _repository(folder: Path) -> Path:
    """The root of the git repository that a folder is in, which is what DVC copies; without git the folder."""
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)
