"""One command from a checkpoint to a training, and what stops where the two do not agree."""

import difflib
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from dwmtl.cli import app
from dwmtl.errors import DwmtlError, ParamsError
from dwmtl.network.model_card import DetectorCard, ModelCard, TaskCard, build_network
from dwmtl.network.model_file import load_card, save_model
from dwmtl.network.params import LinearHeadParams, NetworkParams
from dwmtl.params import load_params
from dwmtl.start_needs import start_needs

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A MobileFaceNet as an import leaves it."""
    folder = tmp_path_factory.mktemp("source") / "model"
    card = ModelCard(
        network=NetworkParams(trunk="mobilefacenet", standardization="fixed", channel_order="bgr"),
        crop_px=[112, 96],
        margin_px=0,
        detector=DetectorCard(crop_form="similarity"),
        tasks={"identity": TaskCard(head=LinearHeadParams(), classes=["a"])},
        provenance={"made_by": "import"},
    )
    torch.manual_seed(0)
    save_model(build_network(card), card, folder)
    return folder


@pytest.fixture
def params(tmp_path) -> Path:
    """The repository's params.yaml in a project of its own."""
    return Path(shutil.copy(REPOSITORY / "params.yaml", tmp_path / "params.yaml"))


def start_from(source: Path, params: Path, name: str = "mobile", *options: str) -> str:
    result = CliRunner().invoke(app, ["start-from", str(source), "--name", name, "--params", str(params), *options])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_checkpoint_becomes_the_start_and_the_params_agree(source, params):
    before, crop_px = params.read_text(), load_params(params).align.crop_px
    printed = start_from(source, params)
    values = load_params(params)
    assert (values.network.trunk, values.network.channel_order, values.network.standardization) == (
        "mobilefacenet",
        "bgr",
        "fixed",
    )
    assert (values.align.crop_px, values.align.crop_form, values.train.start) == ([112, 96], "similarity", "mobile")
    assert values.train.batch_norm.trunk == "frozen"
    assert values.train.batch_norm.branches == {"identity": "frozen"}
    assert load_card(params.parent / "data/models/mobile").weights_sha256 == load_card(source).weights_sha256
    changed = [line for line in difflib.ndiff(before.splitlines(), params.read_text().splitlines()) if line[0] in "+-"]
    assert [line.split("#")[0].rstrip() for line in changed if line[0] == "-"] == [
        f"-   crop_px: {crop_px}",
        "-   crop_form: margin_in_crop",
        "-   trunk: facelivenet",
        "-   standardization: per_image",
        "-   start: pretrain",
    ]
    assert [line for line in changed if line.startswith("+") and "#" in line] == []  # comments are where they were
    assert all(line[0] + line[2:] in printed.splitlines() for line in changed)


def test_what_says_so_already_is_not_touched(source, params):
    start_from(source, params)
    text = params.read_text()
    assert "nothing to change" in start_from(params.parent / "data/models/mobile", params)
    assert params.read_text() == text


def test_the_next_command_is_named_last(source, params, monkeypatch):
    monkeypatch.chdir(params.parent)
    printed = start_from(source, Path("params.yaml"))
    assert printed.splitlines()[-1] == "params.yaml: train.start is mobile. Next: dvc repro"
    again = start_from(Path("data/models/mobile"), Path("params.yaml"))
    assert again.splitlines() == ["params.yaml: nothing to change", printed.splitlines()[-1]]


def test_the_next_command_of_another_project_enters_it(source, params):
    next_command = start_from(source, params).splitlines()[-1].split("Next: ")[1]
    assert next_command == f"cd {shlex.quote(str(params.parent))} && dvc repro"


def test_an_import_ends_with_the_command_that_makes_it_the_start(source, params, monkeypatch):
    monkeypatch.chdir(params.parent)
    run = CliRunner().invoke
    last = run(app, ["import-checkpoint", str(source), "--out", "data/models/mobile"]).output.splitlines()[-1]
    assert last == "To train from it: dwmtl start-from data/models/mobile --name mobile && dvc repro"
    command = last.split("dwmtl ")[1].split(" && ")[0]
    assert "+  start: mobile" in run(app, shlex.split(command)).output


def test_a_name_that_is_taken_leaves_everything_as_it_is(source, params):
    (params.parent / "data/models/mobile").mkdir(parents=True)
    text = params.read_text()
    with pytest.raises(DwmtlError, match="it is there already"):
        start_from(source, params)
    assert params.read_text() == text


@pytest.mark.parametrize("name", ["fold_0", "../elsewhere", "pretrain"])
def test_a_name_that_no_start_can_have_imports_nothing(source, params, name):
    text = params.read_text()
    with pytest.raises(DwmtlError):
        start_from(source, params, name)
    assert params.read_text() == text
    assert not list(params.parent.rglob("model.json"))


def test_params_that_do_not_fit_the_start_stop_at_once_and_each_value_is_named(source, params):
    start_from(source, params)
    text = params.read_text()
    params.write_text(text.replace("[112, 96]", "112").replace("channel_order: bgr", "channel_order: rgb"))
    with pytest.raises(
        ParamsError,
        match=r"train\.start is mobile, which needs network\.channel_order bgr \(not rgb\), align\.crop_px \[112, 96\] "
        r"\(not 112\)\. Run `dwmtl start-from data/models/mobile --name mobile`",
    ):
        load_params(params)
    start_from(params.parent / "data/models/mobile", params)
    assert params.read_text() == text


def test_a_start_that_is_not_there_yet_and_the_pipelines_own_are_not_asked(source, params):
    load_params(params)
    shutil.copytree(source, params.parent / "data/models/pretrain")
    assert load_params(params).train.start == "pretrain"


def test_a_card_that_cannot_be_read_is_told(params):
    card = params.parent / "data/models/mobile/model.json"
    card.parent.mkdir(parents=True)
    card.write_text('{"network": 3}')
    params.write_text(params.read_text().replace("start: pretrain", "start: mobile"))
    with pytest.raises(ParamsError, match=r"model\.json: not a model of this version"):
        load_params(params)


def test_a_square_crop_may_be_given_as_a_side_or_as_two(source, params):
    start_from(source, params)
    card = params.parent / "data/models/mobile/model.json"
    card.write_text(card.read_text().replace("112,\n    96", "112,\n    112"))
    params.write_text(params.read_text().replace("[112, 96]", "112"))
    assert load_params(params).align.crop_px == 112


def test_a_margin_is_needed_where_the_form_has_one(source):
    card = load_card(source).model_dump()
    assert "align.margin_px" not in start_needs(card)
    assert start_needs({**card, "detector": {"crop_form": "margin_in_photo"}})["align.margin_px"] == 0


def test_the_real_weights_are_one_command_away(testdata, params):
    (checkpoint,) = [
        *(testdata / "real/mobilefacenet").glob("*.ckpt"),
        *(testdata / "real/mobilefacenet").glob("*.pt*"),
    ]
    start_from(checkpoint, params)
    assert load_params(params).network.trunk == "mobilefacenet"
