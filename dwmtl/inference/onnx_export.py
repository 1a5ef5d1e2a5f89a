"""Exports a model as an ONNX file and checks it. The sole owner of onnx and onnxruntime, an optional extra.

The graph takes decoded crops and returns the answers: standardisation, softmax and the embedding's scaling are inside,
detecting and cropping faces is not. The model's card is in the file's metadata.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dwmtl.errors import DwmtlError
from dwmtl.files import require_output, write_bytes
from dwmtl.inference.crop_answers import CropAnswers
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import files_of, load_model
from dwmtl.section import crop_size

OPSET = 18
TOLERANCE = 1e-4
_NUM_CHECKED = 32
_CARD_KEY = "dwmtl_model_card"


@dataclass(frozen=True)
class OnnxModel:
    """What was written.

    Attributes:
        outputs: names of the outputs, in order: `embedding`, then the tasks.
        largest_difference: greatest absolute difference of PyTorch's and onnxruntime's answers on the checked crops; of
            values, in units of half their range.
    """

    path: Path
    outputs: tuple[str, ...]
    largest_difference: float


def export_onnx(model: Path, out: Path) -> OnnxModel:
    """Write a model as an ONNX file.

    Input: `crops` (N, H, W, 3) uint8, RGB for every network, any N >= 1. Outputs: `embedding` (N, D) float32 of unit
    length, and for each task except identity, under its name, its probabilities or values (N, C) float32.

    Raises:
        DwmtlError: the extra is not installed, `out` is a file of the model, or onnxruntime's answers on 32 crops
            differ from PyTorch's by more than TOLERANCE; then nothing is written.
        ModelFileError: not a model of dwmtl. OSError: the file cannot be written.
    """
    onnx, runtime = _packages()
    require_output(out, inputs=files_of(model))
    network, card = load_model(model)
    answers = CropAnswers(network).eval()
    outputs = ("embedding", *answers.tasks)
    graph = _graph(answers, card, outputs, onnx).SerializeToString()
    difference = _largest_difference(answers, card, graph, runtime)
    if not difference <= TOLERANCE:
        raise DwmtlError(f"{out}: ONNX and PyTorch differ by {difference:.1e} on {_NUM_CHECKED} crops; not written.")
    write_bytes(graph, out)
    return OnnxModel(out, outputs, difference)


def _packages():
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise DwmtlError(f"ONNX needs an extra ({error}): pip install 'dwmtl[onnx]'.") from None
    return onnx, onnxruntime


def _graph(answers: CropAnswers, card: ModelCard, outputs: tuple[str, ...], onnx):
    """The ONNX model, with the card in its metadata and no paths of this machine."""
    crops = torch.zeros(
        2, *crop_size(card.crop_px), 3, dtype=torch.uint8
    )  # 2, since the exporter would fix a batch of 1
    program = torch.onnx.export(
        answers,
        (crops,),
        input_names=["crops"],
        output_names=list(outputs),
        dynamic_shapes={"crops": {0: torch.export.Dim("num_crops", min=1)}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # with dynamo=True there is one
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter's stack traces, with paths of this machine
        node.doc_string = ""
    onnx.helper.set_model_props(model, {_CARD_KEY: card.model_dump_json()})
    return model


def _largest_difference(answers: CropAnswers, card: ModelCard, graph: bytes, runtime) -> float:
    """Greatest difference between PyTorch and onnxruntime, on crops of fine and coarse noise and a uniform one."""
    crops = _test_crops(*crop_size(card.crop_px))
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"crops": crops})
    with torch.inference_mode():
        ours = [values.numpy() for values in answers(torch.from_numpy(crops))]
    units = [1.0, *(answers.network.kinds[task].unit for task in answers.tasks)]
    return max(float(np.abs(a - b).max()) / unit for a, b, unit in zip(ours, theirs, units, strict=True))


def _test_crops(height: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (_NUM_CHECKED, height, width, 3), dtype=np.uint8)
    coarse = generator.integers(0, 256, (_NUM_CHECKED // 2, -(-height // 16), -(-width // 16), 3), dtype=np.uint8)
    crops[::2] = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    crops[0] = 128
    return crops
