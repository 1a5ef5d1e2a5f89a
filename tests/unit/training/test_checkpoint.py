import hashlib
import logging
import os
import signal

import pytest
import torch

from dwmtl.training.checkpoint import Checkpoint, StopSignal, forget, training_key


def test_what_was_saved_is_found_again(tmp_path):
    Checkpoint(tmp_path, key="a", interval_s=0).save({"rows": [{"step": 0}], "weights": torch.ones(2)})
    found = Checkpoint(tmp_path, key="a", interval_s=0).load()
    assert found["rows"] == [{"step": 0}]
    assert torch.equal(found["weights"], torch.ones(2))


def test_another_trainings_state_is_left_and_said(tmp_path, caplog):
    Checkpoint(tmp_path, key="a", interval_s=0).save({})
    with caplog.at_level(logging.WARNING):
        assert Checkpoint(tmp_path, key="b", interval_s=0).load() is None
    assert "was written for other parameters" in caplog.text


def saved_twice(folder) -> Checkpoint:
    checkpoint = Checkpoint(folder, key="a", interval_s=0)
    for value in (1, 2):
        checkpoint.save({"weights": torch.full((1000,), float(value))})
    return checkpoint


def flip_a_bit(path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x20
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_a_flipped_bit_is_noticed_and_the_state_before_is_taken(tmp_path, caplog, place):
    """In the weights, the file's directory, or the digest itself; torch compares no checksum."""
    checkpoint = saved_twice(tmp_path)
    flip_a_bit(tmp_path / "checkpoint.pt", place)
    assert checkpoint.load()["weights"].tolist() == [1.0] * 1000
    assert "checkpoint.pt is damaged (its SHA-256 differs); going back to the state before it." in caplog.text


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_file_that_is_cut_or_another_is_damaged(tmp_path, damage):
    checkpoint = saved_twice(tmp_path)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:500] if damage is None else damage)
    assert checkpoint.load()["weights"].tolist() == [1.0] * 1000


def test_where_both_states_are_damaged_the_training_starts_over(tmp_path, caplog):
    checkpoint = saved_twice(tmp_path)
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        flip_a_bit(tmp_path / name, 0.5)
    assert checkpoint.load() is None
    assert caplog.text.count("is damaged") == 2


def test_a_process_killed_between_two_files_finds_the_state_before(tmp_path):
    checkpoint = saved_twice(tmp_path)
    (tmp_path / "checkpoint.pt").unlink()
    (tmp_path / ".checkpoint.pt.partial").write_bytes(b"half")
    assert checkpoint.load()["weights"].tolist() == [1.0] * 1000


def test_a_process_killed_while_it_replaces_a_damaged_state_leaves_the_one_before(tmp_path):
    class Killed:
        def __reduce__(self):
            raise KeyboardInterrupt

    checkpoint = saved_twice(tmp_path)
    flip_a_bit(tmp_path / "checkpoint.pt", 0.5)
    checkpoint.load()
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"weights": Killed()})
    assert checkpoint.load()["weights"].tolist() == [1.0] * 1000


def test_the_state_that_replaced_a_damaged_one_is_kept_as_any_other(tmp_path):
    checkpoint = saved_twice(tmp_path)
    flip_a_bit(tmp_path / "checkpoint.pt", 0.5)
    checkpoint.load()
    for value in (3, 4):
        checkpoint.save({"weights": torch.full((1000,), float(value))})
    assert checkpoint.load()["weights"].tolist() == [4.0] * 1000
    flip_a_bit(tmp_path / "checkpoint.pt", 0.5)
    assert checkpoint.load()["weights"].tolist() == [3.0] * 1000


def test_a_pickle_that_would_run_something_is_not_loaded(tmp_path):
    class Bad:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"key": "a", "state": Bad()}, tmp_path / "checkpoint.pt")
    data = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(data + hashlib.sha256(data).digest())
    assert Checkpoint(tmp_path, key="a", interval_s=0).load() is None
    assert not (tmp_path / "ran").exists()


def test_without_a_folder_nothing_is_saved_or_found():
    checkpoint = Checkpoint(None, key="a", interval_s=0)
    checkpoint.save({})
    assert not checkpoint.is_due
    assert checkpoint.load() is None


def test_it_is_due_when_the_interval_has_passed(tmp_path):
    assert Checkpoint(tmp_path, key="a", interval_s=0).is_due
    assert not Checkpoint(tmp_path, key="a", interval_s=3600).is_due


def test_a_finished_training_is_forgotten(tmp_path):
    Checkpoint(tmp_path, key="a", interval_s=0).save({})
    forget(tmp_path)
    assert not list(tmp_path.iterdir())
    forget(tmp_path / "never_was")


def test_the_key_depends_on_facts_and_on_every_tensor():
    tensors = {"weight": torch.zeros(3), "scalar": torch.tensor(1.0)}
    key = training_key({"seed": 0}, tensors, [])
    assert key == training_key({"seed": 0}, {name: value.clone() for name, value in tensors.items()}, [])
    assert key != training_key({"seed": 1}, tensors, [])
    assert key != training_key({"seed": 0}, {**tensors, "scalar": torch.tensor(2.0)}, [])


@pytest.mark.parametrize("inside", ["", "/person/crop.png"], ids=["file", "in an archive"])
def test_the_key_depends_on_the_samples_files(tmp_path, inside):
    path = tmp_path / "crops"
    path.write_bytes(b"one")
    keys = [training_key({}, {}, [f"{path}{inside}"])]
    path.write_bytes(b"other")
    keys += [training_key({}, {}, [f"{path}{inside}"]), training_key({}, {}, [])]
    assert len(set(keys)) == 3


def test_the_key_does_not_depend_on_the_time_of_a_file(tmp_path):
    """Every copy that DVC makes for an experiment has other times."""
    path = tmp_path / "crop.png"
    path.write_bytes(b"one")
    key = training_key({}, {}, [str(path)])
    os.utime(path, (0, 0))
    assert training_key({}, {}, [str(path)]) == key


def test_a_signal_is_noted_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal(is_heeded=True) as stop:
        assert stop.name is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.name == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before
