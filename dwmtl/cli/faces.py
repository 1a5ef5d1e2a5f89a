"""Commands that use a model on photos: `analyze`, `verify`, `authenticate`, `align`, `embed`."""

import json
import sys
from dataclasses import replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl.cli.used_model import DEFAULT_MODEL, DeviceOption, ModelOption, ThresholdOption, loaded_model
from dwmtl.errors import DwmtlError, UnreadablePhotoError

if TYPE_CHECKING:
    import numpy as np

    from dwmtl.inference.answers import Analysis, AuthenticationAnswer, ClipAnswer

NO = 3
"""Exit code where the answer is no."""


class Faces(StrEnum):
    all = "all"
    chosen = "chosen"


JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


def _photo(text: str) -> Path:
    """A photo's path; `-` is the standard input."""
    return Path("/dev/stdin") if text == "-" else Path(text)


def analyze(
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO...", parser=_photo, help="photos of any common format; - for a pipe"),
    ],
    model: ModelOption = None,
    faces: Annotated[Faces, typer.Option(help="every face of a photo, or only its main face")] = (Faces.all),
    as_json: JsonOption = False,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="with --json: include the embeddings")] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(help="draw the answers into the photos: a .png or .jpg file for one photo, else a folder"),
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Detect the faces of photos and predict their expressions.

    A photo without a face is not an error. A photo that cannot be read is reported, and the others are analysed.

    Exit code 0: all photos were read; 1: some were not, or there is no model.
    """
    from dwmtl.crops.photos import read_photo

    drawn = [] if annotate is None else _drawn_paths(annotate, photos)
    face_model = cache(lambda: loaded_model(model, device))  # not before there is a photo to use it on
    answers: list[dict[str, object]] = []
    unreadable = 0
    for number, photo in enumerate(photos):
        try:
            pixels = read_photo(photo)
        except UnreadablePhotoError as error:
            unreadable += 1
            print(f"error: {error}", file=sys.stderr)
            answers.append({"photo": str(photo), "error": str(error)})
            continue
        analysis = face_model().analyze(pixels, faces="chosen" if faces is Faces.chosen else "all")
        analysis = replace(analysis, photo=str(photo))
        answers.append(analysis.as_json(embeddings=embeddings))
        if drawn:
            _draw(pixels, analysis, drawn[number])
        if not as_json:
            print(_described(analysis))
    if as_json:
        print(json.dumps(answers, indent=2))
    elif unreadable < len(photos) and not face_model().expressions:
        print(f"{model or DEFAULT_MODEL} does not predict expressions (it has no such task). Use the model of a fold.")
    if unreadable:
        raise typer.Exit(1)


def verify(
    a: Annotated[Path, typer.Argument(metavar="A", parser=_photo, help="a photo; - for a pipe")],
    b: Annotated[Path, typer.Argument(metavar="B", parser=_photo, help="another photo")],
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Decide whether two photos show the same person.

    Of several faces in a photo, its main face is compared, which `dwmtl analyze` marks.

    Exit code 0: the same person; 3: not the same; 1: no answer (no face in a photo, no model, no threshold).
    """
    answer = loaded_model(model, device, threshold, inputs=[a, b]).verify(a, b)
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
    else:
        print(f"{'the same person' if answer.is_same else 'not the same person'}: {answer.comparison}")
    raise typer.Exit(0 if answer.is_same else NO)


def authenticate(
    photo_or_clip: Annotated[
        Path,
        typer.Argument(
            metavar="PHOTO_OR_CLIP",
            parser=_photo,
            help="a photo; a video or an animated picture; a folder with the frames of a clip; - for a pipe",
        ),
    ],
    reference: Annotated[Path, typer.Option(metavar="PHOTO", parser=_photo, help="a photo of the expected person")],
    expression: Annotated[str, typer.Option(help="the required expression")] = "happiness",
    every: Annotated[int, typer.Option(min=1, help="of a clip, analyse every n-th frame")] = 1,
    min_frames: Annotated[int, typer.Option(min=1, help="of a clip, consecutive frames that must show it")] = 1,
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Decide whether a photo or clip shows the reference's person with the required expression.

    A clip must first show the person's neutral face and then the expression.

    Exit code 0: accepted; 3: not accepted; 1: no answer (no face in a photo, no model, an unknown expression).
    """
    from dwmtl.inference.clip_file import as_file, clip_frames, is_clip

    face_model = loaded_model(model, device, threshold, inputs=[photo_or_clip, reference])
    answer: AuthenticationAnswer | ClipAnswer
    with as_file(photo_or_clip) as given:
        if is_clip(given):
            frames = clip_frames(given, every=every)
            answer = face_model.authenticate_clip(frames, reference, expression, min_frames=min_frames)
            why = f"{answer.reason} ({answer.num_frames} frames, {answer.num_frames_with_face} with a face)"
        else:
            answer = face_model.authenticate(given, reference, expression)
            shown = answer.verification.face.expression
            who = "the same person" if answer.is_same else "not the same person"
            why = f"{who}, {answer.verification.comparison}; shows {shown}, {expression} {answer.probability:.1%}"
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
    else:
        print(f"{'accepted' if answer.is_accepted else 'not accepted'}: {why}")
    raise typer.Exit(0 if answer.is_accepted else NO)


def align(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="a folder with photos, in folders of any depth")],
    out: Annotated[Path, typer.Argument(metavar="DST", help="the folder to make: photos/, crops.csv, failures.csv")],
    model: Annotated[
        Path | None, typer.Option(help="crop as for this model's training instead of by the params")
    ] = None,
    params: Annotated[Path, typer.Option(help="file with the section `align`")] = Path("params.yaml"),
    all_faces: Annotated[
        bool,
        typer.Option("--all-faces", help="crop every face of a photo, not only the one that `align.select` chooses"),
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Write the crop of the face in each photo of a folder, as the pipeline does.

    A photo without a face is cropped at its centre; a photo that cannot be read has no crop. failures.csv lists both.

    Exit code 0: all photos were read; 1: some were not.
    """
    from dwmtl.files import require_free, require_inputs

    require_inputs(source)
    require_free(out)
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
    aligned: Annotated[
        bool, typer.Option("--aligned", help="the photos are aligned crops; do not detect faces")
    ] = False,
    flipped: Annotated[
        bool, typer.Option("--flipped", help="also embed the mirrored crops, for --flip of score-pairs")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="crops embedded together")] = 64,
    device: DeviceOption = "auto",
) -> None:
    """Write the embedding of each photo in a folder, named by its path without ending.

    Of a photo without a face the centre is embedded; a photo that cannot be read has no embedding. Both are printed and
    listed in a table beside the output.

    Exit code 0: all photos were read; 1: some were not.
    """
    from dwmtl.files import require_inputs

    require_inputs(source)
    from dwmtl.inference.embed_folder import embed_folder, failures_path

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


def _described(analysis: "Analysis") -> str:
    """A line for the photo and a line per face."""
    if not analysis.num_faces:
        return f"{analysis.photo}: no face found"
    lines = [f"{analysis.photo}: {analysis.num_faces} face{'s' if analysis.num_faces > 1 else ''}"]
    for face in analysis.faces:
        box = " ".join(f"{value:.0f}" for value in face.box)
        tasks = [f"{max(c, key=c.__getitem__)} {max(c.values()):.1%}" for c in face.probabilities.values()]
        tasks += [f"{name} {value:.2f}" for values in face.values.values() for name, value in values.items()]
        mark = "*" if face.is_chosen and analysis.num_faces > 1 else " "
        lines.append(f"{mark} {', '.join([*tasks, f'confidence {face.confidence:.3f}', f'box {box}'])}")
    return "\n".join(lines)


def _drawn_paths(out: Path, photos: list[Path]) -> list[Path]:
    """Path of each photo's picture. No two photos may share one, and none may be one of the photos."""
    from dwmtl.files import name_with_ending, require_output

    if not out.is_dir() and len(photos) == 1 and out.suffix:
        paths = [out]
    elif not out.is_dir() and (out.exists() or out.suffix):
        raise DwmtlError(f"{out}: names a file, but there are {len(photos)} photos to draw. Name a folder.")
    else:
        paths = [out / name_with_ending(photo.name, ".png") for photo in photos]
    for path, photo in zip(paths, photos, strict=True):
        if paths.count(path) > 1:
            raise DwmtlError(f"two photos are named {photo.name}. Draw them in two calls, into two folders.")
        require_output(path, inputs=photos)
    return paths


def _draw(photo: "np.ndarray", analysis: "Analysis", out: Path) -> None:
    from dwmtl.inference.annotate import annotate, save_picture

    save_picture(annotate(photo, analysis), out)
