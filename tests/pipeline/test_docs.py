"""What the pages say must be there."""

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from dwmtl.cli import app
from dwmtl.params import load_params
from dwmtl.weighting.params import WEIGHTINGS

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = get_command(app).commands
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
VARIABLES = {
    "DVC_SITE_CACHE_DIR",
    "DWMTL_FUZZ",
    "DWMTL_TESTDATA",
    "GOMP_SPINCOUNT",
    "HF_HOME",
    "MLFLOW_DISABLE_TELEMETRY",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL",
    "MLFLOW_TRACKING_URI",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "PIP_CACHE_DIR",
    "TORCHINDUCTOR_CACHE_DIR",
    "TORCH_INDEX",
}
"""Variables of the environment that pages name."""
PAGES = [*(REPOSITORY / name for name in ROOT_PAGES), *sorted((REPOSITORY / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_placeholder_is_left(page):
    assert set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", page.read_text())) - VARIABLES == set()


def every_key() -> dict[str, Any]:
    """The values of params.yaml, by section, with the settings of every rule of weights."""
    values = load_params(REPOSITORY / "params.yaml").model_dump()
    values["labels"] |= {"protocol": "folds"}  # left out of a dump where it is the default
    settings = {name: None for rule in WEIGHTINGS.values() for name in rule.model_fields}
    values["train"]["weighting"] = settings | values["train"]["weighting"]
    return values


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_of_the_params_that_a_page_names_exists(page):
    values = every_key()
    sections = "|".join(name for name, value in values.items() if isinstance(value, dict))
    for dotted in re.findall(rf"(?<![\w/.])((?:{sections})(?:\.[a-z_]+)+)(?![\w/(])", page.read_text()):
        if dotted.endswith((".py", ".md", ".html", ".csv", ".txt", ".yaml", ".rec", ".idx")):
            continue
        value = values
        for part in dotted.split("."):
            assert part in value, f"{page.name} names {dotted}"
            value = value[part]


RUN = {
    "demo.md": "unit/demo/test_demo_md.py",
    "evaluation.md": "unit/cli/test_pages.py",
    "experiments.md": "pipeline/test_pipeline.py",
    "first_run.md": "pipeline/test_pipeline.py",
    "packs.md": "unit/cli/test_pages.py",
    "use_the_model.md": "unit/inference/test_use_the_model_page.py",
}
"""Pages whose every command a test runs as it stands; of the others each line is read by what it calls."""


def commands(page: Path) -> list[str]:
    """The lines of a page's blocks of bash; one that goes on in the next is one."""
    blocks = re.findall(r"^ *```bash\n(.*?)```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [line.strip() for line in "".join(blocks).replace("\\\n", " ").splitlines() if line.strip()]


LINES = [(page.name, line) for page in PAGES for line in commands(page)]


@pytest.mark.parametrize("page", RUN)
def test_a_page_that_is_run_is_named_by_its_test(page):
    assert page in (REPOSITORY / "tests" / RUN[page]).read_text()


@pytest.mark.parametrize(("page", "line"), LINES, ids=lambda value: value[:60])
def test_every_command_of_a_page_can_be_read(page, line):
    program, *arguments = shlex.split(line, comments=True)
    if program == "dwmtl":
        name, *options = arguments
        COMMANDS[name].make_context(name, options)  # reads the options, and runs nothing
    elif program == "make":
        verbs = "".join((REPOSITORY / name).read_text() for name in ("Makefile", "project.mk"))
        assert re.search(rf"^{arguments[0]}:", verbs, flags=re.MULTILINE)
    elif program in ("python", "torchrun"):
        for path in (argument for argument in arguments if re.fullmatch(r"[\w/]+\.py", argument)):
            assert (REPOSITORY / path).is_file()
    elif program == "dvc":
        for change in (after for option, after in pairwise(arguments) if option == "-S"):
            set_by(change)
    elif program == "cp":
        assert (REPOSITORY / arguments[0]).is_file()
    else:
        assert program in ("source", "pip", "head", "mlflow", "export", "docker"), f"{page}: what reads {line}?"


def set_by(change: str) -> None:
    """Follow `-S key=value` into params.yaml, or `-S ++key=value` into all keys that there are."""
    value = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    if change.startswith("++"):
        value = every_key()
    for part in change.removeprefix("++").split("=")[0].split("."):
        value = value[part]
