import logging
import os
import signal

import pytest
import torch

from dwmtl.errors import ModelFileError
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


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_damaged_file_is_told_with_its_cure(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path, key="a", interval_s=0)
    checkpoint.save({"weights": torch.ones(1000)})
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:500] if damage is None else damage)
    with pytest.raises(ModelFileError, match=r"(?s)checkpoint.pt: not a whole checkpoint .* Delete it"):
        checkpoint.load()


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    class Bad:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"key": "a", "state": Bad()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelFileError, match="not a whole checkpoint"):
        Checkpoint(tmp_path, key="a", interval_s=0).load()
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


def test_a_signal_is_noted_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal(is_heeded=True) as stop:
        assert stop.name is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.name == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before
