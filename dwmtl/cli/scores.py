"""Commands that score verification: `score-pairs`, `evaluate`, `evaluate-ijb`."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl.errors import DwmtlError

if TYPE_CHECKING:
    from dwmtl.scores.pair_scores import PairScores
    from dwmtl.scores.templates import TemplateScores


class Accelerator(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    auto = "auto"
    float32 = "32-true"
    bf16 = "bf16-mixed"


class Distance(StrEnum):
    squared_euclidean = "squared-euclidean"
    cosine = "cosine"


class Flip(StrEnum):
    none = "none"
    concatenate = "concatenate"
    sum = "sum"


DEFAULT_FAR_TARGETS = [1e-3]
IJB_FAR_TARGETS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
DistanceOption = Annotated[Distance, typer.Option(help="between embeddings of length 1")]
FlipOption = Annotated[Flip, typer.Option(help="how the mirrored image's embedding is used")]
BatchSizeOption = Annotated[int, typer.Option(min=1, help="crops embedded together")]
AcceleratorOption = Annotated[Accelerator, typer.Option(help="auto: a GPU if there is one")]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 where the hardware is faster")]
SubtractMeanOption = Annotated[
    bool, typer.Option("--subtract-mean", help="subtract the mean embedding of the other folds' pairs")
]
FarTargetOption = Annotated[
    list[float], typer.Option(help="false accept rate at which VAL and TAR are computed; may be given again")
]


def score_pairs(
    embeddings: Annotated[Path, typer.Option(help="an .npz: names (N,), embeddings (N, D), [embeddings_flipped]")],
    pairs: Annotated[Path, typer.Option(help="LFW's pairs.txt, or a file like it; its blocks are the folds")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
    distance: DistanceOption = Distance.squared_euclidean,
    flip: FlipOption = Flip.none,
    subtract_mean: SubtractMeanOption = False,
    far_target: FarTargetOption = DEFAULT_FAR_TARGETS,
) -> None:
    """Score embeddings of any model by the LFW verification protocol: accuracy, VAL and TAR at a FAR, AUC, EER."""
    from dwmtl.evaluation.score_pairs import score_pairs as score
    from dwmtl.files import require_output

    require_output(out, inputs=(embeddings, pairs))
    result = score(
        embeddings,
        pairs,
        distance=distance.name,
        flip=flip.name,
        subtract_mean=subtract_mean,
        far_targets=list(far_target),
    )
    _write_scores(result, out)


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
    far_target: FarTargetOption = DEFAULT_FAR_TARGETS,
    batch_size: BatchSizeOption = 64,
    accelerator: AcceleratorOption = Accelerator.auto,
    precision: PrecisionOption = Precision.float32,
) -> None:
    """Score a model on a verification set of aligned crops, as score-pairs scores embeddings."""
    if (pack is None) == (folder is None) or (folder is None) != (pairs is None):
        raise DwmtlError("give either --pack lfw.bin, or --folder DIR and --pairs pairs.txt.")
    from dwmtl.files import require_inputs, require_output

    require_inputs(*filter(None, (pack, folder, pairs)))
    from dwmtl.evaluation.score_model import ModelScoring, score_folder, score_pack
    from dwmtl.network.model_file import files_of

    require_output(out, inputs=chain(files_of(model), filter(None, (pack, pairs)), _crops_of(folder)))
    scoring = ModelScoring(
        batch_size=batch_size,
        accelerator=accelerator.name,
        precision=precision.value,
        distance=distance.name,
        flip=flip.name,
        subtract_mean=subtract_mean,
        far_targets=list(far_target),
    )
    if folder is not None and pairs is not None:
        _write_scores(score_folder(model, folder, pairs, scoring), out)
    elif pack is not None:
        _write_scores(score_pack(model, pack, scoring), out)


def evaluate_ijb(
    model: Annotated[Path, typer.Argument(help="a model's folder: model.json and model.safetensors")],
    folder: Annotated[Path, typer.Argument(help="IJB-B or IJB-C as insightface distributes it: meta, loose_crop")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
    weigh_faces: Annotated[bool, typer.Option(help="weigh a face by its detection score, as insightface does")] = True,
    flip: FlipOption = Flip.none,
    far_target: Annotated[
        list[float], typer.Option(help="false accept rate at which TAR is computed; may be given again")
    ] = IJB_FAR_TARGETS,
    batch_size: BatchSizeOption = 64,
    accelerator: AcceleratorOption = Accelerator.auto,
    precision: PrecisionOption = Precision.float32,
) -> None:
    """Score a model on the templates of IJB-B or IJB-C, 1:1: TAR at a FAR."""
    from dwmtl.datasets.data_set import files_of as pictures_in
    from dwmtl.datasets.ijb import CROPS_DIR, meta_files
    from dwmtl.files import require_inputs, require_output

    require_inputs(folder)
    from dwmtl.evaluation.score_ijb import score_ijb
    from dwmtl.evaluation.score_model import ModelScoring
    from dwmtl.network.model_file import files_of

    crops = (folder / CROPS_DIR / name for name in pictures_in(folder / CROPS_DIR))
    require_output(out, inputs=chain(files_of(model), meta_files(folder), crops))
    scoring = ModelScoring(
        batch_size=batch_size,
        accelerator=accelerator.name,
        precision=precision.value,
        flip=flip.name,
        far_targets=list(far_target),
    )
    _write_template_scores(score_ijb(model, folder, scoring, weigh_faces=weigh_faces), out)


def _write_template_scores(scores: "TemplateScores", out: Path) -> None:
    """Write all scores to a file, and print TAR at each FAR."""
    from dwmtl.results import write_result

    write_result(scores, out)
    for row in scores.tar_at_far:
        tar = f"none: needs {row.num_impostors_needed} impostor pairs" if row.tar is None else f"{row.tar:.4f}"
        print(f"TAR at FAR {row.far_target:g}: {tar}" + (f" (rough: {row.num_impostors} false accepts)" * row.is_rough))
    print(f"{scores.num_genuine} genuine and {scores.num_impostor} impostor pairs; all scores in {out}")


def _crops_of(folder: Path | None) -> Iterator[Path]:
    from dwmtl.datasets.data_set import pictures_below

    if folder is not None:
        yield from (folder / name for name in pictures_below(folder))


def _write_scores(scores: "PairScores", out: Path) -> None:
    """Write all scores to a file, and print the accuracy."""
    from dwmtl.results import write_result

    write_result(scores, out)
    print(
        f"accuracy {scores.accuracy_mean:.4f} +- {scores.accuracy_std:.4f} over {scores.num_folds} folds of "
        f"{scores.num_pairs} pairs, {scores.num_wrong_pairs} wrong; all scores in {out}"
    )
