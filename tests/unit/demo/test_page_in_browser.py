"""The demo's page in a real browser: photos, a clip and a camera give the Python API's answers, and nothing else is
asked."""

import json
import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

Chromium = runpy.run_path(str(Path(__file__).resolve().parents[3] / ".ci/chromium.py"))["Chromium"]


@pytest.fixture
def page(browser, address):
    """The page, opened; no test leaves it with an error of its scripts or a request to another host."""
    with Chromium(browser) as page:
        page.open(address)
        page.wait("document.getElementById('about').textContent.startsWith('Model known')")
        yield page
        assert page.errors == []
        assert {re.match(r"\w+://[^/]+", url)[0] for url in page.requested} == {address}


def verdict(browser, name: str) -> str:
    """A verdict, once it is there."""
    text = f"document.getElementById('{name}-verdict').textContent"
    return browser.wait(f"!/^$|Looking/.test({text}) && {text}")


BARS = """JSON.stringify([...document.querySelectorAll('[data-photo="0"] .bar')].map(
    bar => [bar.children[0].textContent, bar.children[1].value]))"""
BOX = """JSON.stringify((rect => ['x', 'y', 'width', 'height'].map(name => +rect.getAttribute(name)))(
    document.querySelector('[data-photo="0"] rect.chosen')))"""


def test_a_photo_is_shown_with_its_faces_as_the_python_api_finds_them(page, known, model):
    photo = known.photo("happiness")
    page.give_file("#photo-0", photo)
    page.wait("document.querySelector('[data-photo=\"0\"] rect.chosen')")
    (face,) = model.analyze(photo).faces
    x1, y1, x2, y2 = face.box
    assert json.loads(page.value(BOX)) == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.02)
    bars = json.loads(page.value(BARS))
    told = {name: value for task in face.probabilities.values() for name, value in task.items()}
    assert {name for name, _ in bars} == set(told)
    assert [value for _, value in bars] == pytest.approx([told[name] for name, _ in bars], abs=1e-5)
    assert bars[0][0] == face.expression
    units = ", ".join(f"{name} {value:.2f}" for name, value in face.values["units"].items())
    assert units in page.value("document.querySelector('[data-photo=\"0\"] .face').textContent")
    assert page.value("document.querySelectorAll('[data-photo=\"0\"] circle').length") == 5


def test_two_photos_are_compared_and_one_can_be_taken_away(page, known, model):
    page.give_file("#photo-0", known.photo("happiness"))
    page.wait("document.querySelector('[data-photo=\"0\"] rect')")
    page.give_file("#photo-1", known.photo("neutral", "P002"))
    distance = model.verify(known.photo("happiness"), known.photo("neutral", "P002")).distance
    told = f"Not the same person: distance {distance:.3f}, not below the threshold 1.000."
    assert verdict(page, "photos") == told
    page.value("document.querySelector('[data-photo=\"1\"] [data-clear]').click()")
    page.wait("!document.querySelector('[data-photo=\"1\"] img')")
    page.wait("document.getElementById('photos-verdict').textContent == ''")


def test_what_cannot_be_answered_is_told_on_the_page(page, tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    page.give_file("#photo-0", tmp_path / "notes.jpg")
    assert verdict(page, "photos").startswith("Error: the first photo: not a whole picture")
    page.errors.clear()  # the browser writes down each refused request
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "grey.png")
    page.give_file("#photo-0", tmp_path / "grey.png")
    page.wait("document.querySelector('[data-photo=\"0\"] .faces').textContent.startsWith('No face found.')")
    page.value("document.getElementById('by-clip').click()")
    assert verdict(page, "challenge") == "Error: no face was found in the reference."
    page.errors.clear()


def test_without_a_camera_the_page_says_so_and_keeps_its_photo(page, known):
    page.give_file("#photo-0", known.photo("happiness"))
    page.wait("document.querySelector('[data-photo=\"0\"] rect')")
    page.value("document.querySelector('[data-photo=\"0\"] [data-take]').click()")
    assert verdict(page, "photos").startswith("Error: there is no camera, or the browser does not give it")
    assert page.value("document.querySelectorAll('[data-photo=\"0\"] img').length") == 1


def test_a_clip_answers_the_challenge(page, known, clip):
    page.give_file("#photo-0", known.photo("neutral"))
    page.value("document.getElementById('by-clip').click()")
    assert verdict(page, "challenge").startswith("Film a neutral face and then surprise, and choose the clip within 5")
    page.give_file("#clip", clip("neutral", "surprise"))
    page.wait("document.getElementById('challenge-verdict').classList.contains('yes')")
    assert verdict(page, "challenge") == "Accepted: neutral at frame 1, surprise at frame 4."


@pytest.mark.slow
def test_the_camera_answers_the_challenge(browser, address, known, tmp_path):
    """A camera that shows the film of a neutral face and then of surprise, over and over."""
    film = tmp_path / "film.mjpeg"
    frames = [known.photo(name).read_bytes() for name in ("neutral", "surprise") for _ in range(90)]
    film.write_bytes(b"".join(frames))
    options = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # no question is asked
    options.append(f"--use-file-for-fake-video-capture={film}")
    with Chromium(browser, *options) as page:
        page.open(address)
        page.give_file("#photo-0", known.photo("neutral"))
        page.value("document.getElementById('by-camera').click()")
        told = "document.getElementById('challenge-verdict').textContent"
        page.wait(f"/^(Accepted|Not accepted|Error)/.test({told})", limit_s=120)
        assert page.value(told) == "Accepted: the reference's person, neutral first and then surprise."
        page.value("document.querySelector('[data-photo=\"1\"] [data-take]').click()")
        page.wait("document.querySelector('[data-photo=\"1\"] rect.chosen')")
        assert page.value("camera.srcObject === null")  # off again


def luminance(color: str) -> float:
    red, green, blue = (int(part) for part in re.findall(r"\d+", color)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_the_page_fits_a_phone_and_follows_light_or_dark(page, known):
    page.give_file("#photo-0", known.photo("happiness"))
    page.wait("document.querySelector('[data-photo=\"0\"] rect')")
    for is_dark in (False, True):
        page.look(width_px=390, height_px=800, is_dark=is_dark)
        assert page.value("document.documentElement.scrollWidth") <= 390
        ground, ink = (page.value(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
        assert (luminance(ground) < 0.2) == is_dark
        assert abs(luminance(ground) - luminance(ink)) > 0.6
