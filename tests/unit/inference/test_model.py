"""A model in use: what it says of photos, and what it says where it can say nothing."""

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.crops.align import Source, align
from dwmtl.crops.photos import read_photo
from dwmtl.datasets.data_set import manifest
from dwmtl.errors import (
    ModelFileError,
    NoFaceError,
    ParamsError,
    ProtocolError,
    ThresholdError,
    UnreadablePhotoError,
)
from dwmtl.evaluation.embedding import CropFiles, embed
from dwmtl.inference.answers import Analysis
from dwmtl.inference.model import load_model
from dwmtl.network.model_file import ModelCard, TaskCard, build_network, save_model
from dwmtl.network.model_file import load_model as read_model
from dwmtl.params import load_params

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def two_faces(known) -> np.ndarray:
    """P001 happy on the left, P002 surprised on the right, larger by half."""
    left, right = (Image.open(known.photo(*who)) for who in (("happiness", "P001"), ("surprise", "P002")))
    canvas = Image.new("RGB", (left.width + right.width * 3 // 2, right.height * 3 // 2), "grey")
    canvas.paste(left, (0, 0))
    canvas.paste(right.resize((right.width * 3 // 2, right.height * 3 // 2)), (left.width, 0))
    return np.array(canvas)


@pytest.fixture(scope="module")
def nobody() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 40, (240, 320, 3), dtype=np.uint8)


def assert_same_answer(a: Analysis, b: Analysis) -> None:
    assert a.num_faces == b.num_faces
    for ours, theirs in zip(a.faces, b.faces, strict=True):
        np.testing.assert_allclose(ours.box, theirs.box, atol=0.05)
        np.testing.assert_allclose(ours.embedding, theirs.embedding, atol=1e-3)
        assert ours.expression == theirs.expression


def test_weights_that_a_model_does_not_have_are_told(known):
    with pytest.raises(ModelFileError, match=r"model_ema\.safetensors"):
        load_model(known.model, device="cpu", weights="ema")


def test_pixels_that_must_not_be_written_to_are_answered_without_a_warning(known, model):
    photo = read_photo(known.photo("surprise"))
    of_bytes = np.frombuffer(photo.tobytes(), np.uint8).reshape(photo.shape)
    mirrored = photo[:, ::-1]
    mirrored.flags.writeable = False
    for pixels in (of_bytes, mirrored):
        assert model.analyze(pixels).num_faces == 1


def test_a_photo_is_answered_with_its_face(known, model):
    analysis = model.analyze(known.photo("surprise"))
    assert (analysis.photo, analysis.width_px, analysis.height_px) == (str(known.photo("surprise")), 320, 240)
    (face,) = analysis.faces
    assert analysis.chosen is face
    assert face.expression == "surprise"
    assert face.most_likely("glasses") in ("no", "yes")
    assert list(face.probabilities) == ["expression", "glasses"]
    for classes in face.probabilities.values():
        assert sum(classes.values()) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-6)
    x1, y1, x2, y2 = face.box
    assert ((face.landmarks > [x1, y1]) & (face.landmarks < [x2, y2])).all()


def test_answers_are_those_of_the_stages_align_and_evaluate(known, model, tmp_path):
    """The same crop and the same numbers as the pipeline's, from the photo on."""
    card = model.card
    values = load_params(REPOSITORY / "params.yaml").align
    cropped = {"crop_px": card.crop_px, "margin_px": card.margin_px}
    values = values.model_copy(update=cropped | card.detector.model_dump())
    photos = [str(known.photo(name).relative_to(known.photos)) for name in ("neutral", "surprise")]
    table = manifest({"photo": photos, "subject": ["", ""]})
    source, work_dir = Source("folders", known.photos), tmp_path / "work"
    crops = align(table, source, tmp_path, values, work_dir=work_dir, device=torch.device("cpu")).crops
    network, _ = read_model(known.model)
    files = CropFiles([tmp_path / crop for crop in crops["crop"]])
    told = embed(network, files, flip="none", batch_size=2, accelerator="cpu", num_workers=0, title="test")
    for row, photo in enumerate(crops["photo"]):
        face = model.analyze(known.photos / photo).chosen
        np.testing.assert_allclose(face.embedding, told.embeddings[row], atol=1e-5)
        probabilities = list(face.probabilities["expression"].values())
        np.testing.assert_allclose(probabilities, told.of_tasks["expression"][row], atol=1e-5)


def test_path_picture_and_pixels_are_one_photo(known, model):
    path = known.photo("happiness")
    expected = model.analyze(path)
    for photo in (str(path), Image.open(path), read_photo(path)):
        assert_same_answer(model.analyze(photo), expected)


def test_transparent_grey_and_rotated_photos_are_taken_upright_as_rgb(known, model, tmp_path):
    picture = Image.open(known.photo("happiness"))
    expected = model.analyze(np.array(picture))
    picture.convert("RGBA").save(tmp_path / "rgba.png")
    assert_same_answer(model.analyze(tmp_path / "rgba.png"), expected)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    picture.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    assert_same_answer(model.analyze(tmp_path / "turned.png"), expected)
    assert_same_answer(model.analyze(Image.open(tmp_path / "turned.png")), expected)
    grey = picture.convert("L")
    assert_same_answer(model.analyze(np.array(grey)), model.analyze(grey.convert("RGB")))


def test_several_photos_of_several_sizes_are_answered_in_their_order(known, model, two_faces, nobody):
    photos = [known.photo("happiness"), two_faces, nobody, known.photo("surprise")]
    together = model.analyze(photos)
    assert [answer.num_faces for answer in together] == [1, 2, 0, 1]
    for photo, answer in zip(photos, together, strict=True):
        assert_same_answer(answer, model.analyze(photo))
    assert model.analyze([]) == []


def test_of_several_faces_one_is_chosen(model, two_faces):
    every, chosen = model.analyze(two_faces), model.analyze(two_faces, faces="chosen")
    assert [face.is_chosen for face in every.faces] == [False, True]  # from left to right; the right one is larger
    assert every.faces[0].box[0] < every.faces[1].box[0]
    assert chosen.num_faces == 2
    assert_same_answer(chosen, Analysis("", 0, 0, 2, every.faces[1:]))


def test_a_photo_without_a_face_has_no_faces(model, nobody):
    analysis = model.analyze(nobody)
    assert (analysis.num_faces, analysis.faces, analysis.chosen) == (0, (), None)


def test_comparing_a_photo_without_a_face_is_an_error_that_names_it(known, model, nobody, tmp_path):
    Image.fromarray(nobody).save(tmp_path / "nobody.png")
    with pytest.raises(NoFaceError, match=r"nobody\.png: no face found"):
        model.verify(known.photo("neutral"), tmp_path / "nobody.png")
    with pytest.raises(NoFaceError, match="photo 0: no face found"):
        model.authenticate(nobody, known.photo("neutral"))


def test_one_person_is_the_same_and_two_are_not(known, model):
    same = model.verify(known.photo("happiness"), known.photo("neutral"))
    other = model.verify(known.photo("happiness", "P002"), known.photo("neutral"))
    assert (same.is_same, other.is_same) == (True, False)
    assert same.distance == pytest.approx(0, abs=1e-3)
    assert other.distance == pytest.approx(2, abs=1e-2)
    assert same.threshold.source == "given by the caller"


def test_the_same_needs_a_distance_strictly_below_the_threshold(known, model):
    a, b = (model.analyze(known.photo("neutral", person)).chosen for person in ("P001", "P002"))
    distance = model.verify(a, b).distance
    assert not model.verify(a, b, threshold=distance).is_same
    assert model.verify(a, b, threshold=np.nextafter(distance, 4)).is_same


@pytest.mark.parametrize(
    ("shown", "person", "is_same", "shows", "is_accepted"),
    [
        ("happiness", "P001", True, True, True),
        ("surprise", "P001", True, False, False),
        ("happiness", "P002", False, True, False),
        ("neutral", "P002", False, False, False),
    ],
)
def test_only_the_person_showing_the_expression_is_accepted(known, model, shown, person, is_same, shows, is_accepted):
    answer = model.authenticate(known.photo(shown, person), known.photo("neutral"), expression="happiness")
    assert (answer.is_same, answer.shows_expression, answer.is_accepted) == (is_same, shows, is_accepted)
    assert answer.as_json()["expression_shown"] == shown


def test_an_expression_that_the_model_does_not_know_is_told(known, model):
    with pytest.raises(ProtocolError, match="does not predict joy; it predicts happiness, neutral, surprise"):
        model.authenticate(known.photo("neutral"), known.photo("neutral"), "joy")


@pytest.mark.parametrize(
    ("clip", "is_accepted", "reason"),
    [
        (["neutral", "surprise", "happiness"], True, "neutral at frame 0, happiness at frame 2"),
        (["happiness", "happiness"], False, "no neutral face of the reference's person"),
        (["happiness", "neutral"], False, "neutral at frame 1, and no happiness after it"),
        (["nobody", "nobody"], False, "no face in any frame"),
        (["P002 neutral", "P002 happiness"], False, "no frame shows the reference's person"),
        (["neutral", "P002 happiness"], False, "after the neutral face somebody else was seen"),
        ([], False, "the clip has no frames"),
    ],
)
def test_a_clip_must_pass_from_neutral_to_the_expression(known, model, nobody, clip, is_accepted, reason):
    frames = [
        nobody if what == "nobody" else known.photo(what.split()[-1], "P002" if "P002" in what else "P001")
        for what in clip
    ]
    answer = model.authenticate_clip(frames, known.photo("neutral"), "happiness")
    assert (answer.is_accepted, answer.reason.partition(", or nobody")[0]) == (is_accepted, reason)
    assert answer.num_frames == len(clip)


def test_a_clip_may_be_named_by_its_path(known, model, tmp_path):
    for number, name in enumerate(("neutral", "happiness")):
        shutil.copy(known.photo(name), tmp_path / f"{number}.jpeg")
    frames = [Image.open(known.photo(name)) for name in ("neutral", "happiness")]
    frames[0].save(tmp_path / "moving", "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    for clip in (tmp_path, str(tmp_path), tmp_path / "moving", str(tmp_path / "moving")):
        assert model.authenticate_clip(clip, known.photo("neutral")).is_accepted
    with pytest.raises(UnreadablePhotoError, match=r"clip\.mp4: no such file"):
        model.authenticate_clip("clip.mp4", known.photo("neutral"))


@pytest.mark.parametrize("clip", [np.zeros((9, 9, 3), np.uint8), Image.new("RGB", (9, 9)), b"clip.mp4"])
def test_one_photo_is_no_clip(known, model, clip):
    with pytest.raises(UnreadablePhotoError, match="a clip is its frames in their order"):
        model.authenticate_clip(clip, known.photo("neutral"))


def test_a_change_to_the_neutral_expression_is_no_challenge(known, model):
    with pytest.raises(ProtocolError, match="from neutral to another expression: happiness, surprise"):
        model.authenticate_clip([known.photo("neutral")], known.photo("neutral"), "neutral")


def test_no_frame_is_asked_for_long_after_an_acceptance(known, model):
    def endless():
        yield known.photo("neutral")
        while True:
            yield known.photo("happiness")

    assert model.authenticate_clip(endless(), known.photo("neutral")).is_accepted


def test_frames_can_be_fed_to_a_challenge_one_by_one(known, model, nobody):
    reference = model.analyze(known.photo("neutral")).chosen
    sight = model.sight(known.photo("happiness"), reference)
    assert (sight.is_same, sight.expression) == (True, "happiness")
    assert model.sight(nobody, reference).is_same is None
    assert model.sight(known.photo("neutral", "P002"), reference).is_same is False


def test_threads_get_the_answers_of_one_alone(known, model, two_faces):
    photos = [known.photo(name, person) for name in ("neutral", "happiness") for person in ("P001", "P002")]
    photos = [*photos, two_faces] * 3
    expected = [model.analyze(photo) for photo in photos]
    with ThreadPoolExecutor(max_workers=5) as pool:
        for answer, alone in zip(pool.map(model.analyze, photos), expected, strict=True):
            assert_same_answer(answer, alone)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_answers_as_the_model_does(known, model, copied):
    photo = known.photo("happiness")
    (face,), (expected,) = copied(model).analyze(photo).faces, model.analyze(photo).faces
    assert (face.box, face.probabilities) == (expected.box, expected.probabilities)
    np.testing.assert_array_equal(face.embedding, expected.embedding)


IN_CHILDREN = """
import multiprocessing, sys, threading, torch
from dwmtl.inference import face_finder
from dwmtl.inference.model import load_model

def ask(model, photo, answers):
    answers.put((model.analyze(photo).num_faces, torch.get_num_threads()))

if __name__ == "__main__":
    torch.set_num_threads(2)
    model = load_model(sys.argv[1], device="cpu")
    model.analyze(sys.argv[2])  # torch's threads are there now
    with face_finder._turn:  # as if another thread were finding faces
        for way in ("fork", "spawn"):
            context = multiprocessing.get_context(way)
            answers = context.Queue()
            child = context.Process(target=ask, args=(model, sys.argv[2], answers), daemon=True)
            child.start()
            print(way, *answers.get(timeout=100))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_model_used_before_a_fork_answers_in_the_child(known, tmp_path):
    """gunicorn --preload, and multiprocessing's default of old."""
    (tmp_path / "ask.py").write_text(IN_CHILDREN)
    command = [sys.executable, tmp_path / "ask.py", known.model, known.photo("neutral")]
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.stdout.splitlines()[0] == "fork 1 1", done.stderr
    assert done.stdout.splitlines()[1].startswith("spawn 1 "), done.stderr


def test_a_file_in_a_models_folder_means_the_folder(known):
    expected = load_model(known.model, device="cpu").card
    for name in ("model.json", "model.safetensors"):
        assert load_model(known.model / name, device="cpu").card == expected
        assert read_model(str(known.model / name))[1] == expected


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("model.safetensors", r"model\.json: no such file. A model is a folder"),
        ("photo.jpg", r"photo\.jpg/model\.json: no such file. A model is a folder"),
        ("a" * 300, "File name too long"),
        ("a\0b", "no name of a folder"),
        ("odd", r"odd/model\.json: Is a directory"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, source, what):
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "odd/model.json").mkdir(parents=True)
    with pytest.raises(ModelFileError, match=what) as told:
        load_model(tmp_path / source, device="cpu")
    assert "\n" not in str(told.value)


def test_weights_of_no_such_name_are_told(known):
    for name in ("Best", "model.safetensors", None):
        with pytest.raises(ParamsError, match=f"weights must be raw, ema, best. Got {name!r}"):
            load_model(known.model, device="cpu", weights=name)


def test_a_device_of_torch_is_a_device(known):
    assert load_model(known.model, device=torch.device("cpu")).device == torch.device("cpu")
    with pytest.raises(ParamsError, match="Got meta"):
        load_model(known.model, device=torch.device("meta"))


def test_answers_are_json(known, model):
    answer = model.authenticate(known.photo("happiness"), known.photo("neutral"))
    assert json.loads(json.dumps(answer.as_json()))["is_accepted"] is True
    face = json.loads(json.dumps(model.analyze(known.photo("happiness")).as_json()))["faces"][0]
    assert len(face["embedding"]) == 2
    assert np.array(face["landmarks"]).shape == (5, 2)
    assert face["probabilities"]["expression"]["happiness"] > 0.99
    assert "embedding" not in model.analyze(known.photo("happiness")).as_json(embeddings=False)["faces"][0]


def test_files_and_pixels_that_are_no_photo_are_told(model, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadablePhotoError, match=r"text\.png: not a whole picture"):
        model.analyze(tmp_path / "text.png")
    with pytest.raises(UnreadablePhotoError, match=r"photo 1: pixels must be \(H, W, 3\) uint8, RGB\. Got \(3, 9, 9\)"):
        model.analyze([np.zeros((9, 9, 3), np.uint8), np.zeros((3, 9, 9), np.uint8)])
    with pytest.raises(UnreadablePhotoError, match="float32 instead"):
        model.analyze(np.zeros((9, 9, 3), np.float32))


def test_faces_that_are_neither_all_nor_chosen_are_a_mistake_of_the_caller(model, nobody):
    with pytest.raises(ValueError, match="faces must be all or chosen"):
        model.analyze(nobody, faces="largest")


def test_without_a_threshold_there_is_no_answer(known):
    bare = load_model(known.model, device="cpu")
    assert bare.threshold is None
    with pytest.raises(ThresholdError, match="no threshold is known for this model"):
        bare.verify(known.photo("neutral"), known.photo("neutral"))
    assert bare.verify(known.photo("neutral"), known.photo("neutral"), threshold=0.5).is_same


@pytest.mark.parametrize("value", [0, -1, 5, float("nan")])
def test_a_threshold_out_of_range_is_refused(known, value):
    with pytest.raises(ThresholdError, match=r"squared Euclidean distance in \(0, 4\]"):
        load_model(known.model, device="cpu", threshold=value)


def test_the_threshold_beside_the_model_is_taken(known, tmp_path):
    shutil.copytree(known.model, tmp_path / "model")
    known.write_threshold(tmp_path / "model" / "threshold.json")
    threshold = load_model(tmp_path / "model", device="cpu").threshold
    assert threshold.value == 1.0
    assert threshold.source.startswith("mean over 2 folds of 20 pairs, ")


def test_the_threshold_of_the_pipelines_evaluation_is_taken_where_it_is_of_this_model(known, tmp_path, caplog):
    shutil.copytree(known.model, tmp_path / "data/models/fold_3")
    evaluated = tmp_path / "metrics/evaluation/fold_3/threshold.json"
    known.write_threshold(evaluated)
    assert load_model(tmp_path / "data/models/fold_3", device="cpu").threshold.value == 1.0
    known.write_threshold(evaluated, model_sha256="0" * 64)
    assert load_model(tmp_path / "data/models/fold_3", device="cpu").threshold is None
    assert "found with another model" in caplog.text


@pytest.mark.parametrize("link", ["data", "data/models", "data/models/fold_3", "named"])
def test_the_pipelines_threshold_is_found_where_a_folder_lies_on_another_disk(known, tmp_path, link):
    """As it is named, `data/models/fold_3`; `named` leads there from elsewhere."""
    disk, repository = tmp_path / "disk", tmp_path / "repository"
    (disk / "fold").mkdir(parents=True)
    place = repository / ("data/models/fold_3" if link == "named" else link)
    place.parent.mkdir(parents=True, exist_ok=True)
    if link == "named":
        (repository / "named").symlink_to(place)
    else:
        place.symlink_to(disk / "fold")
    shutil.copytree(known.model, repository / "data/models/fold_3", dirs_exist_ok=True)
    known.write_threshold(repository / "metrics/evaluation/fold_3/threshold.json")
    asked = repository / (link if link == "named" else "data/models/fold_3")
    assert load_model(asked, device="cpu").threshold.value == 1.0


def test_a_copy_of_a_model_has_the_threshold_of_its_evaluation_in_the_working_directory(known, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(known.model, "model")
    known.write_threshold(tmp_path / "metrics/evaluation/fold_0/threshold.json", model_sha256="0" * 64)
    (tmp_path / "metrics/evaluation/start").mkdir()
    assert load_model("model", device="cpu").threshold is None
    known.write_threshold(tmp_path / "metrics/evaluation/fold_3/threshold.json")
    assert load_model("model", device="cpu").threshold.value == 1.0


def test_a_cosine_threshold_compares_cosines(known, tmp_path):
    path = known.write_threshold(tmp_path / "threshold.json", distance="cosine")
    answer = load_model(known.model, device="cpu", threshold=path).verify(
        known.photo("neutral", "P002"), known.photo("neutral")
    )
    assert answer.distance == pytest.approx(1, abs=1e-2)  # half the squared Euclidean distance
    assert answer.as_json()["distance_kind"] == "cosine"


def test_a_model_that_tells_no_expressions_still_verifies(known, tmp_path):
    params = load_params(REPOSITORY / "params.yaml")
    tasks = {"identity": TaskCard(head=params.tasks["identity"].head, classes=["a", "b"])}
    card = ModelCard(network=params.network, crop_px=80, margin_px=10, tasks=tasks, provenance={})
    save_model(build_network(card), card, tmp_path / "model")
    model = load_model(tmp_path / "model", device="cpu", threshold=0.5)
    photo = known.photo("happiness")
    assert model.verify(photo, photo).is_same
    assert model.analyze(photo).chosen.expression is None
    with pytest.raises(ModelFileError, match="does not predict expressions"):
        model.authenticate(photo, photo)


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cpu:3"])
def test_an_unknown_device_is_told(known, name):
    with pytest.raises(ParamsError, match=f"device must be auto, cpu, cuda or cuda:<number>. Got {name}"):
        load_model(known.model, device=name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told(known):
    with pytest.raises(ParamsError, match="device is cuda, and torch sees 0 CUDA devices"):
        load_model(known.model, device="cuda")


@pytest.mark.gpu
def test_a_gpu_answers_as_the_cpu_does(known, model):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    answer = load_model(known.model, device="cuda", threshold=1.0).analyze(known.photo("happiness")).chosen
    expected = model.analyze(known.photo("happiness")).chosen
    np.testing.assert_allclose(answer.box, expected.box, atol=1)
    assert answer.expression == expected.expression


def test_real_photographs_of_the_edge_are_answered(model, testdata):
    edge = testdata / "real/edge"
    assert model.analyze(edge / "no_face.png").num_faces == 0
    assert model.analyze(edge / "rgba.png").num_faces == 1
    several = model.analyze(edge / "several_faces.jpg")
    assert several.num_faces == 6
    assert sum(face.is_chosen for face in several.faces) == 1
    assert model.analyze(testdata / "real/yale/subject01.happy").num_faces == 1
