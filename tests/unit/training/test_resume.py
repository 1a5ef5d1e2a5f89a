"""Trainings in processes of their own: killed, stopped, gone on with, and shared by two processes."""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

SCRIPT = Path(__file__).with_name("train_small.py")
NUM_STEPS = 9


@pytest.fixture(scope="module")
def finish(python) -> Callable[..., list[str]]:
    """Trains to the end, going on after a step where one is given, else from the start; the lines of its steps."""

    def finish(folder: Path, *options: str, after: int | None = None) -> list[str]:
        done = python(SCRIPT, folder, *options, "--python", python.programs / "python")
        assert done.returncode == 0, done.stderr
        gone_on = re.findall(r"resuming from .* after step (\d+)", done.stderr)
        assert bool(gone_on) == (after is not None), done.stderr
        assert all(int(step) >= after - 1 for step in gone_on)  # killed while it saved: the state before
        return [line for line in done.stdout.splitlines() if line.startswith("step")]

    return finish


@pytest.fixture(scope="module")
def stop_after(python) -> Callable[..., subprocess.CompletedProcess]:
    """Sends a signal when a step's line has come; returns when every process of the training has ended."""

    def stop_after(folder: Path, step: int, number: signal.Signals, *options: str) -> subprocess.CompletedProcess:
        first = psutil.Process(python.start(SCRIPT, folder, *options, "--python", python.programs / "python"))
        while f"step {step}\n" not in python.output.read_text():
            assert first.is_running(), python.errors.read_text()
            time.sleep(0.01)
        others = first.children()
        assert len(others) == ("--devices" in options)
        first.send_signal(number)
        stopped = python.wait()
        assert psutil.wait_procs(others, timeout=120)[1] == []
        return stopped

    return stop_after


def same(first: Path, second: Path) -> None:
    for name in ("trajectory.csv", "validation.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    ours, theirs = (torch.load(folder / "weights.pt", weights_only=True) for folder in (first, second))
    for kind in ("last", "averaged", "best"):
        for name, value in ours[kind].items():
            assert torch.equal(value, theirs[kind][name]), (kind, name)


@pytest.fixture(scope="module")
def whole(finish, module_path) -> Path:
    """A training that nothing interrupts."""
    folder = module_path / "whole"
    assert finish(folder) == [f"step {number}" for number in range(NUM_STEPS)]
    return folder


@pytest.fixture(scope="module")
def sigterm(stop_after, module_path) -> tuple[Path, subprocess.CompletedProcess]:
    """A training that a SIGTERM stopped after step 5: its folder, and its process."""
    folder = module_path / "stopped"
    return folder, stop_after(folder, 5, signal.SIGTERM)


@pytest.fixture
def stopped(sigterm, module_path, tmp_path) -> Path:
    """A copy of what the stopped training left, beside the same crops."""
    return shutil.copytree(sigterm[0], module_path / tmp_path.name)


def test_a_training_killed_at_five_random_points_ends_with_the_same_bytes(whole, finish, stop_after, tmp_path):
    folder = tmp_path / "killed"
    for step in sorted(random.Random(0).sample(range(NUM_STEPS - 1), 5)):
        assert stop_after(folder, step, signal.SIGKILL).returncode == -signal.SIGKILL
        assert not (folder / "weights.pt").exists()
    finish(folder, after=step)
    same(whole, folder)


def test_sigterm_saves_says_so_and_the_next_run_goes_on(whole, sigterm, stopped, finish):
    assert sigterm[1].returncode == 1
    assert "the training is saved in" in sigterm[1].stderr
    saved = torch.load(stopped / "checkpoints" / "checkpoint.pt", weights_only=True)["state"]
    assert 6 <= len(saved["rows"]) < NUM_STEPS
    finish(stopped, after=5)
    same(whole, stopped)


@pytest.mark.parametrize("damaged", [["checkpoint.pt"], ["checkpoint.pt", "checkpoint.previous.pt"]])
def test_a_flipped_bit_costs_steps_and_changes_no_byte(whole, stopped, damaged, python):
    """From the state before, or from the beginning."""
    for name in damaged:
        path = stopped / "checkpoints" / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x20
        path.write_bytes(data)
    done = python(SCRIPT, stopped)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is damaged (its SHA-256 differs); going back to the state before it.") == len(damaged)
    assert ("resuming from" in done.stderr) == (len(damaged) == 1)
    same(whole, stopped)


PLAIN = ("--dropout", "0", "--optimizer", "sgd", "--learning-rate", "1e-5")
"""Dropout is drawn a process, and large steps make much of a rounding."""


@pytest.fixture(scope="module")
def one(finish, module_path) -> Path:
    """One process with the whole batch."""
    folder = module_path / "one"
    finish(folder, *PLAIN)
    return folder


def alike(one: Path, other: Path) -> None:
    """Losses and task weights of every step; how far network, unit and centres were moved by all of them."""
    trajectories = [pd.read_csv(folder / "trajectory.csv").dropna(axis=1) for folder in (one, other)]
    norms = [table.pop("grad_norm") for table in trajectories]  # a value at a ReLU's bend goes either way by rounding
    pd.testing.assert_series_equal(*norms, rtol=3e-2)
    pd.testing.assert_frame_equal(*trajectories, rtol=5e-3, atol=1e-4)
    states = [
        torch.load(folder / "checkpoints/checkpoint.pt", weights_only=True)["state"]["modules"]
        for folder in (one, other)
    ]
    before = torch.load(one / "initial.pt", weights_only=True)
    for part, initial in before.items():
        for name, value in initial.items():
            moved, ours = (state[part][name].double() - value.double() for state in states)
            assert (moved - ours).norm() <= 0.1 * moved.norm() + 1e-6, (part, name)


def test_two_processes_train_as_one_with_the_whole_batch(one, finish, tmp_path):
    """Their sharded head among the rest, whose weights are saved whole."""
    two = tmp_path / "two"
    finish(two, *PLAIN, "--devices", "2")
    alike(one, two)
    ours, theirs = (torch.load(folder / "weights.pt", weights_only=True) for folder in (one, two))
    for kind in ("last", "averaged", "best"):
        for name in ("heads.identity.weight", "heads.identity.bias"):
            torch.testing.assert_close(ours[kind][name], theirs[kind][name], rtol=1e-3, atol=1e-5)


def test_two_processes_go_on_from_what_one_saved(one, finish, stop_after, tmp_path):
    folder = tmp_path / "one_then_two"
    assert stop_after(folder, 4, signal.SIGTERM, *PLAIN).returncode == 1
    finish(folder, *PLAIN, "--devices", "2", after=4)
    alike(one, folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_two_processes_end_together_by_a_signal_to_the_first_and_go_on(one, finish, stop_after, number, tmp_path):
    folder = tmp_path / "two"
    stopped = stop_after(folder, 4, number, *PLAIN, "--devices", "2")
    assert stopped.returncode == (1 if number == signal.SIGTERM else -signal.SIGKILL)
    assert ("the training is saved in" in stopped.stderr) == (number == signal.SIGTERM)
    finish(folder, *PLAIN, after=4)
    alike(one, folder)
