"""Imports weights of other projects; reports which were matched, which skipped, and which keep their initial values."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network.download import address_of, download
from dwmtl.network.facenet_pytorch_file import PUBLISHED, published_file
from dwmtl.network.import_tensorflow import checkpoint_prefix, import_tensorflow
from dwmtl.network.imported import COUNTERS, Imported, filled, new_card, provenance_of, task_cards
from dwmtl.network.model_card import build_network
from dwmtl.network.model_file import CARD_FILE, METHOD_FILE, checked_weights, file_sha256, load_model
from dwmtl.network.network import IDENTITY
from dwmtl.network.published import ExpectedInput, Project, project_of, published_names, recognised
from dwmtl.network.timm_trunk import TIMM, TimmTrunk
from dwmtl.network.torch_file import ENDINGS, read_state_dict


def import_checkpoint(
    source: str,
    *,
    overrides: ExpectedInput | None = None,
    classes: dict[str, list[str]] | None = None,
    trunk: str | None = None,
    sha256: str | None = None,
) -> Imported:
    """Read a checkpoint in any of the known forms.

    Args:
        source: a file of arcface_torch, AdaFace, MobileFaceNet or facenet-pytorch, by torch.save or safetensors; one of
            PUBLISHED; weights of timm; an `https:` address of such a file, or Hugging Face's `org/repo:file`; the
            prefix of a TensorFlow V2 checkpoint (the authors' FaceLiveNet, or a FaceNet); or a model's folder of ours.
        overrides: what its network expects of a crop, where that differs from its project's networks.
        classes: class names by task, in the order of the logits; classes of other tasks are numbered.
        trunk: `timm:<name>`, for weights of timm; those of the others are recognised.
        sha256: that the file must have, hexadecimal. An address needs it.
    Raises:
        ModelFileError: the source is none of these, damaged, or has another SHA-256; a weight of a trunk
            or branch is missing, surplus, of another shape or no number; or the names of the classes are not as many
            as its logits. Nothing is imported in part.
    """
    path, overrides, classes = Path(source), overrides or ExpectedInput(), classes or {}
    prefix, is_ours = checkpoint_prefix(path), (path / CARD_FILE).is_file()
    if (prefix or is_ours) and (trunk or sha256):
        raise ModelFileError(f"{source}: it is several files, whose trunk is known. Leave --sha256 and --trunk out.")
    if is_ours:
        return _from_ours(path, overrides, classes)
    if prefix is not None:
        return import_tensorflow(prefix, overrides, classes)
    if source in PUBLISHED:
        imported = _from_file(published_file(source), overrides, classes, trunk, sha256)
        return _with_provenance(imported, name=source)
    address = None if path.is_file() else address_of(source)
    if address is not None:
        return _from_address(source, address, overrides, classes, trunk, sha256)
    if path.is_file() or path.suffix in ENDINGS:
        return _from_file(path, overrides, classes, trunk, sha256)
    raise ModelFileError(
        f"{source}: no checkpoint that dwmtl reads: a file ({', '.join(ENDINGS)}), an https address, Hugging Face's "
        f"org/repo:file, {', '.join(PUBLISHED)}, a TensorFlow V2 checkpoint's prefix (`model.ckpt` beside "
        f"`model.ckpt.index`), or a folder with {CARD_FILE}."
    )


def _from_address(
    source: str,
    address: str,
    overrides: ExpectedInput,
    classes: dict[str, list[str]],
    trunk: str | None,
    sha256: str | None,
) -> Imported:
    if sha256 is None and address == source:
        raise ModelFileError(f"{source}: give the file's SHA-256 as its publisher names it, by --sha256.")
    with TemporaryDirectory(prefix="dwmtl-checkpoint-") as folder:
        imported = _from_file(download(address, Path(folder)), overrides, classes, trunk, sha256)
    return _with_provenance(imported, address=address.partition("?")[0])


def _with_provenance(imported: Imported, **more: str) -> Imported:
    card = imported.card
    return replace(imported, card=card.model_copy(update={"provenance": card.provenance | more}))


def _from_ours(folder: Path, overrides: ExpectedInput, classes: dict[str, list[str]]) -> Imported:
    if classes or overrides != ExpectedInput():
        raise ModelFileError(
            f"{folder}: a model of dwmtl has its class names and crops in its {CARD_FILE}. Leave "
            "--classes and the options of crops out."
        )
    network, card = load_model(folder)
    method = checked_weights(folder, card, METHOD_FILE) if (folder / METHOD_FILE).exists() else {}
    return Imported(network, card, method, {name: name for name in network.state_dict()})


def _from_file(
    file: Path, overrides: ExpectedInput, classes: dict[str, list[str]], trunk: str | None, sha256: str | None
) -> Imported:
    if trunk is not None and not trunk.startswith(TIMM):
        raise ModelFileError(f"{trunk}: only trunks of timm are named; those of other projects are recognised.")
    if sha256 is not None and file.is_file() and (digest := file_sha256(file)) != sha256.lower():
        raise ModelFileError(f"{file.name}: its SHA-256 is {digest}, not {sha256}. Do not use the file.")
    entries = read_state_dict(file)
    try:
        trunk, prefix = (trunk, "") if trunk else recognised(entries)
    except ModelFileError as error:
        raise ModelFileError(f"{file}: {error}") from None
    theirs = {name.removeprefix(prefix): value for name, value in entries.items() if name.startswith(prefix)}
    others = [name for name in entries if not name.startswith(prefix)]
    return _from_published(file, trunk, theirs, others, overrides, classes)


def _from_published(
    file: Path,
    trunk: str,
    theirs: dict[str, Tensor],
    others: list[str],
    overrides: ExpectedInput,
    classes: dict[str, list[str]],
) -> Imported:
    """Import a state dict with the names of a trunk's project; `others` are names of entries beside it."""
    project = project_of(trunk)
    assert project is not None  # every trunk that is recognised has one
    for name in ("last_linear.weight", "logits.bias"):  # their lengths determine the network
        if name in theirs:
            _require_numbers(file, name, theirs[name])
    bottleneck = theirs.get("last_linear.weight")
    if trunk == "inception_resnet_v1" and bottleneck is None:
        raise ModelFileError(f"{file}: no last_linear.weight: not facenet-pytorch's InceptionResnetV1.")
    card = new_card(
        _expected(project, trunk).overridden(overrides),
        trunk=trunk,
        bottleneck=None if bottleneck is None else len(bottleneck),
        dropout=project.dropout,
        batch_norm_momentum=0.1,
        tasks=task_cards(file.name, {IDENTITY: "logits.bias"}, theirs, classes),
        provenance=provenance_of(project.name, [file]),
    )
    names = published_names(build_network(card), trunk)
    matched = {name: ours for ours, name in names.items() if name in theirs}
    surplus = sorted(set(theirs) - set(matched))
    if surplus and project.is_whole:
        raise ModelFileError(
            f"{file}: it does not fit {trunk}: its {surplus[0]} has no place ({len(surplus)} have none)."
        )
    return filled(
        str(file),
        card,
        {ours: theirs[name] for name, ours in matched.items()},
        {},
        matched,
        sorted([*surplus, *others]),
        constants=COUNTERS,
        fresh=("heads.", "branches.") if trunk.startswith(TIMM) else ("heads.",),
    )


def _require_numbers(file: Path, name: str, value: Tensor) -> None:
    """Check that a tensor's storage has as many numbers as its shape, which a file may claim freely."""
    if value.ndim == 0 or value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise ModelFileError(f"{file}: its {name} is {tuple(value.shape)}, and the file holds fewer numbers.")


def _expected(project: Project, trunk: str) -> ExpectedInput:
    if not trunk.startswith(TIMM):
        return project.expects
    try:
        timm_trunk = TimmTrunk(trunk.removeprefix(TIMM))
    except ParamsError as error:
        raise ModelFileError(str(error)) from None
    crop_px, standardization = timm_trunk.expected_crop_px(), timm_trunk.expected_standardization()
    return replace(project.expects, crop_px=crop_px, standardization=standardization)
