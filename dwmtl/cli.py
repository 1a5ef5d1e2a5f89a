"""The command line: `dwmtl COMMAND`. A command imports what it needs when it runs, so that `dwmtl --help` is fast."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dwmtl.errors import DwmtlError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


class Distance(StrEnum):
    squared_euclidean = "squared-euclidean"
    cosine = "cosine"


class Flip(StrEnum):
    none = "none"
    concatenate = "concatenate"
    sum = "sum"


@app.callback()
def dwmtl() -> None:
    """Multi-task learning of faces: identity and expression. The pipeline is run by `dvc repro`."""


@app.command()
def score_pairs(
    embeddings: Annotated[Path, typer.Option(help="an .npz: names (N,), embeddings (N, D), [embeddings_flipped]")],
    pairs: Annotated[Path, typer.Option(help="LFW's pairs.txt, or a file like it; its blocks are the folds")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
    distance: Annotated[Distance, typer.Option(help="between embeddings of length 1")] = Distance.squared_euclidean,
    flip: Annotated[Flip, typer.Option(help="what becomes of the mirrored image's embedding")] = Flip.none,
    subtract_mean: Annotated[
        bool, typer.Option("--subtract-mean", help="take the mean embedding of the other folds' pairs away")
    ] = False,
    far_target: Annotated[
        list[float], typer.Option(help="false accept rate at which VAL and TAR are given; may be given again")
    ] = (1e-3,),  # a tuple, as a default must not change
) -> None:
    """Score anybody's embeddings by the LFW verification protocol: accuracy, VAL and TAR at a FAR, AUC, EER."""
    from dwmtl.evaluation.score_pairs import score_pairs as score
    from dwmtl.stage import write_json

    result = score(
        embeddings,
        pairs,
        distance=distance.name,
        flip=flip.name,
        subtract_mean=subtract_mean,
        far_targets=list(far_target),
    )
    try:
        write_json(result, out)
    except OSError as error:
        raise DwmtlError(f"{out}: cannot be written ({error.strerror}). Name another file for --out.") from None
    print(
        f"accuracy {result['accuracy_mean']:.4f} +- {result['accuracy_std']:.4f} over {result['num_folds']} folds of "
        f"{result['num_pairs']} pairs, {result['num_wrong_pairs']} wrong; all of it in {out}"
    )


def main() -> None:
    """Run the command line; an error that is the input's fault is one line, and the process exits with 1."""
    try:
        app(prog_name="dwmtl")
    except DwmtlError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
