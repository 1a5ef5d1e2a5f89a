"""Imports a TensorFlow V2 checkpoint of the authors' FaceLiveNet, or of facenet."""

import math
import re
from dataclasses import replace
from pathlib import Path

from dwmtl.errors import ModelFileError
from dwmtl.network.imported import COUNTERS, Imported, filled, new_card, provenance_of, task_cards
from dwmtl.network.network import EXPRESSION, IDENTITY
from dwmtl.network.published import ExpectedInput
from dwmtl.network.tensorflow_checkpoint import convert, read_variables

_TRUNKS = {1: "facelivenet", 5: "inception_resnet_v1"}
_INPUT = ExpectedInput(160, 14, "margin_in_crop", "rgb")  # facenet's; no file contains it
_UNSCALED = (*COUNTERS, "norm.weight", "bottleneck.1.weight")  # constants that TensorFlow does not store


def checkpoint_prefix(path: Path) -> Path | None:
    """The prefix of a checkpoint's files, given it or the index file; None where there is no such checkpoint."""
    if path.suffix == ".index" and path.is_file():
        return path.with_suffix("")
    return path if path.name and path.with_name(path.name + ".index").is_file() else None


def import_tensorflow(prefix: Path, overrides: ExpectedInput, classes: dict[str, list[str]]) -> Imported:
    """Import a checkpoint; arguments and errors as in `import_checkpoint`."""
    variables = read_variables(prefix)
    num_blocks = len({m[1] for m in map(re.compile(r"InceptionResnetV1/.*block35_(\d+)/").match, variables) if m})
    if num_blocks not in _TRUNKS:
        raise ModelFileError(
            f"{prefix}: {num_blocks} block35 in InceptionResnetV1; FaceLiveNet has 1 and FaceNet 5. It is neither."
        )
    is_live = any(name.startswith("InceptionResnetV1_expression/") for name in variables)
    unit = variables.get("Logits_lossweights/weights")
    side = 1 if unit is None else math.isqrt(len(unit) // 1792)
    read = convert(variables, feature_shape=(1792, side, side))
    bottleneck = read.network.get("branches.identity.bottleneck.0.weight")
    heads = {IDENTITY: "heads.identity.bias"} | ({EXPRESSION: "heads.expression.2.bias"} if is_live else {})
    card = new_card(
        replace(_INPUT, standardization="per_image" if is_live else "fixed").overridden(overrides),
        trunk=_TRUNKS[num_blocks],
        bottleneck=None if bottleneck is None else len(bottleneck),
        dropout=0.5,
        batch_norm_momentum=0.005,
        tasks=task_cards(prefix.name, heads, read.network, classes),
        provenance=provenance_of("tensorflow", sorted(prefix.parent.glob(prefix.name + ".*"))),
    )
    method = dict(read.unit) | ({} if read.centers is None else {"centers": read.centers})
    matched = {source: name for name, source in read.sources.items()}
    return filled(prefix.name, card, read.network, method, matched, read.skipped, constants=_UNSCALED)
