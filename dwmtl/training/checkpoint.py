"""A training's state on disk, from which an interrupted training is resumed. Does not know what the state holds.

The last two states per training, outside DVC's outputs and each written whole: a process killed while writing leaves
those before. Each ends in a digest, by which a damaged one is noticed: the state before it is taken.
Only the training that wrote it reads it back, recognised by a digest of samples, settings, initial weights, the
code of `CODE` and torch's version. The number of processes may differ.
"""

import functools
import hashlib
import json
import logging
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dwmtl.files import partial_of, whole_file
from dwmtl.network.model_file import file_sha256
from dwmtl.stage import code_sha256
from dwmtl.training.distribution import process_number

log = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.pt"
PREVIOUS_FILE = "checkpoint.previous.pt"
"""The one before, for the case that the disk returns other bytes than were written."""

NON_FINITE_FILE = "non_finite.pt"
CODE = ("crops", "network", "protocol", "training", "weighting", "files.py", "tables.py")
"""Parts of `dwmtl` that can change a training: those that the stage `train` depends on (a test compares)."""


class Checkpoint:
    """The saved state of one training.

    Args:
        folder: where the file is; None: nothing is saved and nothing is loaded.
        key: digest of the training, see `training_key`.
        interval_s: seconds from one to the next; 0: after every step.
    """

    def __init__(self, folder: Path | None, *, key: str, interval_s: float):
        self.folder = None if folder is None else Path(folder)
        self._key = key
        self._interval_s = interval_s
        self._last_s = time.monotonic()
        self._is_last_whole = True

    @property
    def is_due(self) -> bool:
        """Whether the interval has passed."""
        return self.folder is not None and time.monotonic() - self._last_s >= self._interval_s

    def save(self, state: dict[str, object]) -> None:
        """Save a state: tensors, numbers, text, and lists and dicts of them. The whole one before is kept, no other.

        Every process calls it; the first one writes.
        """
        if self.folder is not None and process_number() == 0:
            path = self.folder / CHECKPOINT_FILE
            if path.exists() and self._is_last_whole:  # a damaged one must not replace the one before it
                os.replace(path, self.folder / PREVIOUS_FILE)
            _write(path, {"key": self._key, "state": state})
            self._is_last_whole = True
            self._last_s = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The last saved state that is whole; None where there is none or, with a warning, where another training saved
        it. A damaged file is a warning."""
        if self.folder is None:
            return None
        for path in (self.folder / CHECKPOINT_FILE, self.folder / PREVIOUS_FILE):
            saved = _read(path)
            if saved is None:
                self._is_last_whole &= path.name != CHECKPOINT_FILE
                continue
            if saved["key"] != self._key:
                log.warning("%s was written for other parameters, data or code; starting over.", path)
                return None
            return saved["state"]
        return None

    def save_non_finite(self, state: dict[str, object]) -> Path | None:
        """Save the state and the batch of a step whose loss or gradient is not finite, for inspection; as `save`."""
        if self.folder is None or process_number() > 0:
            return None
        _write(self.folder / NON_FINITE_FILE, state)
        return self.folder / NON_FINITE_FILE


def forget(folder: Path) -> None:
    """Delete a training's saved states, once its outputs are written."""
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE, NON_FINITE_FILE):
        path = Path(folder) / name
        for file in (path, partial_of(path)):
            file.unlink(missing_ok=True)


def training_key(facts: object, tensors: Mapping[str, Tensor], files: Iterable[str]) -> str:
    """Digest of all that decides a training's result, hexadecimal.

    Args:
        facts: settings, as JSON holds them.
        tensors: labels and initial weights.
        files: of the samples, in their order. Their contents are read, as their times differ in every copy that DVC
            makes for an experiment.
    """
    made_by = [facts, torch.__version__, code_sha256(CODE)]
    whole = hashlib.sha256(json.dumps(made_by, sort_keys=True, default=str).encode())
    digest = functools.cache(lambda path: file_sha256(path) if path.is_file() else "")
    for file in files:
        whole.update(f"{file}\n{digest(_stored_in(file))}\n".encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(name.encode())
        whole.update(tensor.detach().cpu().contiguous().numpy().data)
    return whole.hexdigest()


class StopSignal:
    """While entered, SIGTERM and SIGINT (a cluster's notice, Ctrl-C) set `name` and do nothing else."""

    def __init__(self, *, is_heeded: bool):
        self._is_heeded = is_heeded and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}
        self.name: str | None = None

    def __enter__(self) -> "StopSignal":
        if self._is_heeded:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: object) -> None:
        self.name = signal.Signals(number).name


def _stored_in(file: str) -> Path:
    """A file, or the archive that it is in; the last folder above where there is neither."""
    path = Path(file)
    while not path.is_file() and path != path.parent:
        path = path.parent
    return path


def _write(path: Path, value: object) -> None:
    """Write a file of torch's, and behind it the digest of its bytes, which torch passes over."""
    with whole_file(path) as file:
        torch.save(value, file)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # BinaryIO lacks readinto
        file.write(digest)


def _read(path: Path) -> dict[str, Any] | None:
    """What `_write` wrote; None where there is no file or, with a warning, where its bytes are others."""
    if not path.exists():
        return None
    try:
        return _checked(path)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        log.warning("%s is damaged (%s); going back to the state before it.", path, reason)
        return None


def _checked(path: Path) -> dict[str, Any]:
    """Raises:
    ValueError: the digest is another.
    """
    whole = hashlib.sha256()
    with path.open("rb") as file:
        left = path.stat().st_size - whole.digest_size
        while left > 0:
            part = file.read(min(left, 2**20))
            whole.update(part)
            left -= len(part)
        if file.read() != whole.digest():
            raise ValueError("its SHA-256 differs")
    return torch.load(path, map_location="cpu", weights_only=True)
