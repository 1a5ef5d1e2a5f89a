"""Commands that convert and copy models: `import-checkpoint`, `export-checkpoint`, `export-onnx`, `export-model`."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl.errors import DwmtlError

if TYPE_CHECKING:
    from dwmtl.network.published import ExpectedInput


class Standardization(StrEnum):
    per_image = "per-image"
    fixed = "fixed"
    minus_one_to_one = "minus-one-to-one"


class CropForm(StrEnum):
    margin_in_crop = "margin-in-crop"
    margin_in_photo = "margin-in-photo"
    similarity = "similarity"


class ChannelOrder(StrEnum):
    rgb = "rgb"
    bgr = "bgr"


SourceArgument = Annotated[
    str,
    typer.Argument(
        help="a file of arcface_torch, AdaFace, MobileFaceNet, facenet-pytorch or timm, its https address, or "
        "Hugging Face's org/repo:file; vggface2, casia-webface; a TensorFlow checkpoint's prefix; or a model's "
        "folder of dwmtl"
    ),
]
Sha256Option = Annotated[str | None, typer.Option(help="that the file must have; an https address needs it")]
TrunkOption = Annotated[
    str | None, typer.Option(help="timm:<name>, for weights of timm; the other networks are recognised")
]
CropPxOption = Annotated[
    str | None, typer.Option(help="side of the crops it was trained on, pixels, or HEIGHTxWIDTH, such as 112x96")
]
CropFormOption = Annotated[CropForm | None, typer.Option(help="how they were cut out")]
MarginOption = Annotated[int | None, typer.Option(min=0, help="their margin, see align.margin_px")]
ChannelOrderOption = Annotated[ChannelOrder | None, typer.Option(help="of its input")]
StandardizationOption = Annotated[Standardization | None, typer.Option(help="of its crops")]


def import_checkpoint(
    source: SourceArgument,
    out: Annotated[Path, typer.Option(help="folder of the new model; a training starts from data/models/<name>")],
    sha256: Sha256Option = None,
    trunk: TrunkOption = None,
    crop_px: CropPxOption = None,
    crop_form: CropFormOption = None,
    margin_px: MarginOption = None,
    channel_order: ChannelOrderOption = None,
    standardization: StandardizationOption = None,
    classes: Annotated[
        Path | None, typer.Option(help="JSON file: a task's name -> its class names in the order of the logits")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="print every matched and skipped name")] = False,
) -> None:
    """Import weights of another project as a model of dwmtl.

    Prints which weights were matched and skipped, and which keep initial values. The network expects crops like its
    project's networks, unless options are given.
    """
    from dwmtl.files import require_free, whole_folder
    from dwmtl.network.import_checkpoint import import_checkpoint as read
    from dwmtl.network.model_file import save_model
    from dwmtl.start_needs import start_needs

    require_free(out)
    overrides = expected_input(crop_px, margin_px, crop_form, channel_order, standardization)
    imported = read(source, overrides=overrides, classes=_class_names(classes), trunk=trunk, sha256=sha256)
    with whole_folder(out) as folder:
        card = save_model(imported.network, imported.card, folder, method=imported.method)
    print(f"matched {len(imported.matched)} of the source's tensors")
    if verbose:
        print("\n".join(f"  {source} -> {name}" for source, name in imported.matched.items()))
    _print_names("skipped", imported.skipped, most=len(imported.skipped) if verbose else 20)
    _print_names("initial values", imported.initial)
    tasks = ", ".join(f"{task} ({len(values.classes)} classes)" for task, values in card.tasks.items())
    print(f"{out}: {tasks}. In params.yaml, which `dwmtl start-from` writes:")
    for key, value in start_needs(card.model_dump()).items():
        print(f"  {key}: {'null' if value is None else value}")
    print(f"sha256 {card.weights_sha256}")
    print(f"To train from it: dwmtl start-from {shlex.quote(str(out))} --name {shlex.quote(out.name)} && dvc repro")


def export_checkpoint(
    model: Annotated[Path, typer.Argument(help="a model's folder; facelivenet cannot be exported")],
    out: Annotated[Path, typer.Option(help="the file to write: .pt, .ckpt, or .safetensors for a backbone of timm")],
) -> None:
    """Write a model's trunk and identity branch in the form of the project whose network it is."""
    from dwmtl.network.export_checkpoint import export_checkpoint as export

    exported = export(model, out)
    network, project = exported.card.network, exported.project
    where = f", below {project.wrapper}" if project.wrapper else ""
    print(f"{out}: {len(exported.names)} tensors of {network.trunk} for {project.name}{where}")
    if network.trunk == "inception_resnet_v1":
        num = len(exported.card.classes("identity"))
        use = f"classify=True, num_classes={num}" if "logits.weight" in exported.names else "classify=False"
        print(f"for InceptionResnetV1({use}).load_state_dict")
    usual = project.expects.standardization
    if usual is not None and network.standardization != usual:
        print(f"its crops are standardised by {network.standardization}, not {usual} as in {project.name}")


def export_onnx(
    model: Annotated[Path, typer.Argument(help="a model's folder: model.json and model.safetensors")],
    out: Annotated[Path, typer.Argument(help="the .onnx file to write")],
) -> None:
    """Write a model as an ONNX file, and compare its answers with the model's. Needs the extra `onnx`."""
    from dwmtl.inference.onnx_export import export_onnx as export

    written = export(model, out)
    print(f"{out}: crops (N, H, W, 3) uint8 RGB -> {', '.join(written.outputs)}")
    print(f"largest difference from PyTorch on 32 crops: {written.largest_difference:.1e}")


def export_model(
    model: Annotated[str, typer.Argument(help="a model's folder, or MLflow's runs:/... or models:/...")],
    out: Annotated[Path, typer.Argument(help="the folder to make")],
    threshold: Annotated[
        Path | None,
        typer.Option(help="a file that `dwmtl evaluate` wrote for it; by default the pipeline's evaluation"),
    ] = None,
) -> None:
    """Copy a model together with its threshold into a folder that can be used anywhere."""
    from dwmtl.files import require_inputs
    from dwmtl.inference.export_model import export_model as export

    require_inputs(*filter(None, [threshold]))
    limit = export(model, out, threshold=threshold)
    print(f"{out}: the model, with threshold {limit.value:.3f} ({limit.source})")


def expected_input(
    crop_px: str | None,
    margin_px: int | None,
    crop_form: CropForm | None,
    channel_order: ChannelOrder | None,
    standardization: Standardization | None,
) -> "ExpectedInput":
    """The input that the options describe; None where an option is not given."""
    from dwmtl.network.published import ExpectedInput

    return ExpectedInput(
        crop_px=_crop_px(crop_px),
        margin_px=margin_px,
        crop_form=crop_form and crop_form.name,
        channel_order=channel_order and channel_order.name,
        standardization=standardization and standardization.name,
    )


def _class_names(path: Path | None) -> dict[str, list[str]]:
    """Class names by task from a JSON file."""
    if path is None:
        return {}
    import json

    try:
        names = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DwmtlError(f"{path}: no JSON file that can be read ({error}).") from None
    if not isinstance(names, dict) or not all(
        isinstance(values, list) and all(isinstance(name, str) for name in values) for values in names.values()
    ):
        raise DwmtlError(f"{path}: must be an object: each task's name with a list of its class names.")
    return names


def _crop_px(text: str | None) -> int | list[int] | None:
    """`112`, or `112x96`, height and width."""
    if text is None:
        return None
    from dwmtl.section import MIN_CROP_SIDE_PX

    sides = [int(side) if side.isdecimal() else 0 for side in text.lower().split("x")]
    if len(sides) > 2 or min(sides) < MIN_CROP_SIDE_PX:
        raise DwmtlError(f"--crop-px must be pixels >= {MIN_CROP_SIDE_PX}, such as 112 or 112x96. Got {text} instead.")
    return sides[0] if len(sides) == 1 else sides


def _print_names(title: str, names: list[str], *, most: int = 20) -> None:
    if names:
        rest = f", and {len(names) - most} more" if len(names) > most else ""
        print(f"{title} ({len(names)}): {', '.join(names[:most])}{rest}")
