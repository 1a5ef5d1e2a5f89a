"""What a notebook shows of an answer."""

import io
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops.photos import read_photo


@pytest.fixture(scope="module")
def analysis(known, model):
    return model.analyze(known.photo("happiness"))


def picture_in(html: str) -> np.ndarray:
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return np.array(Image.open(io.BytesIO(b64decode(data)))).astype(int)


def test_an_analysis_shows_its_photo_with_the_box_of_the_face(known, analysis):
    shown, photo = picture_in(analysis._repr_html_()), read_photo(known.photo("happiness")).astype(int)
    assert shown.shape == photo.shape
    x1, y1, _, y2 = (round(value) for value in analysis.chosen.box)
    green = np.array([0, 208, 132])
    assert np.abs(shown[(y1 + y2) // 2, x1] - green).max() < 60 < np.abs(photo[(y1 + y2) // 2, x1] - green).max()


def test_an_analysis_shows_the_values_of_each_face(analysis):
    html = analysis._repr_html_()
    assert "<td>happiness " in html
    assert "<td>chosen</td>" in html
    assert "px: 1 face</p>" in html


@pytest.mark.parametrize("given", [lambda photo: photo, Image.fromarray], ids=["array", "Pillow"])
def test_a_picture_in_memory_is_shown_too(known, model, given):
    photo = read_photo(known.photo("happiness"))
    assert picture_in(model.analyze(given(photo))._repr_html_()).shape == photo.shape


def test_a_large_photo_is_shown_small_and_a_photo_without_a_face_without_a_table(model):
    html = model.analyze(np.full((900, 1600, 3), 90, np.uint8))._repr_html_()
    assert picture_in(html).shape == (450, 800, 3)
    assert "1600 x 900 px: 0 faces</p>" in html
    assert "<table>" not in html


def test_a_photo_that_is_gone_is_told_and_its_values_are_shown(known, model, tmp_path):
    photo = shutil.copy(known.photo("happiness"), tmp_path / "photo.jpg")
    analysis = model.analyze(photo)
    photo.unlink()
    html = analysis._repr_html_()
    assert "photo.jpg: no such file" in html
    assert "<td>happiness " in html


def test_a_name_is_no_markup(analysis):
    html = replace(analysis, photo='"><script>.jpg')._repr_html_()
    assert "<script>" not in html
    assert "&quot;&gt;&lt;script&gt;.jpg, " in html


def test_an_answer_is_one_short_line_of_text(analysis, model):
    face = r"Face\(box=\([\d, -]+\), expression='happiness', confidence=\d\.\d{3}\)"
    assert re.fullmatch(face, repr(analysis.chosen))
    assert len(repr(analysis)) < 400
    assert repr(model) == "FaceModel(identity, expression, glasses, units, age; facelivenet; cpu; threshold 1.000)"


def test_a_comparison_shows_its_verdict_and_why(known, model):
    ann, happy = known.photo("neutral"), known.photo("happiness")
    bob = known.photo("happiness", "P002")
    same, other = model.verify(happy, ann)._repr_html_(), model.verify(bob, ann)._repr_html_()
    assert same.startswith("<div><b>the same person</b><br>distance 0.000 &lt; 1.000 (")
    assert other.startswith("<div><b>not the same person</b><br>distance 2.000 &gt;= 1.000 (")
    accepted = model.authenticate(happy, ann)
    assert accepted._repr_html_().startswith("<div><b>accepted</b><br>happiness ")
    clip = model.authenticate_clip([happy], ann)
    assert unescape(clip._repr_html_()).startswith(f"<div><b>not accepted</b><br>{clip.reason}<br>")
