"""The command that makes a checkpoint the model that the folds' trainings start from: `start-from`."""

import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl.cli.checkpoints import (
    ChannelOrderOption,
    CropFormOption,
    CropPxOption,
    MarginOption,
    Sha256Option,
    SourceArgument,
    StandardizationOption,
    TrunkOption,
    expected_input,
)
from dwmtl.errors import DwmtlError

if TYPE_CHECKING:
    from dwmtl.network.model_card import ModelCard
    from dwmtl.params import Params


def start_from(
    source: SourceArgument,
    name: Annotated[str, typer.Option(help="name for train.start; the model's folder is data/models/<name>")],
    params: Annotated[Path, typer.Option(help="the file to change")] = Path("params.yaml"),
    sha256: Sha256Option = None,
    trunk: TrunkOption = None,
    crop_px: CropPxOption = None,
    crop_form: CropFormOption = None,
    margin_px: MarginOption = None,
    channel_order: ChannelOrderOption = None,
    standardization: StandardizationOption = None,
) -> None:
    """Import a checkpoint, and set params.yaml so that trainings start from it; then run `dvc repro`.

    Only the values that must agree are changed: the network, the form of its crops, train.start, and the batch norm of
    the trunk and the identity branch, which keeps the start's statistics.
    """
    from dwmtl.files import whole_folder, write_text
    from dwmtl.network.import_checkpoint import import_checkpoint
    from dwmtl.network.model_file import load_card, save_model
    from dwmtl.params import parse_params, read_text
    from dwmtl.params_text import with_values
    from dwmtl.start_needs import MODELS

    if name == "pretrain":
        raise DwmtlError("--name must not be pretrain, which is the output of the stage of that name. Choose another.")
    before = read_text(params)
    values = parse_params(before, params)
    folder, imported = params.parent / MODELS / name, None
    if _is_same_folder(source, folder):
        card = load_card(folder)
    else:
        if folder.exists():
            raise DwmtlError(
                f"{folder}: it is there already. Give it as the source, choose another --name, or remove it."
            )
        overrides = expected_input(crop_px, margin_px, crop_form, channel_order, standardization)
        imported = import_checkpoint(source, overrides=overrides, trunk=trunk, sha256=sha256)
        card = imported.card
    after = with_values(before, _values_to_write(card, name, values))
    parse_params(after, params)  # raises before anything is written
    if imported is not None:
        with whole_folder(folder) as partial:
            save_model(imported.network, card, partial, method=imported.method)
        print(f"{folder}: {card.network.trunk}, {len(imported.matched)} tensors")
    write_text(after, params)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(params), str(params), n=1, lineterm="")
    print("\n".join(lines) or f"{params}: nothing to change")
    print(f"{params}: train.start is {name}. Next: {_next_commands(params.parent)}")


def _next_commands(project: Path) -> str:
    """What trains from the start, as a line for the shell."""
    enter = "" if project.resolve() == Path.cwd() else f"cd {shlex.quote(str(project))} && "
    return f"{enter}dvc repro"


def _values_to_write(card: "ModelCard", name: str, params: "Params") -> dict[str, object]:
    """The values that must change, by dotted key."""
    from dwmtl.start_needs import other_needs, start_needs

    values: dict[str, object] = {
        key: needed for key, (needed, _) in other_needs(start_needs(card.model_dump()), params.model_dump()).items()
    }
    if params.network.pretrained:
        values["network.pretrained"] = False  # timm's weights, for the stage `pretrain`
    if params.train.start != name:
        values["train.start"] = name
    if params.train.batch_norm.trunk != "frozen":
        values["train.batch_norm.trunk"] = "frozen"
    if params.train.batch_norm.branches.get("identity") != "frozen":
        values["train.batch_norm.branches.identity"] = "frozen"
    return values


def _is_same_folder(source: str, folder: Path) -> bool:
    return folder.exists() and Path(source).resolve() == folder.resolve()
