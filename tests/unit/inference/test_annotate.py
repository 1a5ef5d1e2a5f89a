import numpy as np
import pytest
from PIL import Image

from dwmtl.errors import DwmtlError
from dwmtl.inference.annotate import annotate, label, save_picture
from dwmtl.inference.answers import Analysis, Face

GREEN, AMBER, PINK = (0, 208, 132), (255, 176, 0), (255, 59, 107)


def face(box, *, is_chosen=True, probabilities=None) -> Face:
    x1, y1, x2, y2 = box
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    landmarks = np.array([(x1 + x * (x2 - x1), y1 + y * (y2 - y1)) for x, y in points], dtype=np.float32)
    told = {"expression": {"happiness": 0.931, "neutral": 0.069}} if probabilities is None else probabilities
    return Face(box, landmarks, 0.998, is_chosen, told, np.ones(1, np.float32))


def drawn(*faces: Face, size=(400, 300)) -> np.ndarray:
    photo = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    before = photo.copy()
    picture = annotate(photo, Analysis("a.png", *size, len(faces), faces))
    assert (photo == before).all(), "the photo itself must stay as it is"
    assert picture.size == size
    return np.array(picture)


def test_box_and_landmarks_stand_where_the_face_is():
    pixels = drawn(face((100, 80, 200, 220)))
    for x, y in ((100, 150), (200, 150), (150, 220)):
        assert tuple(pixels[y, x]) == GREEN
    assert tuple(pixels[80 + 56, 130]) == PINK  # the left eye
    assert not pixels[150, 60:95].any()


def test_the_chosen_face_has_a_colour_of_its_own():
    pixels = drawn(face((20, 80, 120, 200)), face((220, 80, 320, 200), is_chosen=False))
    assert tuple(pixels[150, 20]) == GREEN
    assert tuple(pixels[150, 220]) == AMBER


def test_a_face_at_the_edge_has_its_label_inside_the_photo():
    pixels = drawn(face((-30, -20, 80, 90)), face((380, 200, 460, 320), is_chosen=False))
    assert (pixels[95:110, :40] == GREEN).all(axis=-1).sum() > 200
    assert (pixels[260:, 330:380] == AMBER).all(axis=-1).sum() > 200


def test_a_photo_without_a_face_stays_as_it_is():
    assert not drawn().any()


def test_the_label_says_expression_probability_and_confidence():
    assert label(face((0, 0, 1, 1))) == "happiness 93 %\nface 1.00"
    assert label(face((0, 0, 1, 1), probabilities={})) == "face 1.00"


def test_a_picture_is_written_with_its_folder_or_the_reason_is_told(tmp_path):
    picture = Image.new("RGB", (4, 4))
    save_picture(picture, tmp_path / "new" / "a.jpg")
    with Image.open(tmp_path / "new" / "a.jpg") as written:
        assert (written.format, written.size) == ("JPEG", (4, 4))
    with pytest.raises(DwmtlError, match=r"a\.nothing: the picture cannot be written .*Name a \.png or \.jpg"):
        save_picture(picture, tmp_path / "a.nothing")
