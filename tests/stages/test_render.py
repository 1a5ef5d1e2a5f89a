"""The stage `render`, as DVC runs it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = {
    "render.num_expression_subjects": 1,
    "render.num_frames": 4,
    "render.num_verification_people": 20,
    "render.num_pairs_per_block": 1,
    "render.num_identity_people": 2,
    "render.num_photos_per_person": 2,
}


@pytest.fixture
def run_stage(python) -> Callable[[Path, Path], subprocess.CompletedProcess]:
    return lambda out, params: python("stages/render.py", "--out", out, "--params", params)


def test_render_writes_the_three_sets_quietly(run_stage, write_params: Callable[..., Path], tmp_path: Path):
    out = tmp_path / "rendered"
    result = run_stage(out, write_params(SMALL))
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["identities", "lfw", "oulu_casia"]
    assert len(list(out.glob("oulu_casia/VL/Strong/P001/*/*.jpeg"))) == 6 * 4
    assert len(list(out.glob("identities/*/*.jpg"))) == 2 * 2
    assert (out / "lfw/pairs.txt").read_text().startswith("10\t1\n")
    assert result.stdout + result.stderr == ""  # no progress bar where there is no terminal


def test_render_replaces_what_an_earlier_run_left(run_stage, write_params: Callable[..., Path], tmp_path: Path):
    stale = tmp_path / "rendered/identities/9999999/001.jpg"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"stale")
    assert run_stage(tmp_path / "rendered", write_params(SMALL)).returncode == 0
    assert not stale.exists()


def test_a_misspelt_key_of_a_later_stage_stops_the_first_with_one_message(
    run_stage, write_params: Callable[..., Path], tmp_path: Path
):
    result = run_stage(tmp_path / "rendered", write_params({**SMALL, "train.weighting.normalise_logits": True}))
    assert result.returncode == 1
    assert "train.weighting.normalise_logits: unknown key. Did you mean normalize_logits?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "rendered").exists()


def test_too_few_verification_people_stop_the_stage_before_it_draws(
    run_stage, write_params: Callable[..., Path], tmp_path: Path
):
    result = run_stage(tmp_path / "rendered", write_params({**SMALL, "render.num_verification_people": 8}))
    assert result.returncode == 1
    assert "render.num_verification_people" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "rendered").exists()
