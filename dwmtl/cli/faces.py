"""Commands that use a model on photos: `analyze`, `verify`, `authenticate`, `align`, `embed`."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl.errors import DwmtlError, ModelFileError, UnreadablePhotoError

if TYPE_CHECKING:
    from dwmtl.inference.answers import Analysis, AuthenticationAnswer, ClipAnswer, VerificationAnswer
    from dwmtl.inference.model import FaceModel

DEFAULT_MODEL = Path("data/models/fold_0")
NO = 3
"""Exit code of the answer no."""


class Faces(StrEnum):
    all = "all"
    chosen = "chosen"


ModelOption = Annotated[
    str | None,
    typer.Option(help=f"a model's folder, or MLflow's runs:/... or models:/...; by default {DEFAULT_MODEL}"),
]
ThresholdOption = Annotated[
    str | None,
    typer.Option(
        help="below which distance two faces are one person: a number in (0, 4], or the file that `dwmtl evaluate` "
        "wrote for this model; by default what the pipeline found for it"
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:1")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


def analyze(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="photos of any common format")],
    model: ModelOption = None,
    faces: Annotated[Faces, typer.Option(help="every face, or of several in a photo the one it is taken to be of")] = (
        Faces.all
    ),
    as_json: JsonOption = False,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="with --json: each face's embedding, too")] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(help="draw the answers into the photo: a .png or .jpg file for one photo, else a folder"),
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Find the faces of photos and tell what each expresses.

    A photo without a face is no error. One that cannot be read is told, and the others are answered.

    Exit code 0: every photo was read; 1: one was not, or there is no model.
    """
    asked = loaded_model(model, device)
    answers: list[dict[str, object]] = []
    unreadable = 0
    for photo in photos:
        try:
            analysis = asked.analyze(photo, faces="chosen" if faces is Faces.chosen else "all")
        except UnreadablePhotoError as error:
            unreadable += 1
            print(f"error: {error}", file=sys.stderr)
            answers.append({"photo": str(photo), "error": str(error)})
            continue
        answers.append(analysis.as_json(embeddings=embeddings))
        if annotate is not None:
            _draw(photo, analysis, _drawn_path(annotate, photo, photos))
        if not as_json:
            print(_described(analysis))
    if as_json:
        print(json.dumps(answers, indent=2))
    if unreadable:
        raise typer.Exit(1)


def verify(
    a: Annotated[Path, typer.Argument(metavar="A", help="a photo")],
    b: Annotated[Path, typer.Argument(metavar="B", help="another photo")],
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Tell whether two photos show the same person.

    Of several faces in a photo the one it is taken to be of is compared; `dwmtl analyze` marks it.

    Exit code 0: the same person; 3: not; 1: no answer (no face in a photo, no model, no threshold).
    """
    answer = loaded_model(model, device, threshold).verify(a, b)
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
    else:
        print(f"{'the same person' if answer.is_same else 'not the same person'}: {_comparison(answer)}")
    raise typer.Exit(0 if answer.is_same else NO)


def authenticate(
    photo_or_clip: Annotated[
        Path, typer.Argument(metavar="PHOTO_OR_CLIP", help="a photo; a video; or a folder with the frames of a clip")
    ],
    reference: Annotated[Path, typer.Option(help="a photo of the person that it should be")],
    expression: Annotated[str, typer.Option(help="what the person must show")] = "happiness",
    every: Annotated[int, typer.Option(min=1, help="of a clip, look at each frame, or each second, third, ...")] = 1,
    min_frames: Annotated[int, typer.Option(min=1, help="of a clip, frames in a row that must show it")] = 1,
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Tell whether a photo shows the reference's person with an expression, or a clip the change to it.

    A clip must show the person's neutral face first and the expression after it.

    Exit code 0: accepted; 3: not; 1: no answer (no face in a photo, no model, an expression that it does not know).
    """
    from dwmtl.inference.clip_file import clip_frames, is_clip

    asked = loaded_model(model, device, threshold)
    answer: AuthenticationAnswer | ClipAnswer
    if is_clip(photo_or_clip):
        frames = clip_frames(photo_or_clip, every=every)
        answer = asked.authenticate_clip(frames, reference, expression, min_frames=min_frames)
        why = f"{answer.reason} ({answer.num_frames} frames, {answer.num_frames_with_face} with a face)"
    else:
        answer = asked.authenticate(photo_or_clip, reference, expression)
        shown = answer.verification.face.expression
        who = "the same person" if answer.is_same else "not the same person"
        why = f"{who}, {_comparison(answer.verification)}; shows {shown}, {expression} {answer.probability:.1%}"
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
    else:
        print(f"{'accepted' if answer.is_accepted else 'not accepted'}: {why}")
    raise typer.Exit(0 if answer.is_accepted else NO)


def align(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="a folder with photos, in folders of any depth")],
    out: Annotated[Path, typer.Argument(metavar="DST", help="the folder to make: photos/, crops.csv, failures.csv")],
    model: Annotated[
        Path | None, typer.Option(help="crop as this model's training did, in place of `align` of the params")
    ] = None,
    params: Annotated[Path, typer.Option(help="the file whose section `align` says how")] = Path("params.yaml"),
    all_faces: Annotated[
        bool,
        typer.Option("--all-faces", help="crop every face of a photo, in place of the one that `align.select` takes"),
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Find the face of every photo in a folder and write its crop, as the pipeline does.

    A photo without a face is cropped at its centre, one that cannot be read has no crop; failures.csv lists both.

    Exit code 0: every photo was read; 1: one was not.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DwmtlError(f"{out}: it is there already, and not empty. Name another folder, or remove it.")
    from dwmtl.device import device_of
    from dwmtl.inference.align_folder import align_folder

    counts = align_folder(source, out, params=params, model=model, all_faces=all_faces, device=device_of(device))
    print(f"{out}: {', '.join(f'{number} {status}' for status, number in counts.items())}")
    if counts["unreadable"]:
        raise DwmtlError(f"{counts['unreadable']} photos cannot be read; {out / 'failures.csv'} lists them.")


def embed(
    model: Annotated[Path, typer.Argument(help="a model's folder: model.json and model.safetensors")],
    source: Annotated[Path, typer.Argument(help="a folder with photos, in folders of any depth")],
    out: Annotated[Path, typer.Option(help="the .npz to write, for `dwmtl score-pairs`")],
    aligned: Annotated[bool, typer.Option("--aligned", help="the photos are aligned crops; look for no face")] = False,
    flipped: Annotated[
        bool, typer.Option("--flipped", help="embed the mirrored crops too, for the --flip of score-pairs")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="crops the network sees at a time")] = 64,
    device: DeviceOption = "auto",
) -> None:
    """Write the embedding of every photo in a folder: names, paths without their ending, and embeddings of length 1.

    A photo without a face is embedded by its centre, one that cannot be read is not; both are listed, here and in a
    table beside the output.

    Exit code 0: every photo was read; 1: one was not.
    """
    import torch

    from dwmtl.inference.embed_folder import embed_folder, failures_path

    torch.set_num_threads(1)  # as `align` does
    embedded = embed_folder(
        model, source, out, is_aligned=aligned, flipped=flipped, batch_size=batch_size, device=device
    )
    for failure in embedded.failures.itertuples():
        print(f"{failure.status}: {source / failure.photo}: {failure.reason}", file=sys.stderr)
    table = failures_path(out)
    listed = (
        f"; {len(embedded.failures)} without a face or unreadable, listed in {table}" if len(embedded.failures) else ""
    )
    print(f"{out}: {embedded.num_photos} embeddings{listed}")
    if (embedded.failures["status"] == "unreadable").any():
        raise DwmtlError(f"some photos cannot be read and have no embedding; {table} lists them.")


def loaded_model(source: str | None, device: str, threshold: str | None = None) -> "FaceModel":
    """The model a command asks."""
    if source is None and not DEFAULT_MODEL.is_dir():
        raise ModelFileError(
            f"{DEFAULT_MODEL}: no such model here. Name one with --model, or run `make repro` in the repository to "
            "train one."
        )
    from dwmtl.inference.model import load_model

    return load_model(source or DEFAULT_MODEL, device=device, threshold=threshold)


def _described(analysis: "Analysis") -> str:
    """A line for the photo and one a face."""
    if not analysis.num_faces:
        return f"{analysis.photo}: no face found"
    lines = [f"{analysis.photo}: {analysis.num_faces} face{'s' if analysis.num_faces > 1 else ''}"]
    for face in analysis.faces:
        box = " ".join(f"{value:.0f}" for value in face.box)
        tasks = [f"{max(c, key=c.__getitem__)} {max(c.values()):.1%}" for c in face.probabilities.values()]
        mark = "*" if face.is_chosen and analysis.num_faces > 1 else " "
        lines.append(f"{mark} {', '.join([*tasks, f'confidence {face.confidence:.3f}', f'box {box}'])}")
    return "\n".join(lines)


def _comparison(answer: "VerificationAnswer") -> str:
    sign = "<" if answer.is_same else ">="
    limit = answer.threshold
    return f"distance {answer.distance:.3f} {sign} {limit.value:.3f} ({limit.source})"


def _drawn_path(out: Path, photo: Path, photos: list[Path]) -> Path:
    """Where a photo's picture goes; photos of one name in several folders must not share it."""
    if len(photos) == 1 and out.suffix:
        return out
    if out.is_file():
        raise DwmtlError(f"{out}: a file, and pictures of {len(photos)} photos are to be drawn. Name a folder.")
    if len({other.name for other in photos}) < len(photos):
        raise DwmtlError(f"two photos are called {photo.name}; draw them by two calls, into two folders.")
    return out / f"{photo.name}.png"


def _draw(photo: Path, analysis: "Analysis", out: Path) -> None:
    from dwmtl.crops.photos import read_photo
    from dwmtl.inference.annotate import annotate, save_picture

    save_picture(annotate(read_photo(photo), analysis), out)
