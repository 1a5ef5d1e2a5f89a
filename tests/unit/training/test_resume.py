"""Trainings in processes of their own: killed, stopped, gone on with, and shared by two processes."""

import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

SCRIPT = Path(__file__).with_name("train_small.py")
NUM_STEPS = 9


def start(folder: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, str(SCRIPT), str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(folder: Path, *options: str, after: int | None = None) -> list[str]:
    """Train to the end, going on after a step where one is given, else from the start; the lines of its steps."""
    process = start(folder, *options)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    gone_on = re.findall(r"resuming from .* after step (\d+)", error)
    assert bool(gone_on) == (after is not None), error
    assert all(int(step) >= after - 1 for step in gone_on)  # killed while it saved: the state before
    return [line for line in out.splitlines() if line.startswith("step")]


def stop_after(folder: Path, step: int, number: signal.Signals, *options: str) -> subprocess.Popen:
    """Send a signal when the step's line has come."""
    process = start(folder, *options)
    for line in process.stdout:
        if line.strip() == f"step {step}":
            break
    process.send_signal(number)
    process.out, process.error = process.communicate(timeout=120)
    return process


def same(first: Path, second: Path) -> None:
    for name in ("trajectory.csv", "validation.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    ours, theirs = (torch.load(folder / "weights.pt", weights_only=True) for folder in (first, second))
    for kind in ("last", "averaged", "best"):
        for name, value in ours[kind].items():
            assert torch.equal(value, theirs[kind][name]), (kind, name)


@pytest.fixture(scope="module")
def whole(module_path) -> Path:
    """A training that nothing interrupts, without its checkpoints, of half a gigabyte."""
    folder = module_path / "whole"
    assert finish(folder) == [f"step {number}" for number in range(NUM_STEPS)]
    shutil.rmtree(folder / "checkpoints")
    return folder


@pytest.mark.slow
def test_a_training_killed_at_five_random_points_ends_with_the_same_bytes(whole, tmp_path):
    folder = tmp_path / "killed"
    for step in sorted(random.Random(0).sample(range(NUM_STEPS - 1), 5)):
        assert stop_after(folder, step, signal.SIGKILL).returncode == -signal.SIGKILL
        assert not (folder / "weights.pt").exists()
    finish(folder, after=step)
    same(whole, folder)


@pytest.mark.slow
def test_sigterm_saves_says_so_and_the_next_run_goes_on(whole, tmp_path):
    folder = tmp_path / "stopped"
    stopped = stop_after(folder, 3, signal.SIGTERM)
    assert stopped.returncode == 1
    assert "the training is saved in" in stopped.error
    saved = torch.load(folder / "checkpoints" / "checkpoint.pt", weights_only=True)["state"]
    assert 4 <= len(saved["rows"]) < NUM_STEPS
    finish(folder, after=3)
    same(whole, folder)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [["checkpoint.pt"], ["checkpoint.pt", "checkpoint.previous.pt"]])
def test_a_flipped_bit_costs_steps_and_changes_no_byte(whole, damaged, tmp_path):
    """From the state before, or from the beginning."""
    folder = tmp_path / "flipped"
    stop_after(folder, 5, signal.SIGTERM)
    for name in damaged:
        path = folder / "checkpoints" / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x20
        path.write_bytes(data)
    process = start(folder)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert error.count("is damaged (its SHA-256 differs); going back to the state before it.") == len(damaged)
    assert ("resuming from" in error) == (len(damaged) == 1)
    same(whole, folder)


PLAIN = ("--dropout", "0", "--optimizer", "sgd", "--learning-rate", "1e-5")
"""Dropout is drawn a process, and large steps make much of a rounding."""


@pytest.fixture(scope="module")
def one(module_path) -> Path:
    """One process with the whole batch: its last checkpoint alone."""
    folder = module_path / "one"
    finish(folder, *PLAIN)
    for path in (folder / "weights.pt", folder / "checkpoints/checkpoint.previous.pt"):
        path.unlink()
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


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_whole_batch(one, tmp_path):
    two = tmp_path / "two"
    finish(two, *PLAIN, "--devices", "2")
    alike(one, two)


@pytest.mark.slow
def test_two_processes_go_on_from_what_one_saved(one, tmp_path):
    folder = tmp_path / "one_then_two"
    assert stop_after(folder, 4, signal.SIGTERM, *PLAIN).returncode == 1
    finish(folder, *PLAIN, "--devices", "2", after=4)
    alike(one, folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_two_processes_end_together_by_a_signal_to_the_first_and_go_on(one, number, tmp_path):
    folder = tmp_path / "two"
    stopped = stop_after(folder, 4, number, *PLAIN, "--devices", "2")  # waits for both: they share the pipe
    assert stopped.returncode == (1 if number == signal.SIGTERM else -signal.SIGKILL)
    assert ("the training is saved in" in stopped.error) == (number == signal.SIGTERM)
    finish(folder, *PLAIN, after=4)
    alike(one, folder)
