"""A model in use: what it says of photos, and what it says where it can say nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.crops.align import Source, align
from dwmtl.crops.photos import read_photo
from dwmtl.datasets.data_set import manifest
from dwmtl.errors import ModelFileError, NoFaceError, ProtocolError, UnreadablePhotoError
from dwmtl.evaluation.embedding import CropFiles, embed
from dwmtl.inference.answers import Analysis
from dwmtl.inference.model import load_model
from dwmtl.network.model_card import ModelCard, TaskCard, build_network
from dwmtl.network.model_file import load_model as read_model
from dwmtl.network.model_file import save_model
from dwmtl.params import load_params

REPOSITORY = Path(__file__).resolve().parents[3]


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
    assert {task: list(values) for task, values in face.values.items()} == {"units": ["AU4", "AU12"], "age": ["age"]}
    assert all(0 < value < 1 for value in face.values["units"].values())
    assert 0 < face.values["age"]["age"] < 100
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


def test_path_picture_and_pixels_are_one_photo(known, model, assert_same_answer):
    path = known.photo("happiness")
    expected = model.analyze(path)
    for photo in (str(path), Image.open(path), read_photo(path)):
        assert_same_answer(model.analyze(photo), expected)


def test_transparent_grey_and_rotated_photos_are_taken_upright_as_rgb(known, model, tmp_path, assert_same_answer):
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


def test_several_photos_of_several_sizes_are_answered_in_their_order(
    known, model, two_faces, nobody, assert_same_answer
):
    photos = [known.photo("happiness"), two_faces, nobody, known.photo("surprise")]
    together = model.analyze(photos)
    assert [answer.num_faces for answer in together] == [1, 2, 0, 1]
    for photo, answer in zip(photos, together, strict=True):
        assert_same_answer(answer, model.analyze(photo))
    assert model.analyze([]) == []


def test_of_several_faces_one_is_chosen(model, two_faces, assert_same_answer):
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_answers_as_the_cpu_does(known, model):
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
