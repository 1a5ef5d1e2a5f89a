"""`dwmtl check`: what would stop the pipeline is told before DVC removes an output."""

import os
import shutil
from pathlib import Path

import pytest

from dwmtl.cli.check import check
from dwmtl.errors import DataSetError, ParamsError

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(write_params, tmp_path):
    """Writes params.yaml with changes beside a dvc.yaml; returns the folder."""

    def write(changes: dict[str, object]) -> Path:
        shutil.copy(REPOSITORY / "dvc.yaml", tmp_path)
        return write_params(changes).parent

    return write


def test_folders_that_the_pipeline_creates_need_not_exist(project, capsys):
    check(project({}))
    assert capsys.readouterr().out == "no error in params.yaml and the folders of its 3 sets\n"


def test_a_typo_is_an_error(project):
    with pytest.raises(ParamsError, match=r"train\.sead: unknown key\. Did you mean seed\?"):
        check(project({"train.sead": 1}))


@pytest.mark.parametrize(
    "damaged", ["", "- a", "stages: [render]", "stages:\n<<<<<<< HEAD\n", b"stages: \xff", "vars: {}"]
)
def test_a_damaged_dvc_yaml_is_an_error_that_names_it(project, damaged):
    folder = project({})
    (folder / "dvc.yaml").write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.raises(ParamsError, match=r"dvc\.yaml: (no stages that can be read\. Restore it|not YAML)"):
        check(folder)


def test_a_pipeline_without_drawn_faces_needs_the_sets_folders(project):
    folder = project({})
    (folder / "dvc.yaml").write_text("stages: {index: {cmd: python stages/index.py}}")
    with pytest.raises(DataSetError, match=r"no such folder\. Set sets\.expression\.folder"):
        check(folder)


def test_every_set_with_a_wrong_folder_or_adapter_is_named(project):
    folder = project({"sets.expression.folder": "../gone", "sets.verification.adapter": "lwf"})
    with pytest.raises(DataSetError) as error:
        check(folder)
    first, second = str(error.value).splitlines()
    assert first == "../gone: no such folder. Set sets.expression.folder in params.yaml to the set's folder."
    assert second.startswith("sets.verification.adapter must be one of affect_net, ")


def test_folders_are_relative_to_the_checkout_and_get_a_link_for_dvcs_copies(project, tmp_path):
    (tmp_path / ".dvc").mkdir()
    photos = tmp_path.parent / "photos of this test"
    photos.mkdir()
    before = os.getcwd()
    check(project({"sets.expression.folder": f"../{photos.name}"}))
    assert os.getcwd() == before
    assert (tmp_path / ".dvc/tmp/exps" / photos.name).samefile(photos)
