"""A clip that must change from neutral to an expression, of one person."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dwmtl.errors import ProtocolError, UnreadablePhotoError


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
