import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dwmtl.errors import UnreadablePhotoError
from dwmtl.inference.clip_file import as_file, clip_frames, is_clip

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


VIDEOS = {"avi": "MJPG", "mp4": "mp4v", "mov": "mp4v", "3gp": "mp4v", "mkv": "MJPG", "flv": "FLV1", "ts": "mp4v"} | {
    "wmv": "WMV2",
    "webm": "VP80",
}


def write_video(path: Path, code: str, num_frames: int = 12) -> None:
    """Noise that moves: frames that differ, and do not compress to nothing."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (128, 96))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {code}")
    for number in range(num_frames):
        writer.write(np.roll(noise, 5 * number, axis=1))
    writer.release()


@pytest.mark.parametrize("ending", VIDEOS)
@pytest.mark.parametrize("name", ["clip", "clip.jpg", "Clip.M2TS", "a b%03d.ogv"])
def test_a_video_is_known_by_its_content_whatever_its_name(tmp_path, ending, name):
    write_video(tmp_path / f"made.{ending}", VIDEOS[ending])
    path = (tmp_path / f"made.{ending}").rename(tmp_path / name)
    assert is_clip(path)
    assert len(list(clip_frames(path))) == 12


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_an_animated_picture_is_a_clip_and_a_still_one_is_not(tmp_path, form):
    frames = [Image.fromarray(frame(red)) for red in REDS]
    moving, still = tmp_path / "moving.jpg", tmp_path / "still.mp4"
    frames[0].save(moving, form, save_all=True, append_images=frames[1:])
    frames[0].save(still, form)
    assert is_clip(moving)
    np.testing.assert_allclose(reds(moving), REDS, atol=8)
    np.testing.assert_allclose(reds(moving, every=2), REDS[::2], atol=8)
    assert not is_clip(still)


@pytest.mark.parametrize(("ending", "code"), [("avi", "MJPG"), ("mp4", "mp4v"), ("mov", "mp4v")])
def test_a_damaged_frame_in_the_middle_is_told(tmp_path, ending, code):
    path = tmp_path / f"clip.{ending}"
    write_video(path, code)
    data = bytearray(path.read_bytes())
    frame_start = b"00dc" if ending == "avi" else b"\0\0\1\xb6"
    middle = data.index(frame_start, len(data) // 2) + (8 if ending == "avi" else 0)
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    before = []
    with pytest.raises(UnreadablePhotoError, match=rf"clip\.{ending}: frame \d+ is damaged"):
        before += clip_frames(path)
    assert len(before) < 12


@pytest.mark.parametrize(("ending", "code"), [("avi", "MJPG"), ("mkv", "MJPG"), ("webm", "VP80"), ("flv", "FLV1")])
def test_a_video_that_is_cut_off_is_told(tmp_path, ending, code):
    path = tmp_path / f"clip.{ending}"
    write_video(path, code)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadablePhotoError, match=r"its \d+ frames end at 0\.\d of 1\.2 s: it is cut off or damaged"):
        list(clip_frames(path))


def test_a_playlist_is_never_opened(tmp_path):
    """FFmpeg would follow it to whatever it names."""
    write_video(tmp_path / "secret.mp4", "mp4v")
    playlists = {
        "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "concat.avi": f"ffconcat version 1.0\nfile {tmp_path}/secret.mp4\n",
        "session.mkv": "v=0\nm=video 5004 RTP/AVP 96\n",
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UnreadablePhotoError, match=f"{name}: no video that OpenCV reads"):
            list(clip_frames(tmp_path / name))


def test_a_name_that_is_not_utf_8_is_told(tmp_path):
    path = tmp_path / os.fsdecode(b"clip\xff.avi")
    write_video(tmp_path / "clip.avi", "MJPG")
    (tmp_path / "clip.avi").rename(path)
    with pytest.raises(UnreadablePhotoError, match="whose name is not UTF-8"):
        list(clip_frames(path))


def test_a_pipe_becomes_a_file_that_is_gone_afterwards(tmp_path, video):
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(video.read_bytes()), daemon=True).start()
    with as_file(tmp_path / "pipe") as copy:
        assert is_clip(copy)
        assert len(list(clip_frames(copy))) == 4
    assert not copy.exists()
    with as_file(video) as same:
        assert same == video


def test_no_more_of_a_pipe_is_kept_than_the_limit(monkeypatch):
    monkeypatch.setattr("dwmtl.inference.clip_file.MAX_PIPE_BYTES", 2**22)
    with pytest.raises(UnreadablePhotoError, match="/dev/zero: more than 4 MiB"), as_file(Path("/dev/zero")):
        pytest.fail("all of it was copied")
