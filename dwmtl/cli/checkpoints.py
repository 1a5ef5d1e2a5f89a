"""Commands that turn a model into another form: `import-checkpoint`, `export-checkpoint`, `export-onnx`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dwmtl.errors import DwmtlError


class Standardization(StrEnum):
    per_image = "per-image"
    fixed = "fixed"


def import_checkpoint(
    source: Annotated[
        str,
        typer.Argument(
            help="a TensorFlow checkpoint's prefix, a facenet-pytorch .pt file, vggface2, casia-webface, or a model's "
            "folder of dwmtl"
        ),
    ],
    out: Annotated[Path, typer.Option(help="the model's folder to make; a training starts from data/models/<name>")],
    crop_px: Annotated[int, typer.Option(help="side of the crops it was trained on, pixels")] = 160,
    margin_px: Annotated[int, typer.Option(help="their margin, in pixels of the crop")] = 14,
    standardization: Annotated[
        Standardization | None, typer.Option(help="of its crops; by default what its project is known for")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="JSON: a task's name -> its class names in the order of the logits")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="print every matched and skipped name")] = False,
) -> None:
    """Make a model in dwmtl's own form of another project's weights, and say what was matched, skipped and left."""
    from dwmtl.files import require_free, whole_folder
    from dwmtl.network.import_checkpoint import import_checkpoint as read
    from dwmtl.network.model_file import save_model

    require_free(out)
    imported = read(
        source,
        crop_px=crop_px,
        margin_px=margin_px,
        standardization=standardization and standardization.name,
        classes=_class_names(classes),
    )
    with whole_folder(out) as folder:
        card = save_model(imported.network, imported.card, folder, method=imported.method)
    print(f"matched {len(imported.matched)} of the source's tensors")
    if verbose:
        print("\n".join(f"  {source} -> {name}" for source, name in imported.matched.items()))
    _print_names("skipped, no place here", imported.skipped, most=len(imported.skipped) if verbose else 20)
    _print_names("left at initial values", imported.initial)
    tasks = ", ".join(f"{task} ({len(values.classes)} classes)" for task, values in card.tasks.items())
    print(
        f"{out}: network.trunk {card.network.trunk}, network.bottleneck {card.network.bottleneck}, "
        f"network.standardization {card.network.standardization}; {tasks}; crops of {card.crop_px} px"
    )
    print(f"sha256 {card.weights_sha256}")


def export_checkpoint(
    model: Annotated[Path, typer.Argument(help="a model's folder whose trunk is inception_resnet_v1")],
    out: Annotated[Path, typer.Option(help="the .pt file to write, for facenet-pytorch's InceptionResnetV1")],
) -> None:
    """Write a model's trunk and identity branch as a state dict of facenet-pytorch."""
    import io

    import torch

    from dwmtl.errors import ModelFileError
    from dwmtl.files import require_output, write_bytes
    from dwmtl.network.facenet_pytorch_checkpoint import export_state_dict
    from dwmtl.network.model_file import files_of, load_model

    require_output(out, inputs=files_of(model))
    network, card = load_model(model)
    if card.network.trunk != "inception_resnet_v1" or card.network.bottleneck != 512:
        raise ModelFileError(
            f"{model}: facenet-pytorch's network is inception_resnet_v1 with a bottleneck of 512; this one is "
            f"{card.network.trunk} with {card.network.bottleneck}."
        )
    weights = export_state_dict(network.state_dict())
    encoded = io.BytesIO()
    torch.save(weights, encoded)
    write_bytes(encoded.getvalue(), out)
    num = len(card.classes("identity"))
    use = f"classify=True, num_classes={num}" if "logits.weight" in weights else "classify=False"
    print(f"{out}: {len(weights)} tensors for InceptionResnetV1({use}).load_state_dict")
    if card.network.standardization != "fixed":
        print("its crops are standardised per image, not by facenet-pytorch's fixed_image_standardization")


def export_onnx(
    model: Annotated[Path, typer.Argument(help="a model's folder: model.json and model.safetensors")],
    out: Annotated[Path, typer.Argument(help="the .onnx file to write")],
) -> None:
    """Write a model as an ONNX file, and check that it answers as the model does. Needs the extra `onnx`."""
    from dwmtl.inference.onnx_export import export_onnx as export

    written = export(model, out)
    print(f"{out}: crops (N, S, S, 3) uint8 RGB -> {', '.join(written.outputs)}")
    print(f"largest difference from PyTorch on 32 crops: {written.largest_difference:.1e}")


def _class_names(path: Path | None) -> dict[str, list[str]]:
    """Class names by task from a JSON file."""
    if path is None:
        return {}
    import json

    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DwmtlError(f"{path}: no JSON file that can be read ({error}).") from None
    if not isinstance(names, dict) or not all(
        isinstance(values, list) and all(isinstance(name, str) for name in values) for values in names.values()
    ):
        raise DwmtlError(f"{path}: an object is expected, each task's name with a list of its class names.")
    return names


def _print_names(title: str, names: list[str], *, most: int = 20) -> None:
    if names:
        rest = f", and {len(names) - most} more" if len(names) > most else ""
        print(f"{title} ({len(names)}): {', '.join(names[:most])}{rest}")
