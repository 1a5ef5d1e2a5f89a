import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.crops.crop import (
    TEMPLATE_112,
    box_with_margin,
    box_with_photo_margin,
    center_box,
    choose_face,
    cut,
    enlarge,
    face_crop,
    scale_crop,
    similarity,
    warp,
)
from dwmtl.crops.detector import Detections

SQUARE = (112, 112)


def faces(*boxes, confidences=None) -> Detections:
    num = len(boxes)
    return Detections(
        np.array(boxes, np.float32),
        np.array(confidences or [0.9] * num, np.float32),
        np.zeros((num, 5, 2), np.float32),
    )


CENTERED_SMALL, CORNER_LARGE = (40, 40, 60, 60), (0, 0, 30, 30)


def test_the_centre_outweighs_some_size():
    assert choose_face(faces(CORNER_LARGE, CENTERED_SMALL), (100, 100), select="center_weighted_size") == 1


def test_the_largest_may_be_in_the_corner():
    assert choose_face(faces(CORNER_LARGE, CENTERED_SMALL), (100, 100), select="largest") == 0


def test_the_most_confident_may_be_the_smallest():
    found = faces(CORNER_LARGE, CENTERED_SMALL, confidences=[0.8, 0.99])
    assert choose_face(found, (100, 100), select="most_confident") == 1


def test_centre_weighted_size_equals_its_longhand_twin():
    boxes = np.random.default_rng(0).uniform(0, 80, (9, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    scores = []
    for x1, y1, x2, y2 in boxes.tolist():
        offset = ((x1 + x2) / 2 - 60) ** 2 + ((y1 + y2) / 2 - 50) ** 2
        scores.append((x2 - x1) * (y2 - y1) - 2 * offset)
    assert choose_face(faces(*boxes), (100, 120), select="center_weighted_size") == scores.index(max(scores))


def test_the_margin_is_a_constant_share_of_the_face():
    # a face of 84 px becomes 84 of 112 px of the crop: 14 px of the photo a side
    assert box_with_margin(np.array([50, 60, 134, 144.0]), (300, 300), crop_size=SQUARE, margin_px=28) == (
        36,
        46,
        148,
        158,
    )
    assert box_with_margin(np.array([50, 60, 134, 144.0]), (300, 300), crop_size=SQUARE, margin_px=0) == (
        50,
        60,
        134,
        144,
    )


@given(
    corner=st.tuples(st.floats(-50, 120), st.floats(-50, 120)),
    size=st.tuples(st.floats(0.1, 200), st.floats(0.1, 200)),
    margin=st.integers(0, 100),
)
def test_a_box_lies_in_the_photo_and_is_not_empty(corner, size, margin):
    box = np.array([*corner, corner[0] + size[0], corner[1] + size[1]])
    x1, y1, x2, y2 = box_with_margin(box, (80, 100), crop_size=SQUARE, margin_px=margin)
    assert 0 <= x1 < x2 <= 100
    assert 0 <= y1 < y2 <= 80


def test_the_fallback_is_centred_and_has_the_crops_aspect():
    assert center_box((100, 200), crop_size=SQUARE) == (70, 20, 130, 80)
    assert center_box((200, 70), crop_size=(112, 96)) == (14, 75, 56, 124)


def test_a_crop_shows_what_is_in_its_box():
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[10:30, 20:40] = (10, 200, 30)
    crop = np.array(cut(photo, (20, 10, 40, 30), crop_size=(80, 80)))
    assert (crop[4:-4, 4:-4] == [10, 200, 30]).all()  # the rim is smoothed with what lies beyond
    assert crop.mean() > 0.9 * np.mean([10, 200, 30])


@pytest.mark.parametrize("size", [(30, 90), (90, 30)])
@pytest.mark.parametrize("crop_size", [(112, 112), (112, 96)])
def test_a_crop_has_its_size_whatever_the_box(size, crop_size):
    photo = np.zeros((*size, 3), np.uint8)
    assert np.array(cut(photo, (0, 0, size[1], size[0]), crop_size=crop_size)).shape[:2] == crop_size


def test_the_margin_is_as_wide_along_both_sides_of_a_crop_that_is_not_square():
    x1, y1, x2, y2 = box_with_margin(np.array([50, 60, 132, 158.0]), (300, 300), crop_size=(112, 96), margin_px=14)
    assert (x2 - x1) == 96  # 82 * 96 / (96 - 14)
    assert (y2 - y1) == 112


def test_facenets_margin_is_in_pixels_of_the_photo():
    assert box_with_photo_margin(np.array([50, 60, 134, 144.0]), (300, 300), margin_px=44) == (28, 38, 156, 166)
    assert box_with_photo_margin(np.array([5, 6, 134, 144.0]), (150, 140), margin_px=44) == (0, 0, 140, 150)


@pytest.mark.parametrize(("turn_deg", "scale"), [(0, 1.0), (30, 1.0), (-80, 2.5), (180, 0.4)])
def test_the_similarity_takes_the_template_onto_the_landmarks(turn_deg, scale):
    angle = np.deg2rad(turn_deg)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = TEMPLATE_112 @ matrix.T + [70, 90]
    np.testing.assert_allclose(similarity(landmarks, crop_size=SQUARE), np.column_stack([matrix, [70, 90]]), atol=1e-9)


def test_the_similarity_is_the_least_squares_one():
    """Longhand twin: the normal equations of x' = a x - b y + c, y' = b x + a y + d."""
    landmarks = TEMPLATE_112 * 1.3 + np.random.default_rng(0).normal(0, 4, (5, 2))
    rows, values = [], []
    for (x, y), (u, v) in zip(TEMPLATE_112 * (160 / 112), landmarks, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.array(values))[0]
    np.testing.assert_allclose(similarity(landmarks, crop_size=(160, 160)), [[a, -b, c], [b, a, d]], atol=1e-9)


@pytest.mark.parametrize("scale", [1, 3])
def test_a_warped_photo_has_the_landmarks_where_the_template_does(scale):
    photo = np.zeros((200 * scale, 200 * scale, 3), np.uint8)
    landmarks = (TEMPLATE_112 @ np.array([[0, 1], [-1, 0]]) + [150, 20]) * scale  # a quarter turn
    for x, y in landmarks.round().astype(int):
        photo[y - 2 * scale : y + 2 * scale + 1, x - 2 * scale : x + 2 * scale + 1] = 255
    crop = np.array(warp(photo, similarity(landmarks, crop_size=SQUARE), crop_size=SQUARE))[..., 0] / 255
    for x, y in TEMPLATE_112:
        rows, columns = np.mgrid[round(y) - 5 : round(y) + 6, round(x) - 5 : round(x) + 6]
        weights = crop[rows, columns]
        assert weights.sum() == pytest.approx((4 + 1 / scale) ** 2, rel=0.2)
        assert ((weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()) == pytest.approx(
            (x, y), abs=0.6
        )


def test_a_warp_that_moves_nothing_is_the_photo():
    photo = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    assert (np.array(warp(photo, np.eye(2, 3), crop_size=(80, 80))) == photo).all()


def test_a_narrower_crop_is_the_square_one_without_its_outer_columns():
    photo = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    landmarks = TEMPLATE_112 * 1.1 + [9, 14]
    square, narrow = (
        np.array(face_crop(photo, np.zeros(4), landmarks, form="similarity", crop_size=size, margin_px=0)).astype(int)
        for size in ((112, 112), (112, 96))
    )
    assert narrow.shape == (112, 96, 3)
    assert abs(narrow - square[:, 8:104]).max() <= 1  # Pillow rounds


def test_a_crop_by_similarity_keeps_its_proportions_in_another_size():
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    assert (np.array(scale_crop(crop, (112, 96), form="similarity")) == crop[:, 8:104]).all()
    assert (np.array(scale_crop(crop, (112, 112), form="similarity")) == crop).all()


def test_a_crop_of_a_box_is_scaled_whole():
    crop = np.full((30, 60, 3), 7, np.uint8)
    crop[:, :30] = 200
    scaled = np.array(scale_crop(crop, (50, 40), form="margin_in_crop"))
    assert scaled.shape == (50, 40, 3)
    assert (scaled[:, :15] == 200).all()
    assert (scaled[:, 25:] == 7).all()
    assert (np.array(scale_crop(scaled, (50, 40), form="margin_in_crop")) == scaled).all()


def test_an_enlarged_photo_stands_in_a_grey_frame_and_its_points_are_found_again():
    photo = np.full((24, 48, 3), 200, np.uint8)
    photo[10:12, 20:24] = 0
    enlarged = enlarge(photo, longer_px=160)
    assert enlarged.picture.shape == (120, 240, 3)
    assert (enlarged.picture[:20] == 127).all()
    assert (enlarged.picture[:, -40:] == 127).all()
    assert (enlarged.picture[20:100, 40:200] != 127).any()
    dark_y, dark_x = np.argwhere(enlarged.picture[..., 0] < 60).mean(axis=0) + 0.5
    x, y = enlarged.in_photo(np.array([dark_x, dark_y]))
    assert (x, y) == (pytest.approx(22, abs=0.3), pytest.approx(11, abs=0.3))


@pytest.mark.parametrize("longer_px", [None, 48, 20])
def test_a_photo_that_is_large_enough_is_not_enlarged(longer_px):
    photo = np.zeros((24, 48, 3), np.uint8)
    enlarged = enlarge(photo, longer_px=longer_px)
    assert enlarged.picture is photo
    assert enlarged.in_photo(np.array([[3.5, 4.25]], np.float32)).tolist() == [3.5, 4.25]
