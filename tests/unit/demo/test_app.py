"""The demo's requests over a real connection: answers are the Python API's, and bad input a sentence."""

import base64
import http.client
import io
import subprocess
import sys
import urllib.request

import pytest
from PIL import Image

from dwmtl.demo.app import demo_app
from dwmtl.demo.challenges import Challenges
from dwmtl.demo.other_sites import HEADERS
from dwmtl.demo.server import open_port
from dwmtl.demo.uploads import MAX_PHOTOS_BYTES
from dwmtl.errors import DwmtlError
from dwmtl.inference.model import load_model


def encoded(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


GREY = encoded(Image.new("RGB", (120, 100), "grey"))


def test_the_model_is_told(address, ask):
    assert ask(f"{address}/api/model") == (
        200,
        {
            "source": "known",
            "expressions": ["happiness", "neutral", "surprise"],
            "threshold": 1.0,
            "threshold_source": "given by the caller",
        },
    )


def test_a_photo_is_answered_as_by_the_python_api(address, ask, in_base64, known, model):
    status, answer = ask(f"{address}/api/photos", {"photos": [in_base64(known.photo("happiness"))]})
    expected = model.analyze([known.photo("happiness")])[0].as_json(embeddings=False)
    assert status == 200
    assert answer == {"analyses": [expected | {"photo": "photo 0"}], "verification": None, "sentence": None}


@pytest.mark.parametrize(
    ("person", "says"),
    [
        ("P001", "The same person: distance 0.000, below the threshold 1.000."),
        ("P002", "Not the same person: distance 2.000, not below the threshold 1.000."),
    ],
)
def test_two_photos_are_compared_as_by_the_python_api(address, ask, in_base64, known, model, person, says):
    first, second = known.photo("happiness"), known.photo("surprise", person)
    _, answer = ask(f"{address}/api/photos", {"photos": [in_base64(first), in_base64(second)]})
    assert len(answer["analyses"]) == 2
    assert answer["verification"] == pytest.approx(model.verify(first, second).as_json(), abs=1e-5)
    assert answer["sentence"] == says


def test_a_photo_without_a_face_is_answered_and_not_compared(address, ask, in_base64, known):
    status, answer = ask(f"{address}/api/photos", {"photos": [in_base64(known.photo("happiness")), GREY]})
    assert status == 200
    assert [analysis["num_faces"] for analysis in answer["analyses"]] == [1, 0]
    assert answer["sentence"] == "They cannot be compared: no face was found in the second photo."


def test_without_a_threshold_faces_are_found_and_nothing_is_compared(serve, ask, in_base64, known):
    photo = in_base64(known.photo("happiness"))
    with serve(demo_app(load_model(known.model, device="cpu"), source="known")) as address:
        _, answer = ask(f"{address}/api/photos", {"photos": [photo, photo]})
        status, refused = ask(f"{address}/api/challenges", {"reference": photo, "by": "camera"})
    assert [analysis["num_faces"] for analysis in answer["analyses"]] == [1, 1]
    assert answer["sentence"].startswith("They cannot be compared: no threshold is known")
    assert status == 422
    assert refused["error"].startswith("no threshold is known")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"photos": []}, "photos: List should have at least 1 item"),
        ({"photos": [GREY] * 3}, "photos: List should have at most 2 items"),
        ({"photos": ["no base64!"]}, "the first photo: its file must be encoded in base64."),
        ({"photos": [GREY, base64.b64encode(b"no picture").decode()]}, "the second photo: not a whole picture"),
        ({"photos": [""]}, "the first photo: it is empty."),
        ({"photos": [GREY], "more": 1}, "more: Extra inputs are not permitted."),
        ([1], "the request: Input should be an object."),
        (b"{}", "the request's content type must be application/json."),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_in_a_sentence(address, ask, body, says):
    status, answer = ask(f"{address}/api/photos", body)
    assert status == 422
    assert answer["error"].startswith(says)


def test_a_photo_of_too_many_pixels_is_refused_by_its_header(address, ask):
    bomb = encoded(Image.new("1", (6000, 6000)))
    status, answer = ask(f"{address}/api/photos", {"photos": [bomb]})
    assert (status, answer["error"]) == (
        422,
        "the first photo: 6000x6000 is more than 24000000 pixels. Scale it down.",
    )


def test_too_long_a_body_is_refused_before_it_is_sent(address):
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", "/api/photos")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(MAX_PHOTOS_BYTES + 1))
    connection.endheaders(b'{"photos": [')
    response = connection.getresponse()
    assert response.status == 422
    assert response.read() == b'{"error":"more than 48 MiB. Take something smaller."}'
    connection.close()


def test_too_long_a_body_without_a_length_is_refused_where_it_becomes_so(address, monkeypatch):
    monkeypatch.setattr("dwmtl.demo.uploads.MAX_PHOTOS_BYTES", 2**20)
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    chunks = (b" " * 2**16 for _ in range(17))
    connection.request("POST", "/api/photos", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().read() == b'{"error":"more than 1 MiB. Take something smaller."}'
    connection.close()


@pytest.fixture
def start(address, ask, in_base64, known):
    """Starts a challenge of the first person: its url, and the answer."""

    def start(by: str = "camera") -> tuple[str, dict]:
        status, answer = ask(f"{address}/api/challenges", {"reference": in_base64(known.photo("neutral")), "by": by})
        assert status == 200
        return f"{address}/api/challenges/{answer['name']}", answer

    return start


def test_frames_from_neutral_to_the_drawn_expression_are_accepted(start, ask, in_base64, known):
    url, started = start()
    assert started["state"] == "neutral"
    assert started["expression_required"] == "surprise"
    assert started["sentence"] == "First show a neutral face."
    assert 0 < started["seconds_left"] <= 30
    states = []
    for expression in ("surprise", "neutral", "neutral", "happiness", "surprise", "surprise"):
        status, answer = ask(f"{url}/frames", {"frame": in_base64(known.photo(expression))})
        assert (status, answer["seen"]) == (200, {"is_same": True, "expression": expression})
        states.append(answer["state"])
    assert states == ["neutral", "neutral", "expression", "expression", "expression", "accepted"]
    assert answer["sentence"] == "Accepted: the reference's person, neutral first and then surprise."


def test_somebody_else_starts_a_challenge_over(start, ask, in_base64, known):
    url, _ = start()
    frames = [known.photo("neutral"), known.photo("neutral"), known.photo("neutral", "P002")]
    states = [ask(f"{url}/frames", {"frame": in_base64(frame)})[1]["state"] for frame in frames]
    assert states == ["neutral", "expression", "neutral"]
    assert ask(f"{url}/frames", {"frame": GREY})[1]["seen"] == {"is_same": None, "expression": None}


def test_a_challenge_whose_time_is_over_is_not_accepted(serve, ask, in_base64, known, model):
    now = [0.0]
    app = demo_app(model, source="known", challenges=Challenges(clock=lambda: now[0]), camera_s=20.0, clip_s=60.0)
    photo = in_base64(known.photo("neutral"))
    with serve(app) as address:
        names = {
            by: ask(f"{address}/api/challenges", {"reference": photo, "by": by})[1]["name"] for by in ("camera", "clip")
        }
        now[0] = 60.0
        _, frame = ask(f"{address}/api/challenges/{names['camera']}/frames", {"frame": photo})
        _, clip = ask(f"{address}/api/challenges/{names['clip']}/clip", b"whatever")
    assert (frame["state"], frame["seconds_left"], frame["seen"]) == ("over", 0.0, None)
    assert frame["sentence"] == clip["sentence"] == "Not accepted: the time is over. Start another."


def test_a_clip_from_neutral_to_the_drawn_expression_is_accepted(start, ask, clip):
    url, started = start("clip")
    assert 30 < started["seconds_left"] <= 300
    status, answer = ask(f"{url}/clip", clip("neutral", "surprise").read_bytes())
    assert (status, answer["state"], answer["is_accepted"]) == (200, "accepted", True)
    assert answer["sentence"] == "Accepted: neutral at frame 1, surprise at frame 4."


@pytest.mark.parametrize(
    ("expressions", "person", "says"),
    [
        (("surprise",), "P001", "Not accepted: no neutral face of the reference's person."),
        (("neutral", "happiness"), "P001", "Not accepted: neutral at frame 1, and no surprise after it."),
        (("neutral", "surprise"), "P002", "Not accepted: no frame shows the reference's person."),
    ],
)
def test_another_clip_is_not_accepted(start, ask, clip, expressions, person, says):
    url, _ = start("clip")
    _, answer = ask(f"{url}/clip", clip(*expressions, person=person).read_bytes())
    assert (answer["state"], answer["sentence"]) == ("over", says)


def test_a_clip_has_one_try(start, ask, clip):
    url, _ = start("clip")
    ask(f"{url}/clip", clip("surprise").read_bytes())
    status, answer = ask(f"{url}/clip", clip("neutral", "surprise").read_bytes())
    assert (status, answer["error"]) == (422, "this challenge is not known any more. Start another.")


def test_what_is_no_clip_is_told_without_a_path_of_ours(start, ask):
    assert ask(f"{start('clip')[0]}/clip", b"no video")[1]["error"].startswith("the clip: no video that OpenCV reads.")
    assert ask(f"{start('clip')[0]}/clip", b"")[1]["error"] == "the clip is empty."


def test_too_long_a_clip_is_told(start, ask, clip, monkeypatch):
    monkeypatch.setattr("dwmtl.demo.app.MAX_CLIP_FRAMES", 2)
    error = ask(f"{start('clip')[0]}/clip", clip("neutral").read_bytes())[1]["error"]
    assert error.startswith("the clip has more than 6 frames without an acceptance.")


def test_a_model_without_the_expressions_starts_no_challenge(serve, ask, in_base64, known):
    model = load_model(known.model, device="cpu", threshold=1.0)
    model.card.tasks["expression"].classes[:] = ["anger", "fear", "sadness"]
    with serve(demo_app(model, source="known")) as address:
        photo = in_base64(known.photo("neutral"))
        status, answer = ask(f"{address}/api/challenges", {"reference": photo, "by": "camera"})
    assert (status, answer["error"]) == (
        422,
        "a challenge needs neutral and happiness or surprise; the model predicts anger, fear, sadness.",
    )


def test_every_response_forbids_the_page_to_ask_another_host(address):
    for path in ("/", "/demo.css", "/demo.js", "/api/model"):
        with urllib.request.urlopen(address + path, timeout=30) as response:
            assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_a_name_of_another_site_is_refused(address, ask):
    assert ask(f"{address}/api/model", Host="evil.example") == (400, {"error": "Invalid host header"})


def test_nothing_but_this_machine_is_listened_to():
    with open_port(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        with pytest.raises(DwmtlError, match=r"port \d+: Address already in use\. Name another with --port"):
            open_port(listening.getsockname()[1])


def test_without_the_extra_the_command_says_what_to_install():
    code = (
        "import sys; sys.modules['starlette'] = None; sys.argv = ['dwmtl', 'demo']\nimport dwmtl.cli; dwmtl.cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: starlette is not installed. Run: pip install 'dwmtl[demo]'\n"
