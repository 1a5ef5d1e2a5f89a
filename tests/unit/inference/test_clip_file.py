from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dwmtl.errors import UnreadablePhotoError
from dwmtl.inference.clip_file import clip_frames, is_clip

REDS = [10, 80, 150, 220]


def frame(red: int) -> np.ndarray:
    return np.full((48, 64, 3), [red, 20, 240 - red], dtype=np.uint8)


@pytest.fixture
def video(tmp_path) -> Path:
    """Four frames of one colour each."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for red in REDS:
        writer.write(cv2.cvtColor(frame(red), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def reds(path: Path, **options: int) -> list[int]:
    return [round(float(picture[..., 0].mean())) for picture in clip_frames(path, **options)]


def test_a_video_gives_its_frames_in_rgb(video):
    frames = list(clip_frames(video))
    assert [picture.shape for picture in frames] == [(48, 64, 3)] * 4
    for picture, red in zip(frames, REDS, strict=True):
        assert np.abs(picture.astype(int) - frame(red)).max() < 8  # JPEG


def test_every_other_frame_may_be_left_out(video):
    np.testing.assert_allclose(reds(video, every=2), REDS[::2], atol=8)
    np.testing.assert_allclose(reds(video, every=3), REDS[::3], atol=8)


def test_pictures_of_a_folder_come_in_the_order_of_their_numbers(tmp_path):
    for number, red in zip((1, 2, 9, 10), REDS, strict=True):
        Image.fromarray(frame(red)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    assert reds(tmp_path) == REDS


def test_folders_and_videos_are_clips_and_photos_are_not(video, tmp_path):
    assert is_clip(tmp_path)
    assert is_clip(video)
    assert is_clip(Path("missing.MP4"))
    assert not is_clip(Path("face.jpg"))


def test_what_is_no_clip_is_told(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("broken.mp4", "no video that OpenCV reads"),
        ("missing.mp4", "no such file"),
        ("empty", "no pictures in this folder"),
    ):
        with pytest.raises(UnreadablePhotoError, match=f"{name}: {message}"):
            list(clip_frames(tmp_path / name))
