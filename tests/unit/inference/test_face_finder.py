"""One detector for threads, forks and copies of a model."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def test_threads_get_the_answers_of_one_alone(known, model, two_faces, assert_same_answer):
    photos = [known.photo(name, person) for name in ("neutral", "happiness") for person in ("P001", "P002")]
    photos = [*photos, two_faces] * 3
    expected = [model.analyze(photo) for photo in photos]
    with ThreadPoolExecutor(max_workers=5) as pool:
        for answer, alone in zip(pool.map(model.analyze, photos), expected, strict=True):
            assert_same_answer(answer, alone)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_answers_as_the_model_does(known, model, copied):
    photo = known.photo("happiness")
    (face,), (expected,) = copied(model).analyze(photo).faces, model.analyze(photo).faces
    assert (face.box, face.probabilities) == (expected.box, expected.probabilities)
    np.testing.assert_array_equal(face.embedding, expected.embedding)


IN_CHILDREN = """
import multiprocessing, sys, threading, torch
from dwmtl.inference import face_finder
from dwmtl.inference.model import load_model

def ask(model, photo, answers):
    answers.put((model.analyze(photo).num_faces, torch.get_num_threads()))

if __name__ == "__main__":
    torch.set_num_threads(2)
    model = load_model(sys.argv[1], device="cpu")
    model.analyze(sys.argv[2])  # torch's threads are there now
    with face_finder._turn:  # as if another thread were finding faces
        for way in ("fork", "spawn"):
            context = multiprocessing.get_context(way)
            answers = context.Queue()
            child = context.Process(target=ask, args=(model, sys.argv[2], answers), daemon=True)
            child.start()
            print(way, *answers.get(timeout=100))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_model_used_before_a_fork_answers_in_the_child(known, tmp_path):
    """gunicorn --preload, and multiprocessing's default of old."""
    (tmp_path / "ask.py").write_text(IN_CHILDREN)
    command = [sys.executable, tmp_path / "ask.py", known.model, known.photo("neutral")]
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.stdout.splitlines()[0] == "fork 1 1", done.stderr
    assert done.stdout.splitlines()[1].startswith("spawn 1 "), done.stderr
