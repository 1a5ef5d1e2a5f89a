"""The command line: `dwmtl COMMAND`. A command imports what it needs when it runs, so that `dwmtl --help` is fast."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dwmtl.errors import DwmtlError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


class Accelerator(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Distance(StrEnum):
    squared_euclidean = "squared-euclidean"
    cosine = "cosine"


class Flip(StrEnum):
    none = "none"
    concatenate = "concatenate"
    sum = "sum"


DistanceOption = Annotated[Distance, typer.Option(help="between embeddings of length 1")]
FlipOption = Annotated[Flip, typer.Option(help="what becomes of the mirrored image's embedding")]
SubtractMeanOption = Annotated[
    bool, typer.Option("--subtract-mean", help="take the mean embedding of the other folds' pairs away")
]
FarTargetOption = Annotated[
    list[float], typer.Option(help="false accept rate at which VAL and TAR are given; may be given again")
]


@app.callback()
def dwmtl() -> None:
    """Multi-task learning of faces: identity and expression. The pipeline is run by `dvc repro`."""


@app.command()
def score_pairs(
    embeddings: Annotated[Path, typer.Option(help="an .npz: names (N,), embeddings (N, D), [embeddings_flipped]")],
    pairs: Annotated[Path, typer.Option(help="LFW's pairs.txt, or a file like it; its blocks are the folds")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
    distance: DistanceOption = Distance.squared_euclidean,
    flip: FlipOption = Flip.none,
    subtract_mean: SubtractMeanOption = False,
    far_target: FarTargetOption = (1e-3,),  # a tuple, as a default must not change
) -> None:
    """Score anybody's embeddings by the LFW verification protocol: accuracy, VAL and TAR at a FAR, AUC, EER."""
    from dwmtl.evaluation.score_pairs import score_pairs as score

    result = score(
        embeddings,
        pairs,
        distance=distance.name,
        flip=flip.name,
        subtract_mean=subtract_mean,
        far_targets=list(far_target),
    )
    _write_scores(result, out)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="a model's folder: model.json and model.safetensors")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
    pack: Annotated[Path | None, typer.Option(help="an insightface pack of aligned crops, such as lfw.bin")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="instead: a folder of aligned crops, Name/Name_0001.jpg, with --pairs")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="LFW's pairs.txt, or a file like it; for --folder")] = None,
    distance: DistanceOption = Distance.squared_euclidean,
    flip: FlipOption = Flip.none,
    subtract_mean: SubtractMeanOption = False,
    far_target: FarTargetOption = (1e-3,),
    batch_size: Annotated[int, typer.Option(min=1, help="crops the network sees at a time")] = 64,
    accelerator: Annotated[Accelerator, typer.Option(help="auto: a GPU if there is one")] = Accelerator.auto,
) -> None:
    """Score a model on a verification set of aligned crops, as score-pairs scores embeddings."""
    if (pack is None) == (folder is None) or (folder is None) != (pairs is None):
        raise DwmtlError("give either --pack lfw.bin, or --folder DIR and --pairs pairs.txt.")
    from dwmtl.evaluation.score_model import ModelScoring, score_folder, score_pack

    scoring = ModelScoring(
        batch_size=batch_size,
        accelerator=accelerator.name,
        distance=distance.name,
        flip=flip.name,
        subtract_mean=subtract_mean,
        far_targets=list(far_target),
    )
    _write_scores(score_pack(model, pack, scoring) if pack else score_folder(model, folder, pairs, scoring), out)


class Standardization(StrEnum):
    per_image = "per-image"
    fixed = "fixed"


@app.command()
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
    from dwmtl.network.import_checkpoint import import_checkpoint as read
    from dwmtl.network.model_file import save_model
    from dwmtl.stage import whole_folder

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DwmtlError(f"{out}: it is there already, and not empty. Name another folder for --out, or remove it.")
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


@app.command()
def export_checkpoint(
    model: Annotated[Path, typer.Argument(help="a model's folder whose trunk is inception_resnet_v1")],
    out: Annotated[Path, typer.Option(help="the .pt file to write, for facenet-pytorch's InceptionResnetV1")],
) -> None:
    """Write a model's trunk and identity branch as a state dict of facenet-pytorch."""
    import torch

    from dwmtl.errors import ModelFileError
    from dwmtl.network.facenet_pytorch_checkpoint import export_state_dict
    from dwmtl.network.model_file import load_model

    network, card = load_model(model)
    if card.network.trunk != "inception_resnet_v1" or card.network.bottleneck != 512:
        raise ModelFileError(
            f"{model}: facenet-pytorch's network is inception_resnet_v1 with a bottleneck of 512; this one is "
            f"{card.network.trunk} with {card.network.bottleneck}."
        )
    weights = export_state_dict(network.state_dict())
    try:
        torch.save(weights, out)
    except (OSError, RuntimeError) as error:
        raise DwmtlError(f"{out}: cannot be written ({str(error).splitlines()[0]}).") from None
    num = len(card.classes("identity"))
    use = f"classify=True, num_classes={num}" if "logits.weight" in weights else "classify=False"
    print(f"{out}: {len(weights)} tensors for InceptionResnetV1({use}).load_state_dict")
    if card.network.standardization != "fixed":
        print("its crops are standardised per image, not by facenet-pytorch's fixed_image_standardization")


@app.command()
def import_folds(
    source: Annotated[Path, typer.Argument(help="a CSV `subject,fold`, another run's data/labels/folds.csv for one")],
    subjects: Annotated[
        Path | None,
        typer.Option(help="a table with a column subject to check against: data/labels/folds.csv, or a manifest"),
    ] = None,
    num_folds: Annotated[
        int | None, typer.Option(help="k of the cross-validation; by default one more than the last fold of the file")
    ] = None,
) -> None:
    """Print the lines of params.yaml that use somebody's split. Folds that the file does not name are cut as ever."""
    from dwmtl.protocol.fold_file import params_of_folds, parse_folds
    from dwmtl.tables import read_table

    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DwmtlError(f"{source}: no text file that can be read ({error}).") from None
    known = None
    if subjects is not None:
        full = set(read_table(subjects, ("subject",))["subject"])
        known = full | {name.partition("/")[2] for name in full} - {""}  # as their set names them, too
    folds = parse_folds(text, name=str(source), subjects=known, num_folds=num_folds)
    print(params_of_folds(folds, num_folds=num_folds), end="")


def _write_scores(result: dict[str, object], out: Path) -> None:
    """The whole result into a file, its gist in a line."""
    from dwmtl.stage import write_json

    try:
        write_json(result, out)
    except OSError as error:
        raise DwmtlError(f"{out}: cannot be written ({error.strerror}). Name another file for --out.") from None
    print(
        f"accuracy {result['accuracy_mean']:.4f} +- {result['accuracy_std']:.4f} over {result['num_folds']} folds of "
        f"{result['num_pairs']} pairs, {result['num_wrong_pairs']} wrong; all of it in {out}"
    )


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


def main() -> None:
    """Run the command line; an error that is the input's fault is one line, and the process exits with 1."""
    try:
        app(prog_name="dwmtl")
    except DwmtlError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
