import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from dwmtl.set_facts import read_set_facts

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = {
    "render.num_expression_subjects": 2,
    "render.num_frames": 4,
    "render.num_verification_people": 20,
    "render.num_pairs_per_block": 1,
    "render.num_identity_people": 2,
    "render.num_photos_per_person": 2,
}


@pytest.fixture(scope="session")
def run_stage(python) -> Callable[..., subprocess.CompletedProcess]:
    return lambda name, *options: python(f"stages/{name}.py", *options)


@pytest.fixture(scope="module")
def rendered(run_stage, tmp_path_factory) -> Path:
    """The three sets, in small."""
    import yaml

    folder = tmp_path_factory.mktemp("rendered")
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    values["render"] |= {key.split(".")[1]: value for key, value in SMALL.items()}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    done = run_stage("render", "--out", folder / "sets", "--params", folder / "params.yaml")
    assert done.returncode == 0, done.stderr
    return folder / "sets"


def params_for(write_params, rendered: Path) -> Path:
    return write_params(
        {
            **SMALL,
            "sets.expression.folder": rendered / "oulu_casia",
            "sets.verification.folder": rendered / "lfw",
            "sets.identity.folder": rendered / "identities",
        }
    )


@pytest.mark.parametrize("role", ["expression", "verification", "identity"])
def test_photos_become_a_manifest_and_crops(run_stage, rendered, write_params, tmp_path, role):
    params = params_for(write_params, rendered)
    assert run_stage("index", "--set", role, "--out", tmp_path / "index", "--params", params).returncode == 0
    assert (tmp_path / "index" / "pairs.csv").exists() == (role == "verification")
    facts = read_set_facts(tmp_path / "index")
    assert facts.is_drawn
    assert facts.terms.startswith("Drawn by this project")
    paths = ("--index", tmp_path / "index", "--out", tmp_path / "aligned", "--work", tmp_path / "work")
    done = run_stage("align", "--set", role, *paths, "--params", params)
    assert done.returncode == 0, done.stderr
    crops = pd.read_csv(tmp_path / "aligned" / "crops.csv")
    assert (crops["status"] == "aligned").mean() >= 0.9
    assert all((tmp_path / "aligned" / crop).is_file() for crop in crops["crop"])


def damage(rendered: Path, folder: Path, photo: str) -> None:
    """A copy of a set with one photo cut off."""
    import shutil

    shutil.copytree(rendered, folder)
    (folder / photo).write_bytes((folder / photo).read_bytes()[:500])


@pytest.fixture
def index_and_align(run_stage) -> Callable[[str, Path, Path], subprocess.CompletedProcess]:
    def run(role: str, params: Path, folder: Path) -> subprocess.CompletedProcess:
        run_stage("index", "--set", role, "--out", folder / "index", "--params", params)
        paths = ("--index", folder / "index", "--out", folder / "out", "--work", folder / "work")
        return run_stage("align", "--set", role, *paths, "--params", params)

    return run


def test_an_unreadable_photo_of_the_identity_set_is_counted(index_and_align, rendered, write_params, tmp_path):
    damage(rendered / "identities", tmp_path / "set", "0000001/002.jpg")
    done = index_and_align("identity", write_params({"sets.identity.folder": tmp_path / "set"}), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 unreadable of 4 photos" in done.stderr
    assert "0000001/002.jpg,unreadable," in (tmp_path / "out" / "failures.csv").read_text()


def test_an_unreadable_photo_of_an_evaluated_set_stops_the_stage_and_is_named(
    index_and_align, rendered, write_params, tmp_path
):
    damage(rendered / "oulu_casia", tmp_path / "set", "VL/Strong/P002/Fear/000.jpeg")
    done = index_and_align("expression", write_params({"sets.expression.folder": tmp_path / "set"}), tmp_path)
    assert done.returncode == 1
    assert "P002/Fear/000.jpeg: not a whole picture" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert "P002/Fear/000.jpeg,unreadable" in (tmp_path / "out.failures.csv").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_one_message(index_and_align, rendered, write_params, tmp_path):
    params = write_params({"sets.identity.folder": rendered / "identities", "compute.accelerator": "cuda"})
    done = index_and_align("identity", params, tmp_path)
    assert done.returncode == 1
    assert "compute.accelerator is cuda, and torch sees 0 CUDA devices. Use auto or cpu." in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_set_is_refused(run_stage, tmp_path):
    done = run_stage("index", "--set", "expressions", "--out", tmp_path)
    assert done.returncode == 1
    assert "params.yaml has no set expressions; it has expression, verification, identity" in done.stderr
