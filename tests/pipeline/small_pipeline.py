"""The pipeline in small: params that take seconds, and a copy of the repository that is driven by commands; and DVC."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = {
    "folds": [0],
    "render.num_expression_subjects": 6,
    "render.num_frames": 4,
    "render.num_verification_people": 20,
    "render.num_pairs_per_block": 1,
    "render.num_identity_people": 3,
    "render.num_photos_per_person": 3,
    "align.crop_px": 80,
    "network.trunk": "timm:test_resnet",  # of 370,000 parameters
    "labels.num_folds": 2,
    "pretrain.num_epochs": 1,
    "pretrain.batch_size": 4,
    "train.num_epochs": 1,
}


def small(params: str, more: dict[str, object] | None = None) -> str:
    """The text of a params.yaml with the values of SMALL, and more."""
    return with_values(params, SMALL | (more or {}))


def with_values(params: str, changes: dict[str, object]) -> str:
    """The text of a params.yaml with some values changed, each named by its dotted key."""
    values = yaml.safe_load(params)
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = values
        for name in sections:
            section = section[name]
        section[key] = value
    return yaml.safe_dump(values)


def environment(*programs: Path) -> dict[str, str]:
    """As after `source .venv/bin/activate`, with folders of programs that come before those of `.venv`."""
    values = os.environ | {
        "PATH": os.pathsep.join([*map(str, programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    values.pop("MLFLOW_TRACKING_URI", None)
    return values


def dvc(*arguments: str, folder: Path) -> str:
    """What `dvc ARGUMENTS` prints in a folder."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for(address: str, server: subprocess.Popen) -> None:
    """Until a server answers, with whatever status."""
    for _ in range(600):
        assert server.poll() is None, server.args
        try:
            return urllib.request.urlopen(address).close()
        except urllib.error.HTTPError as answer:
            return answer.close()
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{server.args} never answered")


def recipe(verb: str) -> str:
    """What a verb of the Makefile runs after the install, without the path of its `.venv`."""
    told = subprocess.run(
        ["make", "--dry-run", "--old-file=.venv/installed", "--no-print-directory", verb],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip().splitlines()[-1].split(".venv/bin/")[-1]


class Project:
    """A copy of the repository with the small params, driven from outside like a user does.

    Args:
        git_root: the git repository that the folder is in; by default the folder.
        programs: folders of programs that come before those of `.venv`.
    """

    def __init__(self, folder: Path, *, git_root: Path | None = None, programs: tuple[Path, ...] = ()):
        self.folder, self.environment = folder, environment(*programs)
        for name in (
            ".gitignore",
            ".dvcignore",
            "dvc.yaml",
            "dwmtl",
            "stages",
            "data/.gitignore",
            "metrics/.gitignore",
        ):
            source, target = REPOSITORY / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, target)
        (folder / "params.yaml").write_text(small((REPOSITORY / "params.yaml").read_text()))
        self.run("git", "init", "--quiet", str(git_root or folder))
        self.run("dvc", "init", "--quiet", *(["--subdir"] if git_root else []))

    def run(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout + done.stderr

    def reproduce(self, *options: str) -> list[str]:
        """`dvc repro`; the stages that ran."""
        lines = self.run("dvc", "repro", *options).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def commit(self, message: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        self.run("git", "add", "--all")
        self.run("git", *identity, "commit", "--quiet", "--message", message)

    def follow(self, line: str) -> str:
        """Do what a line of a page says, as far as it can be done without an install."""
        command = shlex.split(line, comments=True)
        if line.startswith(("source ", "export ")):  # done by `run`
            return ""
        if command[0] == "make":
            command = shlex.split(recipe(command[1]))
        if "ui" in command or "demo" in command:
            return self.serve(command)
        return self.run(*command, codes=(0, 3) if "3 = different" in line else (0,))

    def wait_for_queue(self) -> None:
        """Until every queued experiment has ended, each of them successfully."""
        for _ in range(300):
            states = re.findall(r"(Queued|Running|Failed)$", self.run("dvc", "queue", "status"), flags=re.MULTILINE)
            assert "Failed" not in states
            if not states:
                return
            time.sleep(1)
        pytest.fail("the queued experiments never end")

    def serve(self, command: list[str]) -> str:
        """The first page of a server."""
        with self.served(command) as address, urllib.request.urlopen(address) as response:
            return response.read().decode()

    @contextlib.contextmanager
    def served(self, command: list[str]) -> Iterator[str]:
        """Run a server on a free port; its address, once it answers."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        command = [*command, "--port", port]  # of an option given twice the last holds
        if command[0] == "mlflow":
            command += ["--workers", "1"]
        with subprocess.Popen(command, cwd=self.folder, env=self.environment, start_new_session=True) as server:
            try:
                wait_for(f"http://127.0.0.1:{port}", server)
                yield f"http://127.0.0.1:{port}"
            finally:
                os.killpg(server.pid, signal.SIGTERM)

    def set_params(self, changes: dict[str, object]) -> None:
        """Change values of its params.yaml, each named by its dotted key."""
        path = self.folder / "params.yaml"
        path.write_text(with_values(path.read_text(), changes))
