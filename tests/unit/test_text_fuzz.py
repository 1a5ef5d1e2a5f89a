"""Damaged text files of every format that a user brings: a result or a documented error, in bounded time and memory.

`DWMTL_FUZZ=20000` tries so many of each; the same number tries the same ones again.
"""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dwmtl.datasets import authors_labels, csv_table, fer2013, fer_plus, ijb, lfw, raf_db
from dwmtl.datasets.authors_pair_file import read_authors_pairs
from dwmtl.datasets.own_pairs import read_own_pairs
from dwmtl.datasets.packs.ms_celeb import pictures
from dwmtl.errors import DwmtlError, ParamsError, line_of
from dwmtl.inference.threshold_file import read_threshold
from dwmtl.network.model_file import load_card
from dwmtl.params import load_align_params, load_params
from dwmtl.protocol.fold_file import parse_folds
from dwmtl.tables import MANIFEST, read_table

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_MUTATIONS = int(os.environ.get("DWMTL_FUZZ", 150))
MOST_SECONDS = 10
"""Of one file, of the processor."""
MOST_GROWTH_KIB = 2**19

FACES = "photo,subject,expression,sequence,frame,use,glasses\na.jpg,007,happy,s1,3,peak,no\nb.jpg,Ann,neutral,,,,yes\n"
OWN_PAIRS = "photo_a,photo_b,is_same_identity,fold\na.jpg,b.jpg,True,0\nb.jpg,a.jpg,0,1\n"
OULU = "No subject expression label image_path\n0 P001 Anger 1 a.jpg\n1 P002 Neutral 0 b.jpg\n"
CK = "count subject session frame label\n0 S005 001 00000011 3.0000000e+00\n"
PAIRS = (
    "No. Input_img Ref_img IdentityIssame Expression_actual Expression_require Expression_ref ExpressionIsrequire\n"
    "0  a.jpg  b.jpg  True  3  3  -1  True\n1  b.jpg  a.jpg  False  0  1  -1  False\n"
)
LFW = "2\t1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t1\nBob_B\t1\t2\nBob_B\t2\tAnn_A\t2\n"
VIEW_1 = "2\nAnn_A\t1\t2\nBob_B\t1\t2\nAnn_A\t1\tBob_B\t1\nAnn_A\t2\tBob_B\t1"
MANIFEST_TEXT = "photo,subject,sequence,frame,expression,use\na.jpg,007,,0,happy,peak\n"
FER = "emotion,pixels,Usage\n" + "".join(f"{n},{' '.join(['7'] * 48**2)},Training\n" for n in (0, 3))
FER_PLUS = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\nPublicTest,,0,0,0,0,0,0,0,0,0,10\n"
)
MS = "m.0\t5\ta\tb\tFaceId-0\tAA==\t/9j/4AAQ\nm.1\t6\ta\tb\tFaceId-1\tAA==\t/9j/4AAQ\n"
CLEAN = "m.0/5-FaceId-0.jpg 7\nm.1/6-FaceId-1.jpg 8\n"
THRESHOLD = (
    '{"num_pairs": 20, "threshold_per_fold": [0.5, 0.6], "settings": {"distance": "cosine", "flip": "none",\n'
    ' "subtract_mean": false, "model_sha256": "ab"}}'
)
FOLDS = "subject,fold\nAnn,0\n007,1\nBob,1\n"
CARD = """{"format": "dwmtl-2", "network": {"trunk": "facelivenet"}, "crop_px": 112, "margin_px": 14,
"detector": {"min_face_px": 40}, "tasks": {"identity": {"head": {"name": "linear", "relu_on_logits": false},
"classes": ["a", "b"]}}, "provenance": {"made_by": "test"}, "weights_sha256": "ab"}"""
IJB = {
    "face_tid_mid": "1.jpg 10 69\n2.jpg 7 70\n",
    "name_5pts_score": "1.jpg 30.5 40 60 40 45 55 35 70 55 70 0.9\n2.jpg 31 40 60 40 45 55 35 70 55 70 1\n",
    "template_pair_label": "10 7 1\n7 10 0\n",
}
TOKENS = [
    *("\ufeff", "\0", "\r", "\r\n", "\n\n", '"', "'", ",", ";", "\t", " ", "\\", "\u2028", "\x85", "\u200b", "e\u0301"),
    *("-1", "0", "1e999", "nan", "inf", "9" * 30, "9" * 5000, "0x10", "1_000", "1:30", "2001-01-01", "null", "~", "²"),
    *("..", "/", "../../x", "./a.jpg", "C:\\a.jpg", "a" * 70_000, "[" * 2000, "{" * 2000, "- " * 2000, "((((", "=cmd"),
    *("&a [x, x]", "*a", "<<: *a", "!!python/object:os.system x", "%YAML 1.1\n---\n", "---\n", "? ", ": ", "#", "|\n"),
    *("١٢", "true", "True", "{}", "[]", "\\ud800", "\U0001f600", "1" * 400 + ".5", "-0", "1e5", "neutral", "identity"),
]
BYTES = [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xef\xbb\xbf", b"\x1a", b"\xfe\xff\x00a"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Photos of every set, of which no pixel is read."""
    folder = tmp_path_factory.mktemp("sets")
    people = [f"{person}/{person}_000{number}.jpg" for person in ("Ann_A", "Bob_B") for number in (1, 2)]
    ck = "cohn-kanade-images/S005/001/S005_001_00000011.png"
    for name in ("a.jpg", "b.jpg", "own/a.jpg", "own/b.jpg", ck, *people, "Image/aligned/train_00001_aligned.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\xd8\xff")
    for name in ("ijb/loose_crop/1.jpg", "ijb/loose_crop/2.jpg", *(f"ijb/meta/ijbx_{part}.txt" for part in IJB)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(IJB.get(name[14:-4], ""))
    (folder / "list.txt").write_text(CLEAN)
    (folder / "ok.tsv").write_text(MS)
    return folder


def _read_clean_list(path: Path) -> object:
    return list(pictures(path.with_name("ok.tsv"), path))


def _read_folds(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8-sig")  # as the command does
    except UnicodeDecodeError:
        raise ParamsError(f"{path}: not text") from None
    return parse_folds(text, name=str(path))


def _set(adapter: ModuleType, **options: object) -> Callable[[Path], object]:
    """A function that reads the set whose folder holds a file, by its adapter."""
    return lambda path: adapter.read(path.parent, num_peak_frames=3, **options)


def _read_ijb(path: Path) -> object:
    faces, pairs = ijb.read_ijb(path.parents[1])
    return [vars(faces), vars(pairs)]


def _read_pairs(path: Path) -> object:
    return read_authors_pairs(path, pd.DataFrame({"photo": ["a.jpg", "b.jpg"]}), expressions={"anger": "cross"})


def _read_own_pairs(path: Path) -> object:
    return read_own_pairs(path.parent, pd.DataFrame({"photo": ["a.jpg", "b.jpg"], "subject": ["Ann", ""]}))


FORMATS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "a table of one's own": (csv_table.TABLE, FACES, _set(csv_table)),
    "pairs of one's own": ("own/pairs.csv", OWN_PAIRS, _read_own_pairs),
    "a manifest": ("manifest.csv", MANIFEST_TEXT, lambda path: read_table(path, MANIFEST, others_are_text=True)),
    "LFW's pairs": ("pairs.txt", LFW, _set(lfw)),
    "LFW's pairs of View 1": ("pairsDevTrain.txt", VIEW_1, _set(lfw, view="1-train")),
    "authors' labels": ("labels.txt", OULU, _set(authors_labels, labels_file="labels.txt")),
    "authors' labels of CK+": ("ck.txt", CK, _set(authors_labels, labels_file="ck.txt")),
    "authors' pairs": ("given.txt", PAIRS, _read_pairs),
    "folds": ("folds.csv", FOLDS, _read_folds),
    "FER2013's table": ("fer2013.csv", FER, _set(fer2013)),
    "FER+'s votes": (fer_plus.TABLE, FER_PLUS, lambda path: list(fer_plus.votes(path))),
    "RAF-DB's labels": (raf_db.LABELS, "train_00001.jpg 5\n", lambda path: _set(raf_db)(path.parent)),
    "MS-Celeb's lines": ("faces.tsv", MS, lambda path: list(pictures(path))),
    "a clean list": ("clean.txt", CLEAN, _read_clean_list),
    **{f"IJB's {part}": (f"ijb/meta/ijbx_{part}.txt", text, _read_ijb) for part, text in IJB.items()},
    "a threshold": ("threshold.json", THRESHOLD, lambda path: read_threshold(path, model_sha256="ab")),
    "a model's card": ("model/model.json", CARD, lambda path: load_card(path.parent)),
    "the params": ("params.yaml", (REPOSITORY / "params.yaml").read_text(), load_params),
    "the params of align": ("align.yaml", "align: {crop_px: 112, margin_px: 14}\n", load_align_params),
}


def _mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """A file with one to three kinds of damage."""
    damaged = bytearray(data)
    for _ in range(generator.integers(1, 4)):
        place = int(generator.integers(len(damaged) + 1))
        end = place + int(generator.integers(1, 40))
        lines = bytes(damaged).split(b"\n")
        line = int(generator.integers(len(lines)))
        match generator.integers(8):
            case 0:
                damaged[place : place + 1] = generator.bytes(1)
            case 1:
                damaged[place:place] = str(generator.choice(TOKENS)).encode()
            case 2:
                damaged[place:end] = str(generator.choice(TOKENS)).encode()
            case 3:
                damaged[place:place] = generator.choice(np.array(BYTES, object))
            case 4:
                del damaged[place : None if generator.random() < 0.3 else end]
            case 5:
                damaged[place:place] = damaged[place:end] * int(generator.integers(1, 200))
            case 6:
                damaged = bytearray(b"\n".join([*lines[:line], lines[line], *lines[line:]]))
            case 7:
                words = lines[line].replace(b"\t", b" ").split(b" ")
                words[int(generator.integers(len(words)))] = str(generator.choice(TOKENS)).encode()
                lines[line] = (b"\t" if b"\t" in lines[line] else b" ").join(words)
                damaged = bytearray(b"\n".join(lines))
    return bytes(damaged)


def _outcome(read: Callable[[Path], object], path: Path) -> str:
    """What becomes of a file: `read`, or `refused` by an error that names it."""
    refused: DwmtlError | None = None
    try:
        read(path)
    except DwmtlError as error:
        refused = error
    if refused is None:
        return "read"
    assert str(path.parent) in str(refused) or path.name in str(refused), str(refused)[:500]
    assert max(map(len, line_of(refused).splitlines())) < 2100
    return "refused"


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_text_file_is_read_or_refused_in_bounded_time_and_memory(folder, name):
    place, seed, read = FORMATS[name]
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(seed)
    if name != "LFW's pairs of View 1":  # ten blocks need more pairs than are to be damaged
        assert _outcome(read, path) == "read"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {"read": 0, "refused": 0}
    for number in range(NUM_MUTATIONS // (5 if path.name == "params.yaml" else 1)):
        path.write_bytes(_mutated(seed.encode(), np.random.default_rng(number)))
        start = time.process_time()
        try:
            counts[_outcome(read, path)] += 1
        except Exception as error:
            error.add_note(f"mutation {number}")
            raise
        assert time.process_time() - start < MOST_SECONDS, f"mutation {number}"
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert growth < MOST_GROWTH_KIB, f"mutation {number} took {growth / 1024:.0f} MiB"
    assert counts["refused"] > 0
    path.write_text(seed)


EDITS: dict[str, Callable[[str], str]] = {
    "a byte-order mark": lambda text: f"\ufeff{text}",
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "blanks at line ends": lambda text: text.replace("\n", "  \n"),
    "no last line end": lambda text: text.removesuffix("\n"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"LFW's pairs of View 1"}))
def test_what_an_editor_adds_to_a_text_file_changes_nothing(folder, name, edit):
    if (name, edit) == ("a manifest", "blanks at line ends"):
        pytest.skip("the pipeline's own table: a blank is part of its cell")
    place, seed, read = FORMATS[name]
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(seed)
    expected = repr(read(path))
    path.write_text(EDITS[edit](seed), newline="")
    assert repr(read(path)) == expected
    path.write_text(seed)


def test_params_whose_aliases_multiply_are_refused_in_bounded_time(tmp_path):
    """Nine times nine ..., as a list and as a mapping; each alias is one object until something copies it."""
    for opening, closing in (("[", "]"), ("{x: ", "}")):
        lines = [f"a0: &a0 {opening}1{closing}"]
        for number in range(1, 10):
            inside = ", ".join([f"*a{number - 1}"] * 9)
            values = (
                f"[{inside}]" if opening == "[" else "{" + ", ".join(f"k{n}: *a{number - 1}" for n in range(9)) + "}"
            )
            lines.append(f"a{number}: &a{number} {values}")
        path = tmp_path / "params.yaml"
        seed = (REPOSITORY / "params.yaml").read_text()
        path.write_text("\n".join([*lines, seed.replace("num_epochs:", "num_epochs: *a9 #", 1)]))
        start = time.process_time()
        with pytest.raises(ParamsError, match="more than 1000000 values"):
            load_params(path)
        assert time.process_time() - start < MOST_SECONDS
