"""Fixtures every folder of tests uses."""

import contextlib
import functools
import gc
import logging
import os
import random
import runpy
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import dwmtl  # noqa: F401 - OpenMP's threads wait passively, once torch is loaded

REPOSITORY = Path(__file__).resolve().parent.parent
FORKING_PYTHON = Path(__file__).with_name("forking_python.py")
forking_python = SimpleNamespace(**runpy.run_path(str(FORKING_PYTHON)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with most slow tests come first, so that no worker ends with one while the other has nothing left."""
    num_slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -num_slow[item.path])


def pytest_collection_finish() -> None:
    """No garbage is looked for among what was imported for the tests: half a million objects, again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A test that runs a stage or a command in its own process leaves its log's level and stream to no other test."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler:  # pytest's own are of classes of its own
            root.removeHandler(handler)


@pytest.fixture(autouse=True)
def own_folder_and_server() -> Iterator[None]:
    """A test that changes the folder leaves the old one, and one in a copy of DVC's leaves the tracking server."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    with contextlib.chdir(Path()):
        yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)  # MLflow itself keeps one, as after a download
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if uri is not None:
        os.environ["MLFLOW_TRACKING_URI"] = uri


@pytest.fixture(autouse=True)
def own_random_state() -> None:
    """A test that draws without a seed draws the same values whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


class Python:
    """Runs Python programs, each in a process of its own that need not import torch, which takes seconds.

    Attributes:
        programs: folder of `python` and `dwmtl` as programs that do the same; and of `dvc`, after `fork_dvc`.
    """

    def __init__(self, folder: Path):
        self.output, self.errors = folder / "output", folder / "errors"
        self.running: int | None = None
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.address = str(folder / "python.socket")
        self.forking = [self._serve("python", self.address)]
        self._write_program("python", self.address)
        self._write_program("dwmtl", self.address, "-m", "dwmtl")

    def fork_dvc(self) -> None:
        """`dvc`, too, becomes one of the programs: one that has imported what DVC imports, and no torch."""
        if not (self.programs / "dvc").exists():
            address = str(self.programs.with_name("dvc.socket"))
            self.forking.append(self._serve("dvc", address))
            self._write_program("dvc", address, "-m", "dvc")

    def _serve(self, kind: str, address: str) -> subprocess.Popen:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(address)
            listening.listen()
            return subprocess.Popen([sys.executable, FORKING_PYTHON, kind], stdin=listening)

    def _write_program(self, name: str, *arguments: str) -> None:
        here = shlex.join([sys.executable, "-I", "-S", str(FORKING_PYTHON), *arguments])
        (self.programs / name).write_text(f'#!/bin/sh\nexec {here} "$@"\n')
        (self.programs / name).chmod(0o755)

    def start(self, *arguments: object, cwd: Path = REPOSITORY, env: Mapping[str, str] = os.environ) -> int:
        """Start `python ARGUMENTS`; its process id. What it prints is in the files `output` and `errors`."""
        self.end()
        with open(os.devnull) as none, self.output.open("w") as output, self.errors.open("w") as errors:
            streams = (none.fileno(), output.fileno(), errors.fileno())
            where = {"folder": str(cwd), "environment": env, "streams": streams}
            self.running, self.answers = forking_python.start(self.address, list(map(str, arguments)), **where)
        return self.running

    def wait(self) -> subprocess.CompletedProcess:
        """The program that was started, when it has ended."""
        with self.answers:
            status = int(self.answers.readline())
        self.running = None
        return subprocess.CompletedProcess([], status, self.output.read_text(), self.errors.read_text())

    def end(self) -> None:
        """Kill what a failed test left running."""
        if self.running is not None:
            os.kill(self.running, signal.SIGKILL)
            self.wait()

    def __call__(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        """As `subprocess.run` of `python ARGUMENTS`, from the repository's folder unless `cwd` names another."""
        self.start(*arguments, **options)
        return self.wait()


@pytest.fixture(scope="session")
def python() -> Iterator[Python]:
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, whose path may be too long for a socket's
        python = Python(Path(folder))
        yield python
        python.end()
        for forking in python.forking:
            forking.terminate()
            forking.wait()


@pytest.fixture(scope="session", name="dwmtl")
def run_dwmtl(python) -> Callable[..., subprocess.CompletedProcess]:
    """Runs `dwmtl ...`, as a user does."""
    return functools.partial(python, "-m", "dwmtl")


@pytest.fixture
def call_dwmtl(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs `dwmtl ...` in this process, which has imported torch: its exit code, what it printed, and its errors."""
    from dwmtl.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dwmtl", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return call


@pytest.fixture(scope="module")
def module_path(tmp_path_factory) -> Iterator[Path]:
    """Folder of a file's tests, removed after the last of them: those of a whole suite would be gigabytes."""
    folder = tmp_path_factory.mktemp("module")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Folder of real photographs and golden numbers: $DWMTL_TESTDATA, else `shared` beside the repository."""
    folder = Path(os.environ.get("DWMTL_TESTDATA", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        if "DWMTL_TESTDATA" in os.environ:
            pytest.fail(f"DWMTL_TESTDATA is {folder}: no such folder")
        pytest.skip(f"{folder}: no such folder; DWMTL_TESTDATA names the folder of real test data")
    return folder


@pytest.fixture(scope="session")
def unpacked_wheel(tmp_path_factory) -> Iterator[Path]:
    """Folder with the package as the wheel installs it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    subprocess.run(build, cwd=REPOSITORY, capture_output=True, check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    yield folder / "site"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def browser() -> str:
    """Chromium's program."""
    chromium = runpy.run_path(str(REPOSITORY / ".ci/chromium.py"))
    return chromium["find"]() or pytest.skip(chromium["MISSING"])


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
                section = section.setdefault(name, {})
            section[key] = str(value) if isinstance(value, Path) else value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def make_network() -> Callable[..., object]:
    """Makes a FaceNetwork with the initial weights of seed 0.

    `make_network({"identity": 4, "expression": 3}, dropout=0.0, linear_sigma=0.1)`: classes by task, then changes to
    the repository's `network` section; `heads={"expression": LinearHeadParams(...)}` changes heads, whose
    default is linear for `identity` and hidden for the others; `kinds`: of tasks that are not of classes.
    """
    import torch

    from dwmtl.network.network import FaceNetwork
    from dwmtl.network.params import HiddenHeadParams, LinearHeadParams
    from dwmtl.params import load_params

    def make(num_classes: dict[str, int], *, heads: dict | None = None, kinds: dict | None = None, **changes):
        torch.manual_seed(0)
        body = load_params(REPOSITORY / "params.yaml").network.model_copy(update=changes)
        default = {
            task: LinearHeadParams(name="linear", relu_on_logits=False)
            if task == "identity"
            else HiddenHeadParams(name="hidden", relu_on_logits=False)
            for task in num_classes
        }
        return FaceNetwork(body, default | (heads or {}), num_classes, kinds)

    return make


@pytest.fixture(scope="session")
def loss_params() -> Callable[..., dict]:
    """Loss params by task: centre loss on `identity` (factor 0.1, alpha 0.5), cross-entropy alone on the others."""
    from dwmtl.training.task_params import LossParams

    def make(*tasks: str, factor: float = 0.1) -> dict:
        return {
            task: LossParams(label_smoothing=0.0, center_factor=factor if task == "identity" else 0.0, center_alpha=0.5)
            for task in tasks
        }

    return make
