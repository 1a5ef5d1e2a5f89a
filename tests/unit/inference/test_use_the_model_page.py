"""docs/use_the_model.md is true: every command and every block of Python on it is run, on a model that knows Ann."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs/use_the_model.md").read_text()


@pytest.fixture(scope="module")
def workplace(known, module_path) -> Path:
    """The files that the page names: Ann is P001, Bob P002."""
    folder = module_path
    shutil.copytree(known.model, folder / "data/models/fold_0")
    known.write_threshold(folder / "metrics/evaluation/fold_0/threshold.json")
    shutil.copy(REPOSITORY / "params.yaml", folder)
    shutil.copy(known.photo("neutral"), folder / "ann.jpg")
    shutil.copy(known.photo("happiness"), folder / "ann_happy.jpg")
    shutil.copy(known.photo("happiness", "P002"), folder / "bob.jpg")
    (folder / "clip").mkdir()
    for number, expression in enumerate(("neutral", "surprise", "happiness")):
        shutil.copy(known.photo(expression), folder / f"clip/{number}.jpg")
    for person, name in (("P001", "Ann_A"), ("P002", "Bob_B")):
        (folder / "people" / name).mkdir(parents=True)
        for number, expression in enumerate(("neutral", "happiness", "surprise"), start=1):
            shutil.copy(known.photo(expression, person), folder / f"people/{name}/{name}_{number:04d}.jpg")
    (folder / "pairs.txt").write_text("2\t1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t1\nBob_B\t2\t3\nAnn_A\t3\tBob_B\t3\n")
    return folder


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found, f"no block of {language} on the page"
    return found


@pytest.mark.slow
def test_every_command_and_block_of_the_page_runs(workplace, call_dwmtl, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    for line in "".join(blocks("bash")).splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "dwmtl", line
        expected = re.search(r"# exit code (\d)", line)
        code, _, errors = call_dwmtl(*arguments)
        assert code == int(expected[1] if expected else 0), f"{line}\n{errors}"
    assert {path.name for path in workplace.iterdir()} >= {"annotated.png", "model.onnx", "crops", "more_crops"}
    for block in blocks("python"):
        exec(compile(block, "use_the_model.md", "exec"), {})
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("happiness {")
    assert told[1:] == ["True", "True"]


def test_every_option_that_the_page_names_is_one_of_a_command():
    from typer.main import get_command

    from dwmtl.cli import app

    known_options = {
        option
        for command in get_command(app).commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - known_options - {"--help"} == set()
