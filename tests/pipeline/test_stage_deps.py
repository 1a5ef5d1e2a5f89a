"""DVC follows no imports: every stage lists the files its script imports, and `.ci/stage_deps.py` writes the lists."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


stage_deps = SimpleNamespace(**runpy.run_path(str(REPOSITORY / ".ci" / "stage_deps.py")))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of two stages; `fit` lists too little and too much."""
    files = {
        "dwmtl/__init__.py": "",
        "dwmtl/errors.py": "",
        "dwmtl/heavy/__init__.py": "from dwmtl.errors import Error\n",
        "dwmtl/heavy/model.py": "def load():\n    from . import layers\n",
        "dwmtl/heavy/layers.py": "",
        "dwmtl/heavy/page.py": "TEMPLATE = 'templates/page.html'\n",
        "dwmtl/heavy/templates/page.html": "",
        "stages/fit.py": "import dwmtl.heavy.model\n",
        "stages/show.py": "from dwmtl.heavy import page\n",
        "dvc.yaml": """\
# The map.
stages:
  fit:
    foreach: ${folds}
    do:
      cmd: python stages/fit.py --fold ${item}
      deps:
        - data/crops # what it learns from
        - dwmtl/errors.py
        - dwmtl/gone.py
      outs: ["data/models/${item}"]
  show:
    cmd: python stages/show.py
    deps:
    - stages/show.py
    params: [report]
""",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _closure(repository: Path, script: str) -> list[str]:
    files = stage_deps.import_closure(repository / script, repository)
    return [file.relative_to(repository).as_posix() for file in files]


def test_every_stage_lists_exactly_its_import_closure():
    stages = stage_deps.stages_of(REPOSITORY / "dvc.yaml")
    wrong = [stage_deps.explain(stage) for stage in stages if not stage.is_right]
    assert not wrong, "\n\n".join(wrong)


def test_every_script_of_stages_is_run_by_a_stage():
    scripts = {file.relative_to(REPOSITORY).as_posix() for file in (REPOSITORY / "stages").glob("*.py")}
    assert scripts == {stage.script for stage in stage_deps.stages_of(REPOSITORY / "dvc.yaml")}


def test_closure_holds_imports_inside_functions_and_every_package_on_the_way(repository):
    assert _closure(repository, "stages/fit.py") == [
        "stages/fit.py",
        "dwmtl/__init__.py",
        "dwmtl/errors.py",
        "dwmtl/heavy/__init__.py",
        "dwmtl/heavy/layers.py",
        "dwmtl/heavy/model.py",
    ]


def test_what_a_module_imports_when_asked_for_a_name_is_in_no_closure(repository):
    """`from dwmtl import load_model` is for users; no stage asks so (`test_architecture`)."""
    lazy = "def __getattr__(name):\n    from dwmtl.heavy.layers import load\n    return load\n"
    (repository / "dwmtl/__init__.py").write_text(lazy)
    assert "dwmtl/heavy/layers.py" not in _closure(repository, "stages/show.py")
    assert "dwmtl/heavy/layers.py" in _closure(repository, "stages/fit.py")  # imported by heavy/model.py


def test_template_belongs_to_the_module_that_names_it(repository):
    assert "dwmtl/heavy/templates/page.html" in _closure(repository, "stages/show.py")
    assert "dwmtl/heavy/templates/page.html" not in _closure(repository, "stages/fit.py")


def test_template_that_no_module_names_is_an_error(repository):
    (repository / "dwmtl/heavy/templates/lost.html").write_text("")
    with pytest.raises(stage_deps.StageDepsError, match=r"templates/lost\.html: no module beside or above it names"):
        _closure(repository, "stages/show.py")


def test_writing_corrects_the_code_deps_and_keeps_every_other_line(repository):
    stage_deps.write_deps(repository / "dvc.yaml")
    assert (
        (repository / "dvc.yaml").read_text()
        == """\
# The map.
stages:
  fit:
    foreach: ${folds}
    do:
      cmd: python stages/fit.py --fold ${item}
      deps:
        - stages/fit.py
        - dwmtl/__init__.py
        - dwmtl/errors.py
        - dwmtl/heavy/__init__.py
        - dwmtl/heavy/layers.py
        - dwmtl/heavy/model.py
        - data/crops # what it learns from
      outs: ["data/models/${item}"]
  show:
    cmd: python stages/show.py
    deps:
    - stages/show.py
    - dwmtl/__init__.py
    - dwmtl/errors.py
    - dwmtl/heavy/__init__.py
    - dwmtl/heavy/page.py
    - dwmtl/heavy/templates/page.html
    params: [report]
"""
    )


def test_message_names_what_is_missing_what_is_not_imported_and_the_list_to_paste(repository):
    message = stage_deps.explain(stage_deps.stages_of(repository / "dvc.yaml")[0])
    assert "stage fit: the code deps are not the import closure of stages/fit.py" in message
    assert "  missing: dwmtl/heavy/model.py" in message
    assert "  not imported: dwmtl/gone.py" in message
    assert "        - dwmtl/heavy/layers.py" in message


def test_stage_that_runs_no_script_is_an_error(repository):
    (repository / "dvc.yaml").write_text("stages:\n  odd:\n    cmd: python -m dwmtl\n    deps:\n      - data\n")
    with pytest.raises(stage_deps.StageDepsError, match="stage odd must run one script of stages/"):
        stage_deps.stages_of(repository / "dvc.yaml")


def test_script_that_is_not_there_is_an_error_that_names_it(repository):
    (repository / "stages/show.py").unlink()
    with pytest.raises(stage_deps.StageDepsError, match=r"stage show runs stages/show\.py, and there is no such file"):
        stage_deps.stages_of(repository / "dvc.yaml")
