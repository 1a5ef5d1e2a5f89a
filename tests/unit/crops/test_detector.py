"""Our cascade against facenet-pytorch's own, which works candidate by candidate, a photo at a time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN

from dwmtl.crops.detector import NO_FACES, Detections, Detector
from dwmtl.crops.mtcnn import Budget, Faces, Mtcnn
from dwmtl.crops.photos import read_photo

SETTINGS = {"thresholds": [0.6, 0.7, 0.7], "pyramid_factor": 0.709, "device": torch.device("cpu")}


def textbook(photo: np.ndarray, *, min_face_px: int) -> Detections:
    """facenet-pytorch's own loop."""
    stock = MTCNN(min_face_size=min_face_px, thresholds=[0.6, 0.7, 0.7], select_largest=False, keep_all=True).eval()
    boxes, confidences, landmarks = stock.detect(photo, landmarks=True)
    if boxes is None:
        return NO_FACES
    return Detections(*(np.asarray(values, np.float32) for values in (boxes, confidences, landmarks)))


def assert_same(ours: Detections | Faces, other: Detections | Faces, *, px: float = 0.01) -> None:
    assert len(ours.boxes) == len(other.boxes)
    np.testing.assert_allclose(ours.boxes, other.boxes, atol=px)
    np.testing.assert_allclose(ours.landmarks, other.landmarks, atol=px)
    np.testing.assert_allclose(ours.confidences, other.confidences, atol=1e-4)


@pytest.fixture(scope="module")
def photos(testdata) -> list[np.ndarray]:
    """Real photos of five sizes: LFW (250x250), Yale (320x243), several faces, none; and parts of them."""
    files = sorted((testdata / "real/lfw").rglob("*.jpg"))[::100] + sorted((testdata / "real/yale").glob("s*"))[::40]
    read = [read_photo(file) for file in [*files, *sorted((testdata / "real/edge").iterdir())]]
    return [*read, read[0][:201, :170], read[1][30:163]]


@pytest.mark.parametrize("min_face_px", [20, 40])
def test_the_faces_are_facenet_pytorchs(photos, min_face_px):
    found = Detector(min_face_px=min_face_px, **SETTINGS)(photos)
    assert sum(map(len, found)) > len(photos) / 2
    for photo, ours in zip(photos, found, strict=True):
        assert_same(ours, textbook(photo, min_face_px=min_face_px))


def cascade(budget: Budget) -> Mtcnn:
    return Mtcnn(min_face_px=20, budget=budget, **SETTINGS)


def test_padding_strips_and_chunks_change_nothing(photos):
    """Small levels of many photos share a batch; in a budget of 3,000 pixels large levels fall into strips."""
    together = cascade(Budget(pixels=2_000_000, r_net=8192, o_net=2048))(photos)
    in_pieces = cascade(Budget(pixels=3000, r_net=7, o_net=3))
    for photo, faces in zip(photos, together, strict=True):
        assert_same(in_pieces([photo])[0], faces)


def test_photos_of_one_size_may_come_as_an_array(photos):
    detector = Detector(min_face_px=40, **SETTINGS)
    same = photos[:3]
    for one, other in zip(detector(np.stack(same)), detector(same), strict=True):
        assert_same(one, other)


def test_the_surest_face_comes_first(photos):
    found = Detector(min_face_px=20, **SETTINGS)(photos)
    assert max(map(len, found)) > 1
    for faces in found:
        assert (np.diff(faces.confidences) <= 0).all()


def test_no_photos_have_no_faces():
    assert Detector(min_face_px=20, **SETTINGS)([]) == []


@pytest.mark.parametrize("size", [(1, 1), (19, 300), (300, 19), (20, 20), (21, 20)])
def test_photos_too_small_or_narrow_are_none_without(size):
    grey = np.full((*size, 3), 99, np.uint8)
    assert [len(found) for found in Detector(min_face_px=20, **SETTINGS)([grey, grey])] == [0, 0]


def test_reduced_precision_finds_about_the_same_faces(photos):
    """bfloat16, as a CPU has no float16: eight bits, boxes within a tenth of their side."""
    found = Detector(min_face_px=40, autocast=torch.bfloat16, **SETTINGS)(photos[:3])
    for photo, ours in zip(photos[:3], found, strict=True):
        other = textbook(photo, min_face_px=40)
        assert len(ours) == len(other)
        assert (np.abs(ours.boxes - other.boxes) < 0.1 * (other.boxes[:, 2:] - other.boxes[:, :2]).min()).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_finds_the_same_faces(photos):
    found = Detector(min_face_px=20, **(SETTINGS | {"device": torch.device("cuda")}))(photos)
    for ours, other in zip(found, Detector(min_face_px=20, **SETTINGS)(photos), strict=True):
        assert_same(ours, other, px=1)


@pytest.mark.slow
def test_as_good_as_every_real_photo_has_the_same_faces(testdata):
    files: list[Path] = sorted((testdata / "real/lfw").rglob("*.jpg"))[::5]
    photos = [read_photo(file) for file in files]
    same = 0
    for photo, ours in zip(photos, Detector(min_face_px=40, **SETTINGS)(photos), strict=True):
        try:
            assert_same(ours, textbook(photo, min_face_px=40), px=1)
        except AssertionError:
            continue
        same += 1
    assert same >= 0.995 * len(files)


@pytest.mark.parametrize("side", [46, 47, 48])
def test_a_photo_no_larger_than_the_smallest_face_is_one_without(side):
    small = Detector(min_face_px=47, thresholds=[0.6, 0.7, 0.7], pyramid_factor=0.709, device=torch.device("cpu"))
    assert [len(found) for found in small(np.zeros((2, side, 90, 3), np.uint8))] == [0, 0]
